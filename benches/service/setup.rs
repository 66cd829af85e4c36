//! The setup of all parts: a temporary directory, and the duration of a round.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use crate::{Result, machine::is_installed};

const ROUND_SECONDS_VARIABLE: &str = "SWITCHBOARD_BENCH_SECONDS";

/// The directory and the options of a run; the directory is deleted on drop.
pub(crate) struct Setup {
    directory: PathBuf,
    /// Duration of the load of one round.
    pub(crate) round: Duration,
    /// Whether webdis is available for comparison.
    pub(crate) webdis: bool,
}

impl Setup {
    /// Checks the requirements and creates the directory.
    ///
    /// # Errors
    /// A missing tool, or an invalid duration in the variable.
    pub(crate) fn new() -> Result<Self> {
        for (tool, package) in [("wrk", "wrk"), ("redis-server", "redis-server")] {
            if !is_installed(tool) {
                let hint = format!("apt-get install {package}");
                return Err(format!("{tool} is not installed; on Debian: {hint}").into());
            }
        }
        let round = round_duration()?;
        let name = format!("bench-service-{}", process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            round,
            webdis: is_installed("webdis"),
        })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the benchmark, not of the service"
)]
fn round_duration() -> Result<Duration> {
    let Ok(text) = env::var(ROUND_SECONDS_VARIABLE) else {
        return Ok(Duration::from_secs(5));
    };
    match text.parse() {
        Ok(seconds @ 1..=60) => Ok(Duration::from_secs(seconds)),
        _ => Err(
            format!("{ROUND_SECONDS_VARIABLE} is {text:?}; expected a number from 1 to 60").into(),
        ),
    }
}
