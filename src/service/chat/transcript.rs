//! The whole transcript of a chat.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{client::ChatResponse, object::TranscriptObject};
use crate::{
    model::{
        ServiceId, StoreError,
        chat::{ChatAction, ChatReply, ChatWindow},
    },
    service::{ServiceError, Services},
};

impl Services {
    /// Reads all events, in as many store operations as their size requires. Memory for them is reserved while they are
    /// read.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::Overloaded`].
    pub(super) async fn read_transcript(
        &self,
        id: &ServiceId,
    ) -> Result<ChatResponse, ServiceError> {
        let mut memory = self.context.memory.responses.reservation();
        let mut rows: Vec<Box<RawValue>> = Vec::new();
        let mut position = 0;
        loop {
            let window = ChatWindow::After(position);
            let action = ChatAction::ClientPresent;
            let reply = self.context.store.update_chat(id, &action, window);
            let chat = match reply.await? {
                ChatReply::ServiceNotFound => return Err(ServiceError::NoSuchService(id.clone())),
                ChatReply::NotStarted(service) => return Ok(ChatResponse::NotStarted(service)),
                ChatReply::Chat(_, chat) => chat,
            };
            let bug = |error: serde_json::Error| StoreError::Bug(error.to_string());
            for row in TranscriptObject::rows(&chat) {
                let row = serde_json::value::to_raw_value(&row).map_err(bug)?;
                memory.grow(row.get().len())?;
                rows.push(row);
            }
            position = chat.position();
            if chat.is_complete() || chat.events.is_empty() {
                let object = TranscriptObject::new(&chat, &rows);
                let json = serde_json::to_vec(&object).map_err(bug)?;
                return Ok(ChatResponse::Json(Bytes::from(json)));
            }
        }
    }
}
