//! A connection of a lane, and the task behind it.

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

/// A connection that many requests share. The last clone dropped, it is closed.
#[derive(Clone)]
pub(super) struct DrivenConnection {
    pub(super) connection: MultiplexedConnection,
    /// None where the client sees to it.
    _driver: Option<Arc<DriverTask>>,
}

impl DrivenConnection {
    /// Opens one whose requests leave together, where the stream under it can be had; that under TLS
    /// cannot.
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

/// The task that writes what is asked and reads what is answered. It is ended with the connection: by
/// itself it would wait for what a dead server owes.
struct DriverTask(JoinHandle<()>);

impl Drop for DriverTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
