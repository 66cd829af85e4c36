//! The program `switchboard`: loads the settings and runs the command.

use std::{env, process::ExitCode};

use clap::Parser;
use switchboard::{
    cli::{self, Arguments},
    settings::Settings,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings::load(arguments.config.as_deref(), env::vars_os());
    cli::run(arguments.command, settings)
}
