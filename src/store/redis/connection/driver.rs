//! A multiplexed connection and its driver task.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, RedisConnectionInfo, RedisResult,
    aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};

use super::write_coalescing::CoalescingStream;

/// A connection shared by many requests. It is closed when the last clone is dropped.
#[derive(Clone)]
pub(super) struct DrivenConnection {
    pub(super) connection: MultiplexedConnection,
    /// `None` if the client library runs the task.
    driver: Option<Arc<DriverTask>>,
}

impl DrivenConnection {
    /// The number of bytes written so far; `None` if the client library runs the task.
    pub(super) fn bytes_written(&self) -> Option<u64> {
        let driver = self.driver.as_ref()?;
        Some(driver.written.load(Relaxed))
    }

    /// Whether the connection is known to be closed.
    pub(super) fn is_closed(&self) -> bool {
        let driver = self.driver.as_ref();
        driver.is_some_and(|driver| driver.task.is_finished())
    }

    /// Opens a connection that coalesces its writes, if the underlying stream is accessible; that of TLS
    /// is not.
    pub(super) async fn open(client: &Client, config: &AsyncConnectionConfig) -> RedisResult<Self> {
        let info = client.get_connection_info();
        let settings = info.redis_settings();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = CoalescingStream::connect_tcp(host, *port).await?;
                Self::from_stream(stream, settings, config).await
            }
            ConnectionAddr::Unix(path) => {
                let stream = CoalescingStream::connect_unix(path).await?;
                Self::from_stream(stream, settings, config).await
            }
            _ => {
                let connection = client.get_multiplexed_async_connection_with_config(config);
                Ok(Self {
                    connection: connection.await?,
                    driver: None,
                })
            }
        }
    }

    async fn from_stream(
        stream: CoalescingStream<impl AsyncRead + AsyncWrite + Send + Unpin + 'static>,
        settings: &RedisConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let (config, written) = (config.clone(), stream.written());
        let opened = MultiplexedConnection::new_with_config(settings, stream, config).await;
        let (connection, driver) = opened?;
        let task = tokio::spawn(driver);
        Ok(Self {
            connection,
            driver: Some(Arc::new(DriverTask { task, written })),
        })
    }
}

/// The task that writes requests and reads responses. It is aborted with the connection: otherwise it
/// would wait for the outstanding responses of a dead server.
struct DriverTask {
    task: JoinHandle<()>,
    written: Arc<AtomicU64>,
}

impl Drop for DriverTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}
