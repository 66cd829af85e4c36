//! Push by `CometD`, the Bayeux protocol 1.0.
//!
//! Sessions are in the store, so each request can be sent to another replica. Events are pushed with the response to a
//! connect; a waiting connect is woken on whichever replica it waits. What a client has received is a position for each
//! chat; a batch is recorded before it is sent, and counts as received when the next connect says so. See
//! `docs/adr/0052-comet-sessions.md`.

pub use self::{
    client::CometClient,
    context::CometContext,
    message::{CometMessage, CometParseError},
    reply::CometReplies,
    waiting::WaitingConnect,
};
use self::{client::user_of, message::Channel, session::SessionRequest};
use super::{ServiceError, Services};
use crate::{
    model::{
        ServiceId,
        chat::{Chat, ChatState},
    },
    telemetry::metrics::CometTransport,
};

mod client;
mod context;
mod delivery;
mod message;
mod reply;
mod session;
mod waiting;

/// The replies to the messages of a request.
pub struct CometResponse {
    /// The replies that can be sent.
    pub replies: CometReplies,
    /// The connect whose reply is not there yet.
    pub waiting: Option<Box<WaitingConnect>>,
    /// Whether the request has closed its session.
    pub closes: bool,
}

impl Services {
    /// What requests of `CometD` share.
    #[must_use]
    pub fn comet(&self) -> &CometContext {
        &self.context.comet
    }

    /// Processes the messages of a request of `CometD`. A handshake is the only one that is processed. A connect waits
    /// only if it is the only message, or on a WebSocket.
    ///
    /// # Errors
    /// [`ServiceError::Store`]. Other errors are replies.
    pub async fn process_comet_messages(
        &self,
        client: &CometClient,
        messages: &[CometMessage],
    ) -> Result<CometResponse, ServiceError> {
        let is_handshake = |message: &&CometMessage| message.channel() == Channel::Handshake;
        let mut request = SessionRequest {
            context: &self.context,
            client,
            may_wait: messages.len() == 1 || client.transport == CometTransport::WebSocket,
            waiting: None,
            closes: false,
            has_connected: false,
        };
        let mut replies = CometReplies::default();
        if let Some(message) = messages.iter().find(is_handshake) {
            replies.push(&request.handshake(message).await?);
        } else {
            for message in messages {
                request.process(message, &mut replies).await?;
            }
        }
        Ok(CometResponse {
            replies,
            waiting: request.waiting,
            closes: request.closes,
        })
    }

    /// Pushes a chat to the sessions of `gms_user` from its start on. To be called when a chat is started with
    /// `notify_by=comet`. A user with too many chats receives no pushes of this one.
    ///
    /// # Errors
    /// [`ServiceError::Store`]
    pub async fn push_chat_by_comet(
        &self,
        gms_user: &str,
        id: &ServiceId,
        chat: &Chat,
    ) -> Result<(), ServiceError> {
        if gms_user.is_empty() || chat.state == ChatState::Ended {
            return Ok(());
        }
        let Some(service) = self.context.store.describe(id).await? else {
            return Ok(());
        };
        let ttl = service.end.since(self.now()?);
        let added = self
            .context
            .store
            .add_pushed_chat(&user_of(gms_user), id, ttl)
            .await?;
        if !added {
            tracing::info!(id = %id.redacted(), "chat not pushed: too many chats of this user");
        }
        Ok(())
    }
}
