//! A process that was started here: it is told to end by its handle, whatever happens, and what the
//! system knows of it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Result, cpu};

/// How long a server may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// How often memory is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(5);
const KIB_PER_MIB: f64 = 1024.0;

/// Dropped, the process is dead.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it writes goes to a file in `directory`.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        directory: &Path,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?);
        let child = command.stderr(file).spawn();
        let child = child.map_err(|error| format!("{name} cannot be started: {error}"))?;
        Ok(Self { name, child, log })
    }

    /// Returns when it answers `probe`.
    ///
    /// # Errors
    /// Where it ends or takes too long, with the end of its log.
    pub(crate) async fn wait_until_ready(&mut self, probe: impl AsyncFn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !probe().await {
            if self.child.try_wait()?.is_some() || started.elapsed() > START_TIMEOUT {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                let (name, last) = (self.name, last.join("\n"));
                return Err(format!("{name} does not answer; its log ends with\n{last}").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu::process_seconds(self.child.id())
    }

    pub(crate) fn threads(&self) -> Result<f64> {
        status(&self.file("status"), "Threads:")
    }

    /// Resident memory now, in MiB.
    pub(crate) fn resident(&self) -> Result<f64> {
        Ok(status(&self.file("status"), "VmRSS:")? / KIB_PER_MIB)
    }

    /// Looks at its resident memory from now on.
    pub(crate) fn sample_memory(&self) -> Result<MemorySampler> {
        // The kernel forgets the highest so far, where it can. What it keeps from now on is more than
        // samples show, which miss what falls between them.
        let forgotten = fs::write(self.file("clear_refs"), "5").is_ok();
        let sizes: &[&str] = if forgotten {
            &["VmRSS:", "VmHWM:"]
        } else {
            &["VmRSS:"]
        };
        let file = self.file("status");
        let (stop, stopped) = channel();
        let watcher = thread::Builder::new().spawn(move || highest(&file, sizes, &stopped))?;
        Ok(MemorySampler { stop, watcher })
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A thread that samples the memory of a process.
pub(crate) struct MemorySampler {
    stop: Sender<()>,
    watcher: JoinHandle<f64>,
}

impl MemorySampler {
    /// The highest since the watch began, in MiB.
    pub(crate) fn stop(self) -> Result<f64> {
        drop(self.stop);
        let highest = self.watcher.join();
        let highest = highest.map_err(|_panic| "the watch on memory failed")?;
        if highest > 0.0 {
            return Ok(highest / KIB_PER_MIB);
        }
        Err("the process ended while its memory was watched".into())
    }
}

fn highest(file: &Path, sizes: &[&str], stopped: &Receiver<()>) -> f64 {
    let mut highest = 0.0_f64;
    loop {
        for size in sizes {
            match status(file, size) {
                Ok(now) => highest = highest.max(now),
                Err(_) => return 0.0,
            }
        }
        if stopped.recv_timeout(SAMPLE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return highest;
        }
    }
}

/// A number of `/proc/<pid>/status`.
fn status(file: &Path, name: &str) -> Result<f64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the process has ended")?.parse()?)
}
