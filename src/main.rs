//! The binary: parses the command and calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    clientele::cli::run()
}
