//! Sessions of the Bayeux protocol, and the chats that are pushed to users.
//!
//! All data of a user is changed atomically. Listeners of [`CometUser::signal_id`] are notified when a waiting connect
//! must read its session again.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    ServiceId, StoreError,
    comet::{CometReceipt, CometReply, CometSession, CometSessionId, CometUser, SentChat},
};

/// The store of sessions, which all replicas share.
#[async_trait]
pub trait CometStore: Send + Sync {
    /// Opens a session that expires after `ttl`. It has the chats of its user at the positions that the user has
    /// received.
    async fn open_session(
        &self,
        id: &CometSessionId,
        has_ack: bool,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Begins a connect that waits for at most `wait`: ends the connect before it, applies `receipt`, adds new chats of
    /// the user, and renews the session to expire `ttl` after the wait.
    async fn connect_session(
        &self,
        id: &CometSessionId,
        receipt: CometReceipt,
        wait: Duration,
        ttl: Duration,
    ) -> Result<CometReply<CometSession>, StoreError>;

    /// Reads the session for the connect `generation`, with new chats of the user.
    async fn refresh_session(
        &self,
        id: &CometSessionId,
        generation: u64,
    ) -> Result<CometReply<CometSession>, StoreError>;

    /// Records a batch before the connect `generation` sends it, and returns its number. Removes chats of `ended`
    /// services; if nothing is sent, there is no batch.
    async fn record_sent(
        &self,
        id: &CometSessionId,
        generation: u64,
        sent: &[SentChat],
        ended: &[ServiceId],
    ) -> Result<CometReply<u64>, StoreError>;

    /// Subscribes to the channel of chats by these patterns, or ends the subscription. Returns whether the session
    /// exists.
    async fn set_subscription(
        &self,
        id: &CometSessionId,
        patterns: &[String],
        subscribed: bool,
    ) -> Result<bool, StoreError>;

    /// Closes a session, if it exists. `position` is the one that the client has received, if it has one chat.
    async fn close_session(
        &self,
        id: &CometSessionId,
        position: Option<u64>,
    ) -> Result<(), StoreError>;

    /// Adds a chat that is pushed to `user` from its start, unless it was added before. `ttl` is the time until the end
    /// of its service. Returns `false` if the user has too many.
    async fn add_pushed_chat(
        &self,
        user: &CometUser,
        service: &ServiceId,
        ttl: Duration,
    ) -> Result<bool, StoreError>;
}
