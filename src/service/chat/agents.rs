//! Agents: they answer the chats of clients, by the API below `/genesys/1/agent/`.
//!
//! An agent is identified by its credentials, which `[agents]` configures. All agents have access to all chats.

use std::sync::Arc;

use ring::error::Unspecified;

use self::access::AgentAccess;
pub use self::{
    authentication::AgentCredentials,
    open_chats::OpenChats,
    requests::AgentRequest,
    stream::{AgentEvent, AgentStream},
};
use crate::{
    model::{
        Binary, Cursor, ServiceId,
        chat::{
            Chat, ChatAction, ChatOutcome, ChatReply, ChatState, ChatWindow, ListedChats,
            MAX_POSITION,
        },
    },
    service::{FailedCredentials, ServiceError, Services, StorageStrings},
    settings::Settings,
    store::{AdminStore, Store},
    telemetry::metrics::ChatMetrics,
};

mod access;
mod authentication;
mod availability;
mod cursor;
mod open_chats;
mod own_chats;
mod requests;
mod stream;
mod stream_limits;

/// The state that the agents of all workers share.
pub struct AgentContext {
    /// `None` if no agents are configured: administrators act as agents in the console.
    access: Option<AgentAccess>,
    failed_credentials: Arc<FailedCredentials>,
    open_chats: OpenChats,
    metrics: ChatMetrics,
    /// The maximum number of entries of the audit log.
    audit_log_entries: usize,
}

impl AgentContext {
    /// The agents of `settings`; `None` if there are none and the console is disabled.
    ///
    /// # Errors
    /// [`Unspecified`] if the random generator of the operating system fails.
    pub fn new(
        settings: &Settings,
        failed_credentials: &Arc<FailedCredentials>,
        metrics: &ChatMetrics,
    ) -> Result<Option<Arc<Self>>, Unspecified> {
        let access = AgentAccess::new(&settings.agents)?;
        if access.is_none() && !settings.is_admin_enabled() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            access,
            failed_credentials: Arc::clone(failed_credentials),
            open_chats: OpenChats::new(settings.agents.max_streams),
            metrics: metrics.clone(),
            audit_log_entries: settings.admin.audit_log_entries,
        })))
    }

    /// The open chats, which a background task follows.
    #[must_use]
    pub fn open_chats(&self) -> &OpenChats {
        &self.open_chats
    }
}

/// The agents of one worker.
#[derive(Clone)]
pub struct Agents {
    context: Arc<AgentContext>,
    services: Services,
    store: Arc<dyn AdminStore>,
}

/// A chat with the data of its service.
#[derive(Debug)]
pub struct ChatDetail {
    /// The chat, with a part of its transcript.
    pub chat: Box<Chat>,
    /// The strings in the storage of the service.
    pub user_data: StorageStrings,
    /// The binaries in the storage of the service.
    pub files: Vec<(String, Binary)>,
}

impl Agents {
    /// The agents of a worker with these services and this store.
    #[must_use]
    pub fn new(context: Arc<AgentContext>, services: Services, store: Arc<dyn AdminStore>) -> Self {
        Self {
            context,
            services,
            store,
        }
    }

    /// Lists chats by the time of their start. Without a state, those that have not ended.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn list_chats(
        &self,
        state: Option<ChatState>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ListedChats, ServiceError> {
        let is_ended = state == Some(ChatState::Ended);
        let mut listed = self.chats().list_chats(is_ended, after, limit).await?;
        listed
            .chats
            .retain(|chat| state.is_none_or(|state| chat.state == state));
        Ok(listed)
    }

    /// Reads a chat with the events after `position`, and the data of its service.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no such service, or it has no chat; [`ServiceError::Overloaded`].
    pub async fn read_chat(
        &self,
        id: &ServiceId,
        position: u64,
    ) -> Result<ChatDetail, ServiceError> {
        let chat = self.update(id, &ChatAction::Read, position).await?;
        let (user_data, description) =
            futures_util::try_join!(self.services.read_all(id), self.services.describe(id))?;
        Ok(ChatDetail {
            chat,
            user_data,
            files: description.binaries,
        })
    }

    /// Checks that a service has a chat.
    ///
    /// # Errors
    /// As [`Agents::read_chat`].
    pub async fn require_chat(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let after_all = MAX_POSITION;
        let read = self.update(id, &ChatAction::Read, after_all);
        read.await.map(drop)
    }

    /// The store of chats, with the metrics of the services.
    fn chats(&self) -> &dyn Store {
        &*self.services.context.store
    }

    /// Performs an action, and returns the chat after it with the events after `position`.
    async fn update(
        &self,
        id: &ServiceId,
        action: &ChatAction,
        position: u64,
    ) -> Result<Box<Chat>, ServiceError> {
        let window = ChatWindow::After(position);
        match self.chats().update_chat(id, action, window).await? {
            ChatReply::ServiceNotFound | ChatReply::NotStarted(_) => {
                Err(ServiceError::NoSuchService(id.clone()))
            }
            ChatReply::Chat(outcome, chat) => match outcome {
                ChatOutcome::Done => Ok(chat),
                ChatOutcome::Ended => Err(ServiceError::ChatEnded),
                ChatOutcome::Full => Err(ServiceError::ChatFull),
                ChatOutcome::MessageTooLong(limit) => Err(ServiceError::MessageTooLong(limit)),
                ChatOutcome::Taken => Err(ServiceError::ChatTaken),
                ChatOutcome::NotMember => Err(ServiceError::NotInChat),
            },
        }
    }
}
