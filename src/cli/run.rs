//! Runs the command of the command line.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use actix_web::rt::System;
use tracing::error;

use super::{Command, hash_password::hash_password};
use crate::{
    app::{self, StartError},
    healthcheck,
    model::StoreError,
    service::Secrets,
    settings::{Settings, SettingsError},
    shutdown::Signals,
    telemetry::{
        self,
        log::{LogGuard, TelemetryError},
        traces,
    },
};

/// Exit code for an invalid setting or catalog (`EX_USAGE`).
const INVALID_SETTINGS: u8 = 64;
/// Exit code for corrupt data in the store (`EX_DATAERR`).
const CORRUPT: u8 = 65;
/// Exit code if Redis or the service cannot be reached (`EX_UNAVAILABLE`).
const UNREACHABLE: u8 = 69;
/// Exit code for an internal error (`EX_SOFTWARE`).
const INTERNAL: u8 = 70;
/// Exit code if Redis denies access (`EX_NOPERM`).
const DENIED: u8 = 77;
/// Texts in the error for a rejected user or password of Redis.
const AUTH_ERRORS: [&str; 3] = ["AuthenticationFailed", "NOAUTH", "WRONGPASS"];

/// Runs `command`, or serves; returns the exit code of the process.
pub fn run(command: Option<Command>, settings: Result<Settings, SettingsError>) -> ExitCode {
    let settings = match (command, settings) {
        (Some(Command::HashPassword), _) => return hash_password(),
        (_, Ok(settings)) => settings,
        (_, Err(error)) => return report_settings_error(&error),
    };
    let outcome = match command {
        Some(Command::HashPassword) => return hash_password(),
        Some(Command::Check { strict }) => check(&settings, strict),
        Some(Command::Healthcheck { live }) => return healthcheck(&settings, live),
        Some(Command::Verify { redis: false }) => {
            run_with_log(settings, telemetry::start_log, |settings| {
                verify_bookings(&settings)
            })
        }
        Some(Command::Verify { redis: true }) => {
            run_with_log(settings, telemetry::start_log, |settings| {
                verify_redis(&settings)
            })
        }
        Some(Command::Export { with_secrets }) => {
            run_with_log(settings, telemetry::start_log, |settings| {
                export(&settings, with_secrets)
            })
        }
        None => run_with_log(settings, telemetry::start_log_and_traces, serve),
    };
    outcome.unwrap_or_else(|error| report_settings_error(&error))
}

/// Prints an error in the settings.
fn report_settings_error(error: &dyn Display) -> ExitCode {
    drop(writeln!(io::stderr(), "switchboard: {error}"));
    ExitCode::from(INVALID_SETTINGS)
}

/// Runs `command` with a log; errors that are not about settings are logged.
fn run_with_log(
    settings: Settings,
    start_log: fn(&Settings) -> Result<LogGuard, TelemetryError>,
    command: impl FnOnce(Settings) -> Result<ExitCode, StartError>,
) -> Result<ExitCode, StartError> {
    let _log = start_log(&settings);
    match command(settings) {
        Err(error) if !error.is_about_settings() => {
            error!(%error, "command failed");
            Ok(exit_code(&error))
        }
        other => other,
    }
}

/// Prints warnings about settings and catalog, which are findings if `strict`.
fn check(settings: &Settings, strict: bool) -> Result<ExitCode, StartError> {
    let catalog_warnings = app::check(settings)?;
    let ignored = settings.ignored_variables.iter().map(ToString::to_string);
    let warnings: Vec<String> = ignored.chain(catalog_warnings).collect();
    for warning in &warnings {
        drop(writeln!(io::stderr(), "switchboard: warning: {warning}"));
    }
    if strict && !warnings.is_empty() {
        return Ok(check_exit_code(false));
    }
    drop(writeln!(io::stdout(), "settings and catalog are valid"));
    Ok(ExitCode::SUCCESS)
}

fn serve(settings: Settings) -> Result<ExitCode, StartError> {
    let result = System::new().block_on(async {
        let (signals, drain) = (Signals::listen(), settings.server.drain);
        let running = app::start(settings).await?;
        running.log_startup();
        let shutdown = signals.wait_for_signal(running.readiness.clone(), drain);
        let result = running.run_until(shutdown).await;
        result.map_err(StartError::ServerFailed)?;
        Ok(ExitCode::SUCCESS)
    });
    traces::stop();
    result
}

/// Prints the health of the running service.
fn healthcheck(settings: &Settings, live: bool) -> ExitCode {
    let path = if live { "/livez" } else { "/readyz" };
    match System::new().block_on(healthcheck::probe(settings, path)) {
        Ok(status) => {
            drop(writeln!(io::stdout(), "{path}: {status}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "switchboard: {path}: {error}"));
            match error {
                healthcheck::HealthcheckError::Unhealthy(_) => ExitCode::FAILURE,
                healthcheck::HealthcheckError::Unreachable(_)
                | healthcheck::HealthcheckError::UnknownAddress(_) => ExitCode::from(UNREACHABLE),
            }
        }
    }
}

/// Prints the bookings; fails if a number is booked by no service, or lost.
fn verify_bookings(settings: &Settings) -> Result<ExitCode, StartError> {
    let report = System::new().block_on(app::verify_bookings(settings))?;
    drop(writeln!(io::stdout(), "{report}"));
    Ok(check_exit_code(report.is_clean()))
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

/// The exit code for an error that is not about settings.
fn exit_code(error: &StartError) -> ExitCode {
    let StartError::Store(error) = error else {
        return ExitCode::FAILURE;
    };
    ExitCode::from(match error {
        // Redis was reached, but denies access.
        StoreError::Unavailable(text) if AUTH_ERRORS.iter().any(|marker| text.contains(marker)) => {
            DENIED
        }
        StoreError::Denied(_) => DENIED,
        StoreError::Corrupt(_) => CORRUPT,
        StoreError::Bug(_) => INTERNAL,
        _ => UNREACHABLE,
    })
}
