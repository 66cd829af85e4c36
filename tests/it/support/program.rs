//! The program, run as users run it.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use serde_json::Value;

use super::{LONG_TIMEOUTS, eventually, random_prefix};

/// The output lines of a stream.
type Lines = Arc<Mutex<Vec<String>>>;

/// Selects the TLS implementation of all clients of the tests, which `reqwest` requires also without TLS.
pub(crate) fn install_crypto_provider() {
    // It fails if another test has installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The running program; killed on drop.
pub(crate) struct Program {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// Exit code and output of the program.
pub(crate) struct ExitedProgram {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Program {
    /// Runs the program with these arguments and these settings (`section.key`, value), in an otherwise
    /// empty environment.
    pub(crate) fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::run_with_environment(arguments, settings, &[])
    }

    /// The same with further environment variables.
    fn run_with_environment(
        arguments: &[&str],
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        command.args(arguments);
        Self::spawn(command, settings, environment)
    }

    /// As [`Program::serve`], with this soft limit of open files.
    pub(crate) fn serve_with_files(count: u32) -> Self {
        let mut command = Command::new("/bin/sh");
        let line = format!("ulimit -Sn {count} && exec \"$0\"");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_switchboard")]);
        Self::spawn(command, &Self::serving(&[]), &[])
    }

    /// A free port, no drain time, and no log of requests that are slow on a busy machine.
    const SERVING: [(&str, &str); 4] = [
        ("server.listen", "127.0.0.1:0"),
        ("server.workers", "1"),
        ("server.drain_seconds", "0"),
        ("log.slow_request_ms", "60000"),
    ];

    /// The settings of a program that serves, with further ones.
    fn serving<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&LONG_TIMEOUTS[..], &Self::SERVING, settings].concat()
    }

    fn spawn(
        mut command: Command,
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        install_crypto_provider();
        command.env_clear();
        command.envs(environment.iter().copied());
        for (setting, value) in settings {
            let name = setting.replace('.', "__").to_uppercase();
            command.env(format!("SWITCHBOARD__{name}"), value);
        }
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let readers = vec![
            read(child.stdout.take().unwrap(), &stdout),
            read(child.stderr.take().unwrap(), &stderr),
        ];
        Self {
            child,
            stdout,
            stderr,
            readers,
        }
    }

    /// Serves on a free port and stops without draining, with further settings.
    pub(crate) fn serve(settings: &[(&str, &str)]) -> Self {
        Self::serve_with_environment(settings, &[])
    }

    /// The same on the Redis at `url`, with a prefix of its own.
    pub(crate) fn serve_on(url: &str, settings: &[(&str, &str)]) -> Self {
        let prefix = random_prefix();
        let redis = [("redis.url", url), ("redis.prefix", prefix.as_str())];
        Self::serve(&[&redis, settings].concat())
    }

    /// [`Program::serve`] with further environment variables.
    pub(crate) fn serve_with_environment(
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::run_with_environment(&[], &Self::serving(settings), environment)
    }

    /// The public address, from the log.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        self.logged_address("address").await
    }

    /// The private address, from the log.
    pub(crate) async fn private_address(&mut self) -> SocketAddr {
        self.logged_address("private").await
    }

    async fn logged_address(&mut self, field: &str) -> SocketAddr {
        eventually("it logs its address", async || {
            let lines = self.stderr.lock().unwrap().clone();
            assert_eq!(self.child.try_wait().unwrap(), None, "{lines:#?}");
            let address = lines.iter().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                Some(line[field].as_str()?.to_owned())
            });
            address.map(|address| address.parse().unwrap())
        })
        .await
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(sent.success());
    }

    /// The number of log lines so far that contain this text.
    pub(crate) fn count_log_events(&self, what: &str) -> usize {
        let lines = self.stderr.lock().unwrap();
        lines.iter().filter(|line| line.contains(what)).count()
    }

    /// The log lines so far with this message.
    pub(crate) fn log_events(&self, message: &str) -> Vec<Value> {
        let lines = self.stderr.lock().unwrap();
        let lines = lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines
            .filter(|line: &Value| line["message"] == message)
            .collect()
    }

    /// Waits for a log line with this message for which `is_expected` holds.
    pub(crate) async fn wait_for_log_event(
        &self,
        message: &str,
        is_expected: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("{message:?} is logged"), async || {
            let mut lines = self.log_events(message).into_iter();
            lines.find(&is_expected)
        })
        .await
    }

    /// Whether the program still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the program has exited.
    pub(crate) async fn wait(mut self) -> ExitedProgram {
        let child = &mut self.child;
        let status = eventually("it exits", async || child.try_wait().unwrap()).await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        ExitedProgram {
            code: status.code(),
            stdout: self.stdout.lock().unwrap().join("\n"),
            stderr: self.stderr.lock().unwrap().join("\n"),
        }
    }
}

impl ExitedProgram {
    /// The log messages of this level.
    pub(crate) fn log_messages(&self, level: &str) -> Vec<String> {
        let lines = self
            .stderr
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let matching = lines.filter(|line| line["level"] == level);
        matching
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

fn read(stream: impl Read + Send + 'static, lines: &Lines) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line.unwrap());
        }
    })
}
