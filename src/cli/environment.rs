//! What the terminal is like.

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
