//! CPU time in seconds, from `/proc`.

use std::fs;

use crate::Result;

/// Ticks of the CPU times in `/proc`, the same on every current Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// Index of the times in `/proc/<pid>/stat`, after the name of the process.
const STAT_FIELDS: usize = 11;
/// Indexes of the busy times of the machine: all except idle and iowait.
const BUSY_FIELDS: [usize; 6] = [0, 1, 2, 5, 6, 7];

/// User and system time of all threads of a process.
pub(crate) fn process_seconds(pid: u32) -> Result<f64> {
    stat_ticks(&pid.to_string(), 2)
}

/// CPU time of the benchmark and of the processes that it started and that have ended.
pub(crate) fn benchmark_seconds() -> Result<f64> {
    stat_ticks("self", 4)
}

/// CPU time of all processes of this machine, and stolen time.
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

const UNKNOWN: &str = "unknown format of CPU times";

fn stat_ticks(process: &str, count: usize) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The program name, in parentheses, can contain any characters.
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
