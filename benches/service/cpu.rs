//! CPU time in seconds, from `/proc`.

use std::fs;

use crate::Result;

/// Ticks of the CPU times in `/proc`, the same on every current Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// Index of the times in `/proc/<pid>/stat`, after the name of the process.
const STAT_FIELDS: usize = 11;
/// Indexes of the busy times of the machine: all except idle and iowait.
const BUSY_FIELDS: [usize; 6] = [0, 1, 2, 5, 6, 7];

/// Index of the parent in the same fields.
const PARENT_FIELD: usize = 1;

/// A process and all processes that it started, directly or not.
pub(crate) fn process_tree(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // Other processes can exit meanwhile.
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some(parent) = stat_fields(&stat)?.nth(PARENT_FIELD)
        {
            parents.push((pid, parent.parse::<u32>()?));
        }
    }
    let (mut tree, mut next) = (vec![root], 0);
    while let Some(&parent) = tree.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        tree.extend(children.map(|(pid, _)| pid));
        next += 1;
    }
    Ok(tree)
}

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
    seconds(stat_fields(&stat)?.skip(STAT_FIELDS).take(count))
}

/// The fields of `/proc/<pid>/stat` after the program name, which is in parentheses and can contain any characters.
fn stat_fields(stat: &str) -> Result<impl Iterator<Item = &str>> {
    let (_, fields) = stat.rsplit_once(") ").ok_or(UNKNOWN)?;
    Ok(fields.split(' '))
}

fn seconds<'a>(ticks: impl Iterator<Item = &'a str>) -> Result<f64> {
    let mut sum = 0.0;
    for ticks in ticks {
        sum += ticks.parse::<f64>()?;
    }
    Ok(sum / TICKS_PER_SECOND)
}
