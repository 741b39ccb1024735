//! What the environment says: of the terminal, and keys that are handed over in it.

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
