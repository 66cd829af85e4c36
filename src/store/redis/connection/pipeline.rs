//! Several commands at a time: one round trip where one server has all of the data.

use futures_util::future::{join, try_join_all};
use redis::{Cmd, FromRedisValue, RedisResult, Value};

use super::{
    Connections,
    errors::{Redirect, store_error},
    multiplexed::Durability,
    parse_reply,
};
use crate::store::StoreError;

impl Connections {
    /// Commands that are done in their order, and kept as by [`Connections::change`]; each one's reply.
    /// The first that fails ends it, and those behind it may have been done or not.
    ///
    /// # Errors
    /// That of the first that fails.
    pub(in crate::store::redis) async fn pipeline_ordered(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        let _place = self.acquire_permit()?;
        if let Some(replies) = self
            .pipeline_on_single_node(&commands, Durability::Replicated)
            .await?
        {
            return into_values(replies);
        }
        let mut values = Vec::with_capacity(commands.len());
        for command in &commands {
            values.push(self.send(command, Durability::Replicated).await?);
        }
        Ok(values)
    }

    /// Commands that are done in any order; each one's reply, in the order of the commands.
    ///
    /// # Errors
    /// That of one that fails; others may have been done or not.
    pub(in crate::store::redis) async fn pipeline_unordered(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let _place = self.acquire_permit()?;
        if let Some(replies) = self
            .pipeline_on_single_node(&commands, Durability::Local)
            .await?
        {
            return into_values(replies);
        }
        let each = commands
            .iter()
            .map(|each| self.send(each, Durability::Local));
        try_join_all(each).await
    }

    /// A command that keeps the index, then one that changes something, kept as by
    /// [`Connections::change`]. Only the reply of the second counts: a Redis without memory refuses the
    /// first where it must not refuse the second.
    ///
    /// # Errors
    /// That of the second; where the index cannot be reached at all the second is not sent.
    pub(in crate::store::redis) async fn with_cleanup_index<T: FromRedisValue>(
        &self,
        index: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.acquire_permit()?;
        let both = [index, change];
        if let Some(replies) = self
            .pipeline_on_single_node(&both, Durability::Replicated)
            .await?
        {
            return last_reply(replies);
        }
        let [index, change] = &both;
        self.update_index(index).await?;
        parse_reply(self.send(change, Durability::Replicated).await?)
    }

    /// The same with a command beside that keeps a list, whose failure means nothing. Not everything has
    /// an `index` to keep.
    ///
    /// # Errors
    /// As [`Connections::indexed`].
    pub(in crate::store::redis) async fn with_cleanup_index_and_listing<T: FromRedisValue>(
        &self,
        index: Option<Cmd>,
        list: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.acquire_permit()?;
        let all: Vec<Cmd> = index.into_iter().chain([list, change]).collect();
        if let Some(replies) = self
            .pipeline_on_single_node(&all, Durability::Replicated)
            .await?
        {
            return last_reply(replies);
        }
        let [first @ .., list, change] = all.as_slice() else {
            return Err(StoreError::Bug("commands were lost".to_owned()));
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

    /// The replies of all commands from the server that has everything; `None` where there is more than
    /// one.
    async fn pipeline_on_single_node(
        &self,
        commands: &[Cmd],
        write: Durability,
    ) -> Result<Option<Vec<RedisResult<Value>>>, StoreError> {
        let map = self.cluster.slot_map();
        let Some(node) = map.single_node() else {
            return Ok(None);
        };
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let replies = self.note_failure(node.shared.send_all(&pipeline, write).await)?;
        let replies = replies.map_err(|error| store_error(&error))?;
        if let Some(Err(error)) = replies.iter().find(|reply| reply.is_err())
            && Redirect::from_error(error).is_some()
        {
            self.cluster.refresh_requested.notify_one();
        }
        Ok(Some(replies))
    }
}

fn into_values(replies: Vec<RedisResult<Value>>) -> Result<Vec<Value>, StoreError> {
    let replies: RedisResult<Vec<Value>> = replies.into_iter().collect();
    replies.map_err(|error| store_error(&error))
}

/// The reply that counts of a pipeline whose last command is what was asked for.
fn last_reply<T: FromRedisValue>(replies: Vec<RedisResult<Value>>) -> Result<T, StoreError> {
    let last = replies.into_iter().next_back();
    let last = last.unwrap_or(Ok(Value::Nil));
    parse_reply(last.map_err(|error| store_error(&error))?)
}
