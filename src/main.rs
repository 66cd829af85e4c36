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
    healthcheck,
    settings::Settings,
    shutdown::Signals,
    telemetry,
};
use tracing::error;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the process ends with where a setting or the catalogue is wrong (`EX_USAGE`).
const WRONG_SETTINGS: u8 = 64;

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) if error.is_about_settings() => {
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
        app::check(&settings)?;
        drop(writeln!(io::stdout(), "settings and catalogue are valid"));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::Healthcheck { live }) = arguments.command {
        return Ok(healthcheck(&settings, live));
    }
    drop(telemetry::start(&settings.log));
    if let Some(Command::Audit) = arguments.command {
        return audit(&settings);
    }
    actix_web::rt::System::new().block_on(async {
        let (signals, grace) = (Signals::listen(), settings.server.grace);
        let running = app::start(settings).await?;
        running.tell();
        let asked = signals.asked(running.readiness.clone(), grace);
        let ended = running.until(asked).await;
        ended.map_err(StartError::Served)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Tells how the running service is.
fn healthcheck(settings: &Settings, live: bool) -> ExitCode {
    let path = if live { "/livez" } else { "/readyz" };
    match healthcheck::ask(settings, path) {
        Ok(status) => {
            drop(writeln!(io::stdout(), "{path}: {status}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "switchboard: {path}: {error}"));
            ExitCode::FAILURE
        }
    }
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
