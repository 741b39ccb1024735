//! The command line program; everything but its memory is in the library.

mod memory;

use std::process::ExitCode;

fn main() -> ExitCode {
    memory::prepare();
    fluxwright::cli::run(std::env::args_os())
}
