//! CPU time in seconds, as the system counts it.

use std::fs;

use crate::Result;

/// Ticks of the CPU times in `/proc`, on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where `/proc/<pid>/stat` has the times of a process, after its name.
const STAT_FIELDS: usize = 11;
/// Which times of the machine are work: all but those of idling and of waiting for disks.
const BUSY_FIELDS: [usize; 6] = [0, 1, 2, 5, 6, 7];

/// What the threads of a process have used, in user and system mode.
pub(crate) fn process_seconds(pid: u32) -> Result<f64> {
    stat_ticks(&pid.to_string(), 2)
}

/// What the benchmark has used, and those processes it started that have ended.
pub(crate) fn benchmark_seconds() -> Result<f64> {
    stat_ticks("self", 4)
}

/// What anybody has used of this machine, and what its host withheld.
pub(crate) fn machine_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let times: Vec<&str> = line.ok_or(UNKNOWN)?.split_whitespace().collect();
    let work = BUSY_FIELDS
        .iter()
        .filter_map(|&index| times.get(index).copied());
    seconds(work)
}

const UNKNOWN: &str = "the system counts CPU time in an unknown way";

fn stat_ticks(process: &str, count: usize) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, in brackets, may contain anything.
    let (_, fields) = stat.rsplit_once(") ").ok_or(UNKNOWN)?;
    seconds(fields.split(' ').skip(STAT_FIELDS).take(count))
}

fn seconds<'a>(ticks: impl Iterator<Item = &'a str>) -> Result<f64> {
    let mut sum = 0.0;
    for ticks in ticks {
        sum += ticks.parse::<f64>()?;
    }
    Ok(sum / TICKS_PER_SECOND)
}
