//! A Redis of one test, on a port it keeps, that is killed, paused and started again.

use std::{
    env,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use redis::{Client, aio::MultiplexedConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{connection_config, eventually};

/// A server that may be there or not. Dropped, it is killed.
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
    /// One that is not there yet, with a folder for what it keeps.
    pub(crate) fn not_started() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        Self {
            port: port.unwrap().port(),
            folder: tempfile::tempdir().unwrap(),
            child: Mutex::default(),
        }
    }

    /// One that answers, with these lines of configuration.
    pub(crate) async fn start(options: &[(&str, &str)]) -> Self {
        let server = Self::not_started();
        server.spawn(options);
        eventually("Redis answers", async || server.connection().await).await;
        server
    }

    /// Starts it, and waits for nothing.
    #[expect(
        clippy::disallowed_methods,
        reason = "the variable that names the server of all other tests, which is no setting"
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

    /// Kills it, as a machine that loses its power.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Lets it do nothing, as a machine that is suspended, until it is told `CONT`.
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

    /// A connection; `None` while it does not serve.
    pub(crate) async fn connection(&self) -> Option<MultiplexedConnection> {
        let client = Client::open(self.url()).unwrap();
        let config = connection_config();
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connection.await.ok()?;
        let pong: redis::RedisResult<String> =
            redis::cmd("PING").query_async(&mut connection).await;
        // It serves, too, where it refuses a PING because it cannot save its data.
        let serves = pong
            .err()
            .is_none_or(|error| error.code() == Some("MISCONF"));
        serves.then_some(connection)
    }

    /// Whether it says that it loads what it had. Asked without a client, which would not say why it
    /// cannot connect.
    pub(crate) async fn is_loading(&self) -> bool {
        let mut said = [0; 8];
        let asked = async {
            let mut connection = TcpStream::connect(self.address()).await?;
            connection.write_all(b"GET anything\r\n").await?;
            connection.read_exact(&mut said).await
        };
        asked.await.is_ok() && said == *b"-LOADING"
    }

    /// Tells it one command.
    pub(crate) async fn command(&self, command: &[&str]) {
        let mut connection = self.connection().await.unwrap();
        let mut told = redis::cmd(command[0]);
        told.arg(&command[1..]);
        told.exec_async(&mut connection).await.unwrap();
    }
}
