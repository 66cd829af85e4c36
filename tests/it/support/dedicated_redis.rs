//! A Redis of one test, on a fixed port, that can be killed, paused and restarted.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use redis::{Client, aio::MultiplexedConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{connection_config, eventually, ports::free_port};

/// With these options Redis writes every change to disk before it acknowledges it.
pub(crate) const DURABLE: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "always")];

/// A Redis server that may not run; killed on drop.
pub(crate) struct DedicatedRedis {
    port: u16,
    folder: TempDir,
    child: Mutex<Option<Child>>,
}

impl Drop for DedicatedRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl DedicatedRedis {
    /// A server that is not started yet, with a folder for its data.
    pub(crate) fn not_started() -> Self {
        Self {
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
            child: Mutex::default(),
        }
    }

    /// Starts a server with these configuration options and waits until it responds.
    pub(crate) async fn start(options: &[(&str, &str)]) -> Self {
        let server = Self::not_started();
        server.spawn(options);
        eventually("Redis responds", async || server.connection().await).await;
        server
    }

    /// Starts the server without waiting.
    #[expect(
        clippy::disallowed_methods,
        reason = "the variable is not a setting; it selects the Redis server of all tests"
    )]
    pub(crate) fn spawn(&self, options: &[(&str, &str)]) {
        let program = env::var("REDISRS_SERVER_BIN").unwrap_or("redis-server".to_owned());
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        for (name, value) in options {
            command.args([&format!("--{name}"), *value]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let running = command.stderr(Stdio::null()).spawn().unwrap();
        *self.child.lock().unwrap() = Some(running);
    }

    /// Kills the server, like a power failure.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Sends a signal: `STOP` suspends the server until `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().as_ref().unwrap().id();
        let line = format!("kill -{name} {id}");
        let sent = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// A connection; `None` while the server does not serve.
    pub(crate) async fn connection(&self) -> Option<MultiplexedConnection> {
        let client = Client::open(self.url()).unwrap();
        let config = connection_config();
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connection.await.ok()?;
        let pong: redis::RedisResult<String> =
            redis::cmd("PING").query_async(&mut connection).await;
        // A server that refuses PING because it cannot save its data still serves.
        let is_serving = pong
            .err()
            .is_none_or(|error| error.code() == Some("MISCONF"));
        is_serving.then_some(connection)
    }

    /// Whether the server is loading its data. Tested without a client, which would not return the reason
    /// of a failed connection.
    pub(crate) async fn is_loading(&self) -> bool {
        let mut reply = [0; 8];
        let exchange = async {
            let mut connection = TcpStream::connect(self.address()).await?;
            connection.write_all(b"GET anything\r\n").await?;
            connection.read_exact(&mut reply).await
        };
        exchange.await.is_ok() && reply == *b"-LOADING"
    }

    /// Runs a command.
    pub(crate) async fn command(&self, command: &[&str]) {
        let mut connection = self.connection().await.unwrap();
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.exec_async(&mut connection).await.unwrap();
    }
}
