//! The requests of the client of a chat.

use bytes::Bytes;

use super::{
    ChatRequest, ChatStart, PublicAddress,
    fields::{ChatFields, chat_message, is_verbose},
    object::ChatObject,
};
use crate::{
    model::{
        RunningService, ServiceId, StoreError,
        chat::{Chat, ChatAction, ChatOutcome, ChatReply, ChatWindow},
    },
    service::{FormData, ServiceError, Services, Uploads, rate_limit::limit_chat_messages},
};

/// The response to a request to a chat.
pub(in crate::service) enum ChatResponse {
    /// A JSON object.
    Json(Bytes),
    /// The service has no chat; its definition determines the target of the request.
    NotStarted(RunningService),
}

impl Services {
    /// Starts a chat and returns the chat object as JSON.
    ///
    /// # Errors
    /// See [`ChatStart::execute`].
    pub(in crate::service) async fn start_chat(
        &self,
        start: &ChatStart,
        form: FormData,
        uploads: &mut Uploads,
        address: &PublicAddress,
    ) -> Result<Bytes, ServiceError> {
        let verbose = is_verbose(&form)?;
        let chat = start.execute(self, form, uploads).await?;
        let object = ChatObject::new(&chat).connected();
        to_json(&start.id, &chat, object, verbose, address)
    }

    /// Performs a request of the client to a chat, and returns the chat object as JSON.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`], [`ServiceError::MissingMessage`], [`ServiceError::ChatFull`],
    /// [`ServiceError::MessageTooLong`], [`ServiceError::RateLimited`]; [`ServiceError::ChatDisconnected`] after the
    /// end of the chat, if the definition says so.
    pub(in crate::service) async fn request_chat(
        &self,
        id: &ServiceId,
        request: ChatRequest,
        form: &FormData,
        address: &PublicAddress,
    ) -> Result<ChatResponse, ServiceError> {
        if request == ChatRequest::Transcript {
            return self.read_transcript(id).await;
        }
        let (action, fields) = match client_action(request, form) {
            Ok(parsed) => parsed,
            // Without a chat the fields are those of a request to a backend.
            Err(error) => {
                return match self.find_chat(id).await? {
                    ExistingChat::Started(..) => Err(error),
                    ExistingChat::NotStarted(service) => Ok(ChatResponse::NotStarted(service)),
                };
            }
        };
        let is_limited = fields.has_message && request != ChatRequest::Disconnect;
        if is_limited && self.context.rate_limit.messages_per_chat > 0 {
            // Only existing chats have a counter.
            if let ExistingChat::NotStarted(service) = self.find_chat(id).await? {
                return Ok(ChatResponse::NotStarted(service));
            }
            limit_chat_messages(&*self.context.store, &self.context.rate_limit, id).await?;
        }
        let reply = self.context.store.update_chat(id, &action, fields.window);
        let (outcome, chat) = match require_service(id, reply.await?)? {
            ExistingChat::Started(outcome, chat) => (outcome, chat),
            ExistingChat::NotStarted(service) => return Ok(ChatResponse::NotStarted(service)),
        };
        self.check_outcome(request, outcome, &chat)?;
        let mut object = ChatObject::new(&chat);
        // Events may follow, but this request was the last one, or came too late.
        if request == ChatRequest::Disconnect || outcome == ChatOutcome::Ended {
            object = object.disconnected();
        }
        to_json(id, &chat, object, fields.verbose, address).map(ChatResponse::Json)
    }

    /// Reads the chat of a service without its events.
    async fn find_chat(&self, id: &ServiceId) -> Result<ExistingChat, ServiceError> {
        let window = ChatWindow::After(u64::MAX);
        let read = self
            .context
            .store
            .update_chat(id, &ChatAction::Read, window);
        require_service(id, read.await?)
    }

    /// Checks whether the response is the chat object.
    fn check_outcome(
        &self,
        request: ChatRequest,
        outcome: ChatOutcome,
        chat: &Chat,
    ) -> Result<(), ServiceError> {
        match outcome {
            ChatOutcome::Full => return Err(ServiceError::ChatFull),
            ChatOutcome::MessageTooLong(limit) => return Err(ServiceError::MessageTooLong(limit)),
            ChatOutcome::Done | ChatOutcome::Ended => {}
            ChatOutcome::Taken | ChatOutcome::NotMember => {
                let message = "outcome of an agent for a request of a client";
                return Err(StoreError::Bug(message.to_owned()).into());
            }
        }
        // Events that the client has not received come first, unless a message was discarded.
        let has_all = request == ChatRequest::Refresh && chat.has_ended() && chat.events.is_empty();
        if (outcome == ChatOutcome::Ended || has_all) && self.rejects_disconnected(&chat.definition)
        {
            return Err(ServiceError::ChatDisconnected);
        }
        Ok(())
    }

    /// The option `_chat_400_response_on_disconnected` of a configured service.
    fn rejects_disconnected(&self, definition: &str) -> bool {
        let catalog = self.context.catalog.load();
        let definition = catalog.get_or_retired(definition);
        definition.is_some_and(|definition| definition.flag("_chat_400_response_on_disconnected"))
    }
}

/// The action of a request to a started chat, and its other fields.
fn client_action(
    request: ChatRequest,
    form: &FormData,
) -> Result<(ChatAction, ChatFields), ServiceError> {
    let fields = ChatFields::from_form(form)?;
    let message = chat_message(form).map(str::to_owned);
    let action = match (request, message) {
        (ChatRequest::Send, None) => return Err(ServiceError::MissingMessage),
        (ChatRequest::Send, Some(message)) => ChatAction::ClientMessage(message),
        (ChatRequest::Refresh, message) => ChatAction::ClientRefresh(message),
        (ChatRequest::Typing(typing), _) => ChatAction::ClientTyping(typing),
        (ChatRequest::Disconnect, message) => ChatAction::ClientEnd(message),
        (ChatRequest::Start | ChatRequest::Transcript, _) => ChatAction::ClientPresent,
    };
    Ok((action, fields))
}

/// The chat of an active service.
enum ExistingChat {
    Started(ChatOutcome, Box<Chat>),
    NotStarted(RunningService),
}

/// # Errors
/// [`ServiceError::NoSuchService`]
fn require_service(id: &ServiceId, reply: ChatReply) -> Result<ExistingChat, ServiceError> {
    match reply {
        ChatReply::ServiceNotFound => Err(ServiceError::NoSuchService(id.clone())),
        ChatReply::NotStarted(service) => Ok(ExistingChat::NotStarted(service)),
        ChatReply::Chat(outcome, chat) => Ok(ExistingChat::Started(outcome, chat)),
    }
}

fn to_json(
    id: &ServiceId,
    chat: &Chat,
    object: ChatObject<'_>,
    verbose: bool,
    address: &PublicAddress,
) -> Result<Bytes, ServiceError> {
    let json = if verbose {
        serde_json::to_vec(&object.verbose(id, chat, address))
    } else {
        serde_json::to_vec(&object)
    };
    let json = json.map_err(|error| StoreError::Bug(error.to_string()))?;
    Ok(Bytes::from(json))
}
