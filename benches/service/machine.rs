//! The environment of a run: the machine, the versions, the commit.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use crate::Result;

/// One line about the environment.
///
/// # Errors
/// If the number of cores is unknown.
pub(crate) fn line() -> Result<String> {
    let cores = thread::available_parallelism()?;
    let model = cpu_model().unwrap_or_else(|| "CPU of unknown model".to_owned());
    let redis = output("redis-server", &["--version"]);
    let redis = redis.and_then(|text| word_after(&text, "v="));
    let wrk = output("wrk", &["-v"]).and_then(|text| word_after(&text, "wrk "));
    let versions = [
        ("redis-server", redis),
        ("wrk", wrk),
        ("webdis", webdis_version()),
    ];
    let versions = versions.map(|(name, version)| match version {
        Some(version) => format!("{name} {version}"),
        None => format!("{name} of unknown version"),
    });
    let commit = commit().map(|commit| format!(" | commit {commit}"));
    Ok(format!(
        "{cores} cores, {model}, {} | {}{}",
        load_average(),
        versions.join(", "),
        commit.unwrap_or_default(),
    ))
}

/// Whether `tool` is installed, see [`find_program`].
pub(crate) fn is_installed(tool: &str) -> bool {
    find_program(tool).is_some()
}

/// The folder where `make tools-bench` installs what is not a package of the system.
pub(crate) const BENCH_TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench-tools");

/// The file of a program: in the path, in `/usr/sbin`, which is not in the path of every user, or in [`BENCH_TOOLS`].
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let others = [
        PathBuf::from("/usr/sbin"),
        Path::new(BENCH_TOOLS).join("bin"),
    ];
    let mut directories = env::split_paths(&path).chain(others);
    directories.find_map(|directory| Some(directory.join(name)).filter(|file| file.is_file()))
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The load average before this run.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = text.split(' ').next().unwrap_or("?");
    format!("load average before {minute}")
}

/// webdis has no option for its version.
fn webdis_version() -> Option<String> {
    if !is_installed("webdis") {
        return Some("not installed".to_owned());
    }
    output("dpkg-query", &["-W", "-f=${Version}", "webdis"])
}

/// The commit of this build, and whether the tree has uncommitted changes.
fn commit() -> Option<String> {
    let home = env!("CARGO_MANIFEST_DIR");
    let commit = output("git", &["-C", home, "rev-parse", "--short", "HEAD"])?;
    let changed = output(
        "git",
        &["--no-optional-locks", "-C", home, "status", "--porcelain"],
    )
    .is_some();
    let changed = if changed { " with changes" } else { "" };
    Some(format!("{commit}{changed}"))
}

/// The output of a command, if any. The exit code is ignored: `wrk -v` exits with 1.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::null());
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn word_after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    Some(rest.split_whitespace().next()?.to_owned())
}
