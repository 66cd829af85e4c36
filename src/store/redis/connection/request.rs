//! Requests over a multiplexed connection, and whether a failed one was written to it.

use std::{future::poll_fn, pin::pin};

use redis::{
    Cmd, Pipeline, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};

use super::{driver::DrivenConnection, errors::is_closed};

/// A command or a pipeline.
pub(super) trait Request: Sync {
    /// The reply; for a pipeline, one of each command.
    type Reply: Send;

    /// Sends the request and waits for its reply.
    fn send(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> impl Future<Output = RedisResult<Self::Reply>> + Send;
}

impl Request for Cmd {
    type Reply = Value;

    async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        self.query_async(connection).await
    }
}

impl Request for Pipeline {
    type Reply = Vec<RedisResult<Value>>;

    async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<Self::Reply> {
        let count = self.len();
        let replies = connection.req_packed_commands(self, 0, count).await?;
        Ok(replies.into_iter().map(Value::extract_error).collect())
    }
}

/// The result of sending a request.
pub(super) enum Exchange<T> {
    /// The reply, or an error after which the request may have been executed.
    Finished(RedisResult<T>),
    /// The connection was closed before anything of the request was written.
    NotWritten,
}

/// Sends a request over this connection.
pub(super) async fn exchange<R: Request>(
    request: &R,
    driven: &mut DrivenConnection,
) -> Exchange<R::Reply> {
    let written_before = driven.bytes_written();
    let mut polled = false;
    let (reply, is_immediate) = {
        let mut sending = pin!(request.send(&mut driven.connection));
        poll_fn(|context| {
            let is_first = !std::mem::replace(&mut polled, true);
            sending
                .as_mut()
                .poll(context)
                .map(|reply| (reply, is_first))
        })
        .await
    };
    match &reply {
        // Without a count of bytes (TLS): the client library writes in another task of this thread, so a request can
        // only fail at its first poll if that task has ended.
        Err(error)
            if is_closed(error)
                && written_before.map_or(is_immediate, |before| {
                    driven.bytes_written() == Some(before)
                }) =>
        {
            Exchange::NotWritten
        }
        _ => Exchange::Finished(reply),
    }
}
