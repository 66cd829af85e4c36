//! Does what the command line asks for.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use actix_web::rt::System;
use tracing::{error, warn};

use super::Command;
use crate::{
    app::{self, StartError},
    healthcheck,
    service::Secrets,
    settings::{Settings, SettingsError},
    shutdown::Signals,
    store::StoreError,
    telemetry::{log, traces},
};

/// Exit code where a setting or the catalog is invalid (`EX_USAGE`).
const INVALID_SETTINGS: u8 = 64;
/// Exit code where the store holds what cannot be read (`EX_DATAERR`).
const CORRUPT: u8 = 65;
/// Exit code where Redis, or the service that is asked, cannot be reached (`EX_UNAVAILABLE`).
const UNREACHABLE: u8 = 69;
/// Exit code where Redis refuses what it should not (`EX_SOFTWARE`).
const INTERNAL: u8 = 70;
/// Exit code where Redis denies access (`EX_NOPERM`).
const DENIED: u8 = 77;
/// What is in the text of an error where Redis refuses user or password.
const AUTH_ERRORS: [&str; 3] = ["AuthenticationFailed", "NOAUTH", "WRONGPASS"];

/// Does what `command` says, or serves; gives what the process ends with.
pub fn run(command: Option<Command>, settings: Result<Settings, SettingsError>) -> ExitCode {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return report_settings_error(&error),
    };
    let outcome = match command {
        Some(Command::Check { strict }) => check(&settings, strict),
        Some(Command::Healthcheck { live }) => return healthcheck(&settings, live),
        Some(Command::Verify { redis: false }) => {
            run_with_log(settings, |settings| verify_bookings(&settings))
        }
        Some(Command::Verify { redis: true }) => {
            run_with_log(settings, |settings| verify_redis(&settings))
        }
        Some(Command::Export { with_secrets }) => {
            run_with_log(settings, |settings| export(&settings, with_secrets))
        }
        None => run_with_log(settings, serve),
    };
    outcome.unwrap_or_else(|error| report_settings_error(&error))
}

/// What is wrong with the settings is told to whoever sets them.
fn report_settings_error(error: &dyn Display) -> ExitCode {
    drop(writeln!(io::stderr(), "switchboard: {error}"));
    ExitCode::from(INVALID_SETTINGS)
}

/// Does `what` with a log, to which goes whatever else it fails for.
fn run_with_log(
    settings: Settings,
    what: impl FnOnce(Settings) -> Result<ExitCode, StartError>,
) -> Result<ExitCode, StartError> {
    let _written = log::start(&settings.log);
    match what(settings) {
        Err(error) if !error.is_about_settings() => {
            error!(%error, "command failed");
            Ok(exit_code(&error))
        }
        other => other,
    }
}

/// Prints warnings about settings and catalog, which are findings if `strict`.
fn check(settings: &Settings, strict: bool) -> Result<ExitCode, StartError> {
    let about_catalog = app::check(settings)?;
    let ignored = settings.ignored_variables.iter().map(ToString::to_string);
    let warnings: Vec<String> = ignored.chain(about_catalog).collect();
    for warning in &warnings {
        drop(writeln!(io::stderr(), "switchboard: warning: {warning}"));
    }
    if strict && !warnings.is_empty() {
        return Ok(check_exit_code(false));
    }
    drop(writeln!(io::stdout(), "settings and catalogue are valid"));
    Ok(ExitCode::SUCCESS)
}

fn serve(settings: Settings) -> Result<ExitCode, StartError> {
    System::new().block_on(async {
        let (signals, grace) = (Signals::listen(), settings.server.drain);
        start_tracing(&settings);
        let running = app::start(settings).await?;
        running.log_startup();
        let asked = signals.wait_for_signal(running.readiness.clone(), grace);
        let ended = running.run_until(asked).await;
        traces::stop().await;
        ended.map_err(StartError::ServerFailed)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Starts tracing. Its variables are often those of a whole cluster: none of them keeps the service from
/// running.
fn start_tracing(settings: &Settings) {
    for ignored in &settings.ignored_variables {
        let (variable, value) = (ignored.variable, ignored.value.as_deref());
        warn!(
            variable,
            value,
            reason = ignored.reason,
            "environment variable ignored"
        );
    }
    if let Some(settings) = &settings.traces
        && let Err(error) = traces::start(settings)
    {
        warn!(error, "nothing is traced");
    }
}

/// Tells how the running service is.
fn healthcheck(settings: &Settings, live: bool) -> ExitCode {
    let path = if live { "/livez" } else { "/readyz" };
    match healthcheck::probe(settings, path) {
        Ok(status) => {
            drop(writeln!(io::stdout(), "{path}: {status}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "switchboard: {path}: {error}"));
            match error {
                healthcheck::HealthcheckError::Unhealthy(_) => ExitCode::FAILURE,
                healthcheck::HealthcheckError::Unreachable(_) => ExitCode::from(UNREACHABLE),
            }
        }
    }
}

/// Prints the bookings; fails where a number is booked by no service, or lost.
fn verify_bookings(settings: &Settings) -> Result<ExitCode, StartError> {
    let audit = System::new().block_on(app::verify_bookings(settings))?;
    drop(writeln!(io::stdout(), "{audit}"));
    Ok(check_exit_code(audit.is_clean()))
}

/// Prints the checks of the Redis servers.
fn verify_redis(settings: &Settings) -> Result<ExitCode, StartError> {
    let report = System::new().block_on(app::verify_redis(settings))?;
    drop(writeln!(io::stdout(), "{report}"));
    Ok(check_exit_code(report.is_clean()))
}

/// Prints the catalog.
fn export(settings: &Settings, with_secrets: bool) -> Result<ExitCode, StartError> {
    let secrets = if with_secrets {
        Secrets::Included
    } else {
        Secrets::Redacted
    };
    let text = System::new().block_on(app::export(settings, secrets))?;
    drop(write!(io::stdout(), "{text}"));
    Ok(ExitCode::SUCCESS)
}

fn check_exit_code(is_clean: bool) -> ExitCode {
    if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The exit code for what is no fault of the settings.
fn exit_code(error: &StartError) -> ExitCode {
    let StartError::Store(error) = error else {
        return ExitCode::FAILURE;
    };
    ExitCode::from(match error {
        // It was reached, and does not let this user in.
        StoreError::Unavailable(text)
            if AUTH_ERRORS.iter().any(|refused| text.contains(refused)) =>
        {
            DENIED
        }
        StoreError::Denied(_) => DENIED,
        StoreError::Corrupt(_) => CORRUPT,
        StoreError::Bug(_) => INTERNAL,
        _ => UNREACHABLE,
    })
}
