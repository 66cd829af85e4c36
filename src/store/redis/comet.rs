//! Sessions of the Bayeux protocol: the hashes `comet:{user}` and `comet:{user}:<secret>`, in one slot.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, ParsingError, Value, from_redis_value};

use super::{
    RedisStore, millis,
    scripts::{
        ADD_PUSHED_CHAT, CLOSE_SESSION, CONNECT_SESSION, LuaScript, OPEN_SESSION, RECORD_SENT,
        SET_SUBSCRIPTION, evalsha,
    },
};
use crate::{
    model::{
        ServiceId, StoreError,
        comet::{
            CometChat, CometReceipt, CometReply, CometSession, CometSessionId, CometUser,
            MAX_CHATS_PER_USER, MAX_SESSIONS_PER_USER, SentChat,
        },
    },
    store::CometStore,
};

#[async_trait]
impl CometStore for RedisStore {
    async fn open_session(
        &self,
        id: &CometSessionId,
        has_ack: bool,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let mut open = self.session_script(&OPEN_SESSION, id);
        open.arg(u8::from(has_ack)).arg(millis(ttl));
        open.arg(MAX_SESSIONS_PER_USER);
        self.redis.query_replicated(&open).await
    }

    async fn connect_session(
        &self,
        id: &CometSessionId,
        receipt: CometReceipt,
        wait: Duration,
        ttl: Duration,
    ) -> Result<CometReply<CometSession>, StoreError> {
        let mut connect = self.session_script(&CONNECT_SESSION, id);
        connect.arg("");
        match receipt {
            CometReceipt::NotReceived => connect.arg("lost"),
            CometReceipt::Received => connect.arg("received"),
            CometReceipt::Batch(number) => connect.arg(number),
        };
        connect.arg(millis(wait)).arg(millis(ttl));
        let reply: ParsedReply<CometSession> = self.redis.query_replicated(&connect).await?;
        Ok(reply.0)
    }

    async fn refresh_session(
        &self,
        id: &CometSessionId,
        generation: u64,
    ) -> Result<CometReply<CometSession>, StoreError> {
        let mut refresh = self.session_script(&CONNECT_SESSION, id);
        refresh.arg(generation);
        let reply: ParsedReply<CometSession> = self.redis.query(&refresh).await?;
        Ok(reply.0)
    }

    async fn record_sent(
        &self,
        id: &CometSessionId,
        generation: u64,
        sent: &[SentChat],
        ended: &[ServiceId],
    ) -> Result<CometReply<u64>, StoreError> {
        let mut record = self.session_script(&RECORD_SENT, id);
        record.arg(generation);
        for chat in sent {
            record.arg(chat.service.as_str()).arg(chat.position);
            record.arg(u8::from(chat.is_last));
        }
        for service in ended {
            record.arg(service.as_str()).arg("").arg(0);
        }
        let reply: ParsedReply<Batch> = self.redis.query_replicated(&record).await?;
        Ok(match reply.0 {
            CometReply::Done(Batch(number)) => CometReply::Done(number),
            CometReply::Unknown => CometReply::Unknown,
            CometReply::Superseded => CometReply::Superseded,
        })
    }

    async fn set_subscription(
        &self,
        id: &CometSessionId,
        patterns: &[String],
        subscribed: bool,
    ) -> Result<bool, StoreError> {
        let mut set = self.session_script(&SET_SUBSCRIPTION, id);
        set.arg(u8::from(subscribed)).arg(patterns);
        self.redis.query_replicated(&set).await
    }

    async fn close_session(
        &self,
        id: &CometSessionId,
        position: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut close = self.session_script(&CLOSE_SESSION, id);
        close.arg(
            position
                .map(|position| position.to_string())
                .unwrap_or_default(),
        );
        self.redis.query_replicated(&close).await
    }

    async fn add_pushed_chat(
        &self,
        user: &CometUser,
        service: &ServiceId,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let mut add = evalsha(&ADD_PUSHED_CHAT, &[self.keys.comet_user(user)]);
        add.arg(self.keys.chat_channel());
        add.arg(user.signal_id().as_str()).arg(service.as_str());
        add.arg(millis(ttl)).arg(MAX_CHATS_PER_USER);
        self.redis.query_replicated(&add).await
    }
}

impl RedisStore {
    /// A call of a script of a session, with the arguments that all of them have.
    fn session_script(&self, script: &LuaScript, id: &CometSessionId) -> Cmd {
        let mut call = evalsha(script, &self.keys.comet_session(id));
        call.arg(self.keys.chat_channel());
        call.arg(id.user.signal_id().as_str()).arg(&id.secret);
        call
    }
}

/// The reply of a script: its status, and the content of status 1.
struct ParsedReply<T>(CometReply<T>);

/// The number of a batch.
struct Batch(u64);

/// The content of a reply, without its status.
trait Content: Sized {
    fn parse(parts: Vec<Value>) -> Result<Self, ParsingError>;
}

impl<T: Content> FromRedisValue for ParsedReply<T> {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut parts = Vec::<Value>::from_redis_value(value)?;
        if parts.is_empty() {
            return Err(ParsingError::from("empty session script reply"));
        }
        match from_redis_value::<i64>(parts.remove(0))? {
            0 => Ok(Self(CometReply::Unknown)),
            1 => T::parse(parts).map(|content| Self(CometReply::Done(content))),
            2 => Ok(Self(CometReply::Superseded)),
            other => Err(ParsingError::from(format!("session script reply {other}"))),
        }
    }
}

impl Content for Batch {
    fn parse(parts: Vec<Value>) -> Result<Self, ParsingError> {
        let [number] = <[Value; 1]>::try_from(parts).map_err(|_parts| incomplete())?;
        from_redis_value(number).map(Self)
    }
}

impl Content for CometSession {
    fn parse(parts: Vec<Value>) -> Result<Self, ParsingError> {
        let parts = <[Value; 5]>::try_from(parts).map_err(|_parts| incomplete())?;
        let [generation, has_ack, batch, is_subscribed, chats] = parts;
        let chats: Vec<(String, u64)> = from_redis_value(chats)?;
        let chats = chats.into_iter().map(|(service, position)| CometChat {
            service: ServiceId::from(service),
            position,
        });
        Ok(Self {
            generation: from_redis_value(generation)?,
            has_ack: from_redis_value::<u8>(has_ack)? == 1,
            batch: from_redis_value(batch)?,
            is_subscribed: from_redis_value::<u8>(is_subscribed)? == 1,
            chats: chats.collect(),
        })
    }
}

fn incomplete() -> ParsingError {
    ParsingError::from("incomplete session script reply")
}
