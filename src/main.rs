//! `switchboard`: settings, logs, service, until stopped.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use switchboard::{
    app::{self, StartError},
    cli::{Arguments, Command},
    settings::Settings,
    shutdown, telemetry,
};
use tracing::{error, info};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the process ends with where a setting or the catalogue is wrong (`EX_USAGE`).
const WRONG_SETTINGS: u8 = 64;

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(
            error @ (StartError::Settings(_)
            | StartError::Catalog(_)
            | StartError::Backends(_)
            | StartError::NoBooks),
        ) => {
            drop(writeln!(io::stderr(), "switchboard: {error}"));
            ExitCode::from(WRONG_SETTINGS)
        }
        Err(error) => {
            error!(%error, "the service cannot run");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<ExitCode, StartError> {
    let arguments = Arguments::parse();
    let settings = Settings::load(arguments.config.as_deref(), env::vars_os())?;
    if let Some(Command::Check) = arguments.command {
        app::backends(&settings, &app::catalog(&settings)?)?;
        drop(writeln!(io::stdout(), "settings and catalogue are valid"));
        return Ok(ExitCode::SUCCESS);
    }
    drop(telemetry::start(&settings.log));
    if let Some(Command::Audit) = arguments.command {
        return audit(&settings);
    }
    actix_web::rt::System::new().block_on(async {
        let running = app::start(settings).await?;
        let address = running.address;
        info!(%address, "listening; to try it: curl -X POST http://{address}/genesys/1/service/store -d key=value");
        let ended = running.until(shutdown::asked()).await;
        ended.map_err(StartError::Served)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Prints what the books say; fails where something is held by nobody, or lost.
fn audit(settings: &Settings) -> Result<ExitCode, StartError> {
    let audit = actix_web::rt::System::new().block_on(app::audit(settings))?;
    drop(writeln!(io::stdout(), "{audit}"));
    Ok(if audit.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
