//! Files that are named on the command line, and standard input.

#![expect(
    clippy::disallowed_methods,
    reason = "these are the user's own, wherever they lie; what the repository holds is read through artifact::Tree"
)]

use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;

/// The content of a file, or of a pipe such as `<(gpg --export --armor ID)`.
///
/// # Errors
///
/// `ref/missing` where there is none, `file/unreadable` for what cannot be
/// read or is longer than `limit` bytes.
pub(super) fn file(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let display = path.display();
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::new("file/unreadable", format!("cannot read `{display}`: {why}"))
    };
    let file = std::fs::File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new("ref/missing", format!("no such file: `{display}`"))
        }
        kind => unreadable(&kind),
    })?;
    // Room for all of it: growing would leave copies of keys behind.
    let size = file.metadata().map_or(0, |m| m.len());
    let room = usize::try_from(size).unwrap_or(limit).min(limit) + 1;
    let mut content = Vec::with_capacity(room);
    file.take(limit as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|e| unreadable(&e.kind()))?;
    if content.len() > limit {
        return Err(unreadable(&format_args!(
            "it is larger than {} MiB",
            limit >> 20
        )));
    }
    Ok(content)
}

/// The largest template or lockfile that is read, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 20;

/// A template of a report: its name and its text.
///
/// # Errors
///
/// As [`text_file`].
pub(super) fn template(path: &Path) -> Result<(String, String)> {
    Ok((path.display().to_string(), text_file(path, MAX_TEXT_BYTES)?))
}

/// A key: a file, or `env://NAME` for one in the environment.
///
/// # Errors
///
/// As [`file`], and where there is no such variable.
#[cfg(feature = "verify")]
pub(super) fn key_file(name: &str) -> Result<crate::verify::KeyFile> {
    use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES};
    let content = match name.strip_prefix("env://") {
        Some(variable) => super::environment::bytes(variable)?,
        None => file(Path::new(name), MAX_KEY_FILE_BYTES)?,
    };
    Ok(KeyFile {
        name: name.to_owned(),
        content,
    })
}

/// A password: the first line of a file, or what a variable holds, `env://NAME`.
///
/// # Errors
///
/// As [`key_file`].
#[cfg(feature = "verify")]
pub(super) fn password(name: &str) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    const MAX_PASSWORD_BYTES: usize = 64 << 10;
    if let Some(variable) = name.strip_prefix("env://") {
        return super::environment::bytes(variable).map(zeroize::Zeroizing::new);
    }
    let mut content = zeroize::Zeroizing::new(file(Path::new(name), MAX_PASSWORD_BYTES)?);
    let end = content.iter().position(|b| matches!(b, b'\n' | b'\r'));
    let end = end.unwrap_or(content.len());
    content.truncate(end);
    Ok(content)
}

/// The text of a file, UTF-8.
///
/// # Errors
///
/// As [`file`].
pub(super) fn text_file(path: &Path, limit: usize) -> Result<String> {
    text(file(path, limit)?, &format!("`{}`", path.display()))
}

/// The text on standard input, UTF-8.
///
/// # Errors
///
/// `file/unreadable` for what cannot be read or is no text.
pub(super) fn stdin() -> Result<String> {
    let mut content = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut content)
        .map_err(|e| {
            let why = e.kind();
            Error::new(
                "file/unreadable",
                format!("cannot read standard input: {why}"),
            )
        })?;
    text(content, "standard input")
}

fn text(content: Vec<u8>, name: &str) -> Result<String> {
    String::from_utf8(content).map_err(|e| {
        let before = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
        let line = before.filter(|b| **b == b'\n').count() + 1;
        Error::new(
            "file/unreadable",
            format!("{name} is not UTF-8 in line {line}"),
        )
        .help("convert it to UTF-8")
    })
}

/// The point in time that questions of validity are asked for: what `--now`
/// says, else the machine's clock.
pub(super) fn now(argument: Option<Moment>) -> Moment {
    argument.unwrap_or_else(|| Moment::from(SystemTime::now()))
}

/// Reads the value of `--now`.
pub(super) fn moment(text: &str) -> std::result::Result<Moment, String> {
    Moment::parse(text)
        .or_else(|| text.parse().ok().map(Moment::from_unix))
        .ok_or_else(|| {
            "a time is written as `2026-11-22T20:00:00Z`, or in seconds since 1970".into()
        })
}
