//! Several commands at a time: one round trip where one server has all of the data.

use futures_util::future::{join, try_join_all};
use redis::{Cmd, FromRedisValue, RedisResult, Value};

use super::{
    Connections,
    errors::{Elsewhere, store_error},
    lane::Write,
    typed,
};
use crate::store::StoreError;

impl Connections {
    /// Commands that are done in their order, and kept as by [`Connections::change`]; each one's reply.
    /// The first that fails ends it, and those behind it may have been done or not.
    ///
    /// # Errors
    /// That of the first that fails.
    pub(in crate::store::redis) async fn in_turn(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        let _place = self.place()?;
        if let Some(replies) = self.by_one_server(&commands, Write::Kept).await? {
            return all_of(replies);
        }
        let mut values = Vec::with_capacity(commands.len());
        for command in &commands {
            values.push(self.value(command, Write::Kept).await?);
        }
        Ok(values)
    }

    /// Commands that are done in any order; each one's reply, in the order of the commands.
    ///
    /// # Errors
    /// That of one that fails; others may have been done or not.
    pub(in crate::store::redis) async fn at_once(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let _place = self.place()?;
        if let Some(replies) = self.by_one_server(&commands, Write::Done).await? {
            return all_of(replies);
        }
        let each = commands.iter().map(|each| self.value(each, Write::Done));
        try_join_all(each).await
    }

    /// A command that keeps the index, then one that changes something, kept as by
    /// [`Connections::change`]. Only the reply of the second counts: a Redis without memory refuses the
    /// first where it must not refuse the second.
    ///
    /// # Errors
    /// That of the second; where the index cannot be reached at all the second is not sent.
    pub(in crate::store::redis) async fn indexed<T: FromRedisValue>(
        &self,
        index: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.place()?;
        let both = [index, change];
        if let Some(replies) = self.by_one_server(&both, Write::Kept).await? {
            return last_of(replies);
        }
        let [index, change] = &both;
        self.keep_index(index).await?;
        typed(self.value(change, Write::Kept).await?)
    }

    /// The same with a command beside that keeps a list, whose failure means nothing. Not everything has
    /// an `index` to keep.
    ///
    /// # Errors
    /// As [`Connections::indexed`].
    pub(in crate::store::redis) async fn listed<T: FromRedisValue>(
        &self,
        index: Option<Cmd>,
        list: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.place()?;
        let all: Vec<Cmd> = index.into_iter().chain([list, change]).collect();
        if let Some(replies) = self.by_one_server(&all, Write::Kept).await? {
            return last_of(replies);
        }
        let [first @ .., list, change] = all.as_slice() else {
            return Err(StoreError::Bug("commands were lost".to_owned()));
        };
        for index in first {
            self.keep_index(index).await?;
        }
        let list = self.value(list, Write::Done);
        let change = self.value(change, Write::Kept);
        let (_listed, changed) = join(list, change).await;
        typed(changed?)
    }

    async fn keep_index(&self, index: &Cmd) -> Result<(), StoreError> {
        match self.value(index, Write::Done).await {
            Ok(_) | Err(StoreError::Full(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The replies of all commands from the server that has everything; `None` where there is more than
    /// one.
    async fn by_one_server(
        &self,
        commands: &[Cmd],
        write: Write,
    ) -> Result<Option<Vec<RedisResult<Value>>>, StoreError> {
        let map = self.world.map();
        let Some(node) = map.sole() else {
            return Ok(None);
        };
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let replies = self.heeded(node.lane.send_all(&pipeline, write).await)?;
        let replies = replies.map_err(|error| store_error(&error))?;
        if let Some(Err(error)) = replies.iter().find(|reply| reply.is_err())
            && Elsewhere::of(error).is_some()
        {
            self.world.call.notify_one();
        }
        Ok(Some(replies))
    }
}

fn all_of(replies: Vec<RedisResult<Value>>) -> Result<Vec<Value>, StoreError> {
    let replies: RedisResult<Vec<Value>> = replies.into_iter().collect();
    replies.map_err(|error| store_error(&error))
}

/// The reply that counts of a pipeline whose last command is what was asked for.
fn last_of<T: FromRedisValue>(replies: Vec<RedisResult<Value>>) -> Result<T, StoreError> {
    let last = replies.into_iter().next_back();
    let last = last.unwrap_or(Ok(Value::Nil));
    typed(last.map_err(|error| store_error(&error))?)
}
