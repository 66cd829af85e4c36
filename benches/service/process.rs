//! A child process, killed on drop, and its resource usage.

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

/// Timeout until the first response of a server.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// Interval of memory samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(5);
const KIB_PER_MIB: f64 = 1024.0;

/// A child process; killed on drop.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its output goes to a file in `directory`.
    ///
    /// # Errors
    /// If it cannot be started.
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

    /// Waits until `probe` succeeds.
    ///
    /// # Errors
    /// If the process exits or the timeout expires, with the end of its log.
    pub(crate) async fn wait_until_ready(&mut self, probe: impl AsyncFn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !probe().await {
            if self.child.try_wait()?.is_some() || started.elapsed() > START_TIMEOUT {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                let (name, last) = (self.name, last.join("\n"));
                return Err(format!("{name} does not respond; its log ends with\n{last}").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Waits until the process exits by itself, at most for `timeout`.
    #[expect(
        clippy::disallowed_methods,
        reason = "destructors cannot wait in another way, and nothing else happens at the end of a part"
    )]
    pub(crate) fn wait_for_exit(&mut self, timeout: Duration) {
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < timeout {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// CPU time of the process and of those that it started.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let processes = cpu::process_tree(self.child.id())?;
        processes.into_iter().map(cpu::process_seconds).sum()
    }

    /// The number of processes: this one and those that it started.
    pub(crate) fn count(&self) -> Result<usize> {
        Ok(cpu::process_tree(self.child.id())?.len())
    }

    /// Resident memory of all these processes now, in MiB. Pages that several processes share are divided among them.
    pub(crate) fn proportional_memory(&self) -> Result<f64> {
        let processes = cpu::process_tree(self.child.id())?;
        let sizes = processes
            .into_iter()
            .map(|pid| status(Path::new(&format!("/proc/{pid}/smaps_rollup")), "Pss:"));
        Ok(sizes.sum::<Result<f64>>()? / KIB_PER_MIB)
    }

    pub(crate) fn threads(&self) -> Result<f64> {
        status(&self.file("status"), "Threads:")
    }

    /// Resident memory now, in MiB.
    pub(crate) fn resident(&self) -> Result<f64> {
        Ok(status(&self.file("status"), "VmRSS:")? / KIB_PER_MIB)
    }

    /// Starts to sample the resident memory.
    pub(crate) fn sample_memory(&self) -> Result<MemorySampler> {
        // Resets the peak of the kernel if possible. The kernel's peak is exact; samples miss values in
        // between.
        let has_reset_peak = fs::write(self.file("clear_refs"), "5").is_ok();
        let sizes: &[&str] = if has_reset_peak {
            &["VmRSS:", "VmHWM:"]
        } else {
            &["VmRSS:"]
        };
        let file = self.file("status");
        let (stop, stopped) = channel();
        let sampler = thread::Builder::new().spawn(move || highest(&file, sizes, &stopped))?;
        Ok(MemorySampler { stop, sampler })
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
    sampler: JoinHandle<f64>,
}

impl MemorySampler {
    /// The highest value since the start, in MiB.
    pub(crate) fn stop(self) -> Result<f64> {
        drop(self.stop);
        let highest = self.sampler.join();
        let highest = highest.map_err(|_panic| "the memory sampler failed")?;
        if highest > 0.0 {
            return Ok(highest / KIB_PER_MIB);
        }
        Err("the process exited while its memory was sampled".into())
    }
}

fn highest(file: &Path, sizes: &[&str], stopped: &Receiver<()>) -> f64 {
    let mut highest = 0.0_f64;
    loop {
        for size in sizes {
            match status(file, size) {
                Ok(size) => highest = highest.max(size),
                Err(_) => return 0.0,
            }
        }
        if stopped.recv_timeout(SAMPLE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return highest;
        }
    }
}

/// A value of `/proc/<pid>/status`.
fn status(file: &Path, name: &str) -> Result<f64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the process has exited")?.parse()?)
}
