//! The start of a chat.

use std::{sync::Arc, time::Duration};

use tracing::warn;
use uuid::Uuid;

use super::fields::{clean_name, filled};
use crate::{
    model::{
        ServiceId, StoreError,
        chat::{Chat, ChatAction, ChatReply, ChatWindow, NewChat},
    },
    service::{
        FormData, ServiceError, Services, Uploads,
        definition::Definition,
        options::{DEFAULT_CLIENT_TIMEOUT, DEFAULT_MAX_EVENTS, DEFAULT_MESSAGE_BYTES},
        parse_value::parse_integer,
    },
};

/// The nickname of a client that has none.
const DEFAULT_NICKNAME: &str = "Customer";
/// Fields that control the push of events. They are no user data.
const PUSH_FIELDS: [&str; 2] = ["notify_by", "subscriptionID"];
/// The beginning of the names of further fields of that kind.
const PUSH_FIELD_PREFIX: &str = "push_notification_";

/// The start of the chat of a service.
pub(in crate::service) struct ChatStart {
    pub(in crate::service) id: ServiceId,
    pub(in crate::service) definition: Arc<Definition>,
    /// The user of the client.
    pub(in crate::service) gms_user: Option<String>,
}

impl ChatStart {
    /// Writes the user data to the storage of the service and starts its chat.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if the service has ended; [`ServiceError::ChatUnavailable`] while no agent is available, if the definition requires one; errors of
    /// writes to the storage.
    pub(in crate::service) async fn execute(
        &self,
        services: &Services,
        form: FormData,
        uploads: &mut Uploads,
    ) -> Result<Box<Chat>, ServiceError> {
        if self.definition.flag("_chat_requires_agent") {
            self.check_agents(services).await?;
        }
        let chat = self.new_chat(&form);
        let notify_by = filled(&form, "notify_by").unwrap_or_default();
        let by_comet = notify_by.eq_ignore_ascii_case("comet");
        let (_, mut changes) = form.into_parameters_and_changes()?;
        let is_user_data =
            |name: &str| !PUSH_FIELDS.contains(&name) && !name.starts_with(PUSH_FIELD_PREFIX);
        changes.set.retain(|(name, _)| is_user_data(name.as_str()));
        if !changes.set.is_empty() || !changes.remove.is_empty() {
            services
                .write_with_uploads(&self.id, changes, uploads)
                .await?;
        }
        let chat = match services.context.store.start_chat(&self.id, &chat).await? {
            ChatReply::Chat(_, chat) => chat,
            ChatReply::ServiceNotFound => return Err(ServiceError::NoSuchService(self.id.clone())),
            ChatReply::NotStarted(_) => {
                return Err(StoreError::Bug("the chat was not started".to_owned()).into());
            }
        };
        // The chat has started, so a failure is not an error of the start.
        if let (true, Some(user)) = (by_comet, &self.gms_user)
            && let Err(error) = services.push_chat_by_comet(user, &self.id, &chat).await
        {
            warn!(id = %self.id.redacted(), %error, "chat not pushed by CometD");
        }
        Ok(chat)
    }

    fn option(&self, name: &str, default: u64) -> u64 {
        let value = self.definition.option(name).and_then(parse_integer);
        value.unwrap_or(default)
    }

    /// Checks that an agent is available, unless the chat was started before.
    async fn check_agents(&self, services: &Services) -> Result<(), ServiceError> {
        let store = &services.context.store;
        let window = ChatWindow::After(u64::MAX);
        let read = store.update_chat(&self.id, &ChatAction::Read, window);
        if matches!(read.await?, ChatReply::Chat(..)) {
            return Ok(());
        }
        let definition = self.definition.name();
        let agents = store.available_agents().await?;
        let takes = |definitions: &[String]| {
            definitions.is_empty() || definitions.iter().any(|taken| taken == definition)
        };
        if agents.iter().any(|(_, definitions)| takes(definitions)) {
            return Ok(());
        }
        Err(ServiceError::ChatUnavailable)
    }

    fn new_chat(&self, form: &FormData) -> NewChat {
        let random = || Uuid::new_v4().simple().to_string();
        NewChat {
            definition: self.definition.name().to_owned(),
            session_id: random(),
            user_id: random(),
            secure_key: random(),
            nickname: nickname(form),
            subject: clean_name(filled(form, "subject").unwrap_or_default()),
            max_events: self.option("_chat_max_events", DEFAULT_MAX_EVENTS),
            max_message_bytes: self.option("_chat_message_bytes", DEFAULT_MESSAGE_BYTES),
            client_timeout: Duration::from_secs(
                self.option("_client_timeout", DEFAULT_CLIENT_TIMEOUT),
            ),
        }
    }
}

/// The nickname of the client: the first of these fields that is not empty.
fn nickname(form: &FormData) -> String {
    let field = |name| filled(form, name).unwrap_or_default();
    let candidates = [
        field("userDisplayName").to_owned(),
        [field("firstName"), " ", field("lastName")].concat(),
        [field("FirstName"), " ", field("LastName")].concat(),
    ];
    let mut names = candidates.iter().map(|name| clean_name(name));
    let name = names.find(|name| !name.is_empty());
    name.unwrap_or_else(|| DEFAULT_NICKNAME.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::FieldValue;

    #[test]
    fn the_nickname_is_that_of_the_first_filled_field() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[], "Customer"),
            (&[("userDisplayName", " \n")], "Customer"),
            (&[("LastName", "Lee")], "Lee"),
            (&[("FirstName", "Bo"), ("LastName", "Lee")], "Bo Lee"),
            (&[("FirstName", "Bo"), ("firstName", "Ann")], "Ann"),
            (&[("firstName", "Ann"), ("userDisplayName", "Al")], "Al"),
        ];
        for (fields, expected) in cases {
            let mut form = FormData::default();
            for (name, value) in fields {
                form.insert((*name).to_owned(), FieldValue::Text((*value).to_owned()));
            }
            assert_eq!(nickname(&form), expected, "{fields:?}");
        }
    }
}
