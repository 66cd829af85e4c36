//! A multiplexed connection and its driver task.

use std::sync::Arc;

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
    _driver: Option<Arc<DriverTask>>,
}

impl DrivenConnection {
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
                    _driver: None,
                })
            }
        }
    }

    async fn from_stream(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        settings: &RedisConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let config = config.clone();
        let opened = MultiplexedConnection::new_with_config(settings, stream, config).await;
        let (connection, driver) = opened?;
        Ok(Self {
            connection,
            _driver: Some(Arc::new(DriverTask(tokio::spawn(driver)))),
        })
    }
}

/// The task that writes requests and reads responses. It is aborted with the connection: otherwise it
/// would wait for the outstanding responses of a dead server.
struct DriverTask(JoinHandle<()>);

impl Drop for DriverTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
