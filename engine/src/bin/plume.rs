//! The `plume` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    plume_engine::cli::main()
}
