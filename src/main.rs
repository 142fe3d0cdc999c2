//! The program `enrold`: hands its words to the command line of the library and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    enrold::cli::main()
}
