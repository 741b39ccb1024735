//! What the environment says: of the terminal, and keys that are handed over in it; and what it
//! is told: to write no key into a core dump.

#![expect(
    clippy::disallowed_methods,
    reason = "the command line reads the environment"
)]

/// How many columns there are: those of the terminal, or `COLUMNS`; 100 where
/// output goes elsewhere.
pub(super) fn columns() -> usize {
    const DEFAULT: usize = 100;
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()) {
        return columns;
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    match size {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => DEFAULT,
    }
}

/// The value of a variable, as bytes.
///
/// # Errors
///
/// `ref/missing` where it is not set.
#[cfg(feature = "verify")]
pub(super) fn bytes(name: &str) -> crate::diag::Result<Vec<u8>> {
    std::env::var_os(name)
        .map(std::ffi::OsString::into_encoded_bytes)
        .ok_or_else(|| {
            crate::diag::Error::new(
                "ref/missing",
                format!("the environment has no variable `{name}`"),
            )
            .help("export it to the program: `export NAME=…`")
        })
}

/// Sees to it that no crash writes keys and values to a file.
#[cfg(any(feature = "sops", feature = "verify"))]
pub(super) fn forbid_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = |bytes| Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        // No dump has one byte. Linux takes a limit of none for files alone and
        // still hands the dump to a program, where `core_pattern` names one; of
        // one byte, it does neither.
        if setrlimit(Resource::Core, limit(1)).is_err() {
            // Where that is not allowed either, it was forbidden before.
            let _ = setrlimit(Resource::Core, limit(0));
        }
    }
}
