//! What all parts of the benchmark need: a directory that goes away again, and how long a round is.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use crate::{Result, machine::is_installed};

const ROUND_SECONDS_VARIABLE: &str = "SWITCHBOARD_BENCH_SECONDS";

/// Where files of this run are put, and what was chosen for it. Dropped, the files are gone.
pub(crate) struct Setup {
    directory: PathBuf,
    /// How long `wrk` loads a server in one round.
    pub(crate) round: Duration,
    /// Whether there is a peer to be compared with.
    pub(crate) webdis: bool,
}

impl Setup {
    /// Sees to it that the run can begin.
    ///
    /// # Errors
    /// What has to be installed, or that the variable says no number of seconds.
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
