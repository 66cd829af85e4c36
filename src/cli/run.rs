//! Does what the command line asks for.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use actix_web::rt::System;
use tracing::error;

use super::Command;
use crate::{
    app::{self, StartError},
    healthcheck,
    settings::{Settings, SettingsError},
    shutdown::Signals,
    telemetry::{log, traces},
};

/// What the process ends with where a setting or the catalogue is wrong (`EX_USAGE`).
const WRONG_SETTINGS: u8 = 64;

/// Does what `command` says, or serves; gives what the process ends with.
pub fn run(command: Option<Command>, settings: Result<Settings, SettingsError>) -> ExitCode {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return refused(&error),
    };
    let outcome = match command {
        Some(Command::Check) => check(&settings),
        Some(Command::Healthcheck { live }) => return healthcheck(&settings, live),
        Some(Command::Audit) => logged(settings, |settings| audit(&settings)),
        None => logged(settings, serve),
    };
    outcome.unwrap_or_else(|error| refused(&error))
}

/// What is wrong with the settings is told to whoever sets them.
fn refused(error: &dyn Display) -> ExitCode {
    drop(writeln!(io::stderr(), "switchboard: {error}"));
    ExitCode::from(WRONG_SETTINGS)
}

/// Does `what` with a log, to which goes whatever else it fails for.
fn logged(
    settings: Settings,
    what: impl FnOnce(Settings) -> Result<ExitCode, StartError>,
) -> Result<ExitCode, StartError> {
    let _written = log::start(&settings.log);
    match what(settings) {
        Err(error) if !error.is_about_settings() => {
            error!(%error, "the service cannot run");
            Ok(ExitCode::FAILURE)
        }
        other => other,
    }
}

fn check(settings: &Settings) -> Result<ExitCode, StartError> {
    app::check(settings)?;
    drop(writeln!(io::stdout(), "settings and catalogue are valid"));
    Ok(ExitCode::SUCCESS)
}

fn serve(settings: Settings) -> Result<ExitCode, StartError> {
    System::new().block_on(async {
        let (signals, grace) = (Signals::listen(), settings.server.grace);
        if let Some(settings) = &settings.traces {
            traces::start(settings).map_err(StartError::Traces)?;
        }
        let running = app::start(settings).await?;
        running.tell();
        let asked = signals.asked(running.readiness.clone(), grace);
        let ended = running.until(asked).await;
        traces::stop().await;
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
    let audit = System::new().block_on(app::audit(settings))?;
    drop(writeln!(io::stdout(), "{audit}"));
    Ok(if audit.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
