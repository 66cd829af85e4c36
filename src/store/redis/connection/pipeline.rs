//! Pipelines: several commands in one round trip, if one server has all of their keys.

use futures_util::future::{join, join_all, try_join_all};
use redis::{Cmd, FromRedisValue, RedisResult, Value};

use super::{
    Connections,
    errors::{Redirect, store_error},
    multiplexed::Durability,
    parse_reply,
};
use crate::model::StoreError;

impl Connections {
    /// Sends commands in order, with replication like [`Connections::query_replicated`], and returns
    /// their replies. Stops at the first failure; later commands may or may not have been executed.
    ///
    /// # Errors
    /// The error of the first failed command.
    pub(in crate::store::redis) async fn pipeline_ordered(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        let _permit = self.acquire_permit()?;
        let commands = match self
            .pipeline_on_single_node(commands, Durability::Replicated)
            .await?
        {
            Pipeline::Sent(replies) => return into_values(replies),
            Pipeline::NotSent(commands) => commands,
        };
        let mut values = Vec::with_capacity(commands.len());
        for command in &commands {
            values.push(self.send(command, Durability::Replicated).await?);
        }
        Ok(values)
    }

    /// Sends commands in no particular order, and returns the replies in the order of the commands.
    ///
    /// # Errors
    /// The error of one failed command; others may or may not have been executed.
    pub(in crate::store::redis) async fn pipeline_unordered(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let _permit = self.acquire_permit()?;
        let commands = match self
            .pipeline_on_single_node(commands, Durability::Local)
            .await?
        {
            Pipeline::Sent(replies) => return into_values(replies),
            Pipeline::NotSent(commands) => commands,
        };
        let sends = commands
            .iter()
            .map(|command| self.send(command, Durability::Local));
        try_join_all(sends).await
    }

    /// Like [`Connections::pipeline_unordered`], but one failed command does not affect the replies of the others.
    ///
    /// # Errors
    /// An error of all commands.
    pub(in crate::store::redis) async fn pipeline_each(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let _permit = self.acquire_permit()?;
        let pipeline = self.pipeline_on_single_node(commands, Durability::Local);
        match pipeline.await? {
            Pipeline::Sent(replies) => {
                let replies = replies.into_iter();
                let replies = replies.map(|reply| reply.map_err(|error| store_error(&error)));
                Ok(replies.collect())
            }
            Pipeline::NotSent(commands) => {
                let send = |command| self.send(command, Durability::Local);
                Ok(join_all(commands.iter().map(send)).await)
            }
        }
    }

    /// Sends a command that updates the cleanup index, then a change, with replication like
    /// [`Connections::query_replicated`]. Only the reply of the change is significant: a Redis without
    /// free memory rejects the first command even if it accepts the second.
    ///
    /// # Errors
    /// The error of the change; if the index is unreachable, the change is not sent.
    pub(in crate::store::redis) async fn with_cleanup_index<T: FromRedisValue>(
        &self,
        index: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let _permit = self.acquire_permit()?;
        let both = match self
            .pipeline_on_single_node(vec![index, change], Durability::Replicated)
            .await?
        {
            Pipeline::Sent(replies) => return last_reply(replies),
            Pipeline::NotSent(commands) => commands,
        };
        let [index, change] = both.as_slice() else {
            return Err(StoreError::Bug("commands missing".to_owned()));
        };
        self.update_index(index).await?;
        parse_reply(self.send(change, Durability::Replicated).await?)
    }

    /// Like [`Connections::with_cleanup_index`], with an additional command that updates the list of
    /// services, whose failure is ignored. The `index` command is optional.
    ///
    /// # Errors
    /// See [`Connections::with_cleanup_index`].
    pub(in crate::store::redis) async fn with_cleanup_index_and_listing<T: FromRedisValue>(
        &self,
        index: Option<Cmd>,
        list: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let _permit = self.acquire_permit()?;
        let all = index.into_iter().chain([list, change]).collect();
        let all = match self
            .pipeline_on_single_node(all, Durability::Replicated)
            .await?
        {
            Pipeline::Sent(replies) => return last_reply(replies),
            Pipeline::NotSent(commands) => commands,
        };
        let [first @ .., list, change] = all.as_slice() else {
            return Err(StoreError::Bug("commands missing".to_owned()));
        };
        for index in first {
            self.update_index(index).await?;
        }
        let list = self.send(list, Durability::Local);
        let change = self.send(change, Durability::Replicated);
        let (_listed, changed) = join(list, change).await;
        parse_reply(changed?)
    }

    async fn update_index(&self, index: &Cmd) -> Result<(), StoreError> {
        match self.send(index, Durability::Local).await {
            Ok(_) | Err(StoreError::Full(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sends all commands to the server that has all keys. Returns them if there is more than one server.
    async fn pipeline_on_single_node(
        &self,
        commands: Vec<Cmd>,
        durability: Durability,
    ) -> Result<Pipeline, StoreError> {
        let map = self.cluster.slot_map();
        let Some(node) = map.single_node() else {
            return Ok(Pipeline::NotSent(commands));
        };
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command);
        }
        let replies = self.note_failure(node.shared.send_all(&pipeline, durability).await)?;
        let replies = replies.map_err(|error| store_error(&error))?;
        if let Some(Err(error)) = replies.iter().find(|reply| reply.is_err())
            && Redirect::from_error(error).is_some()
        {
            self.cluster.refresh_requested.notify_one();
        }
        Ok(Pipeline::Sent(replies))
    }
}

/// The result of an attempt to send commands together.
enum Pipeline {
    /// The replies, in the order of the commands.
    Sent(Vec<RedisResult<Value>>),
    /// The commands, because their keys are on several servers.
    NotSent(Vec<Cmd>),
}

fn into_values(replies: Vec<RedisResult<Value>>) -> Result<Vec<Value>, StoreError> {
    let replies: RedisResult<Vec<Value>> = replies.into_iter().collect();
    replies.map_err(|error| store_error(&error))
}

/// The reply of the last command of a pipeline.
fn last_reply<T: FromRedisValue>(replies: Vec<RedisResult<Value>>) -> Result<T, StoreError> {
    let last = replies.into_iter().next_back();
    let last = last.unwrap_or(Ok(Value::Nil));
    parse_reply(last.map_err(|error| store_error(&error))?)
}
