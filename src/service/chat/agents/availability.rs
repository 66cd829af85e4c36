//! The availability of agents: whether an agent takes new chats, and of which definitions.

use std::time::Duration;

use super::Agents;
use crate::service::{FormData, ServiceError, parse_value::parse_boolean};

/// The time for which an agent is available after its request.
const TTL: Duration = Duration::from_secs(30);
/// The interval in which an event stream renews the availability of its agent.
pub(super) const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);
/// The time for which a renewal counts: the agent is available for [`TTL`] after its stream has ended.
const RENEWED_TTL: Duration = Duration::from_secs(40);
/// The maximum number of definitions, and of characters of the name of one.
const MAX_DEFINITIONS: usize = 100;
const MAX_NAME_CHARACTERS: usize = 256;

impl Agents {
    /// Sets the availability of an agent: `available`, and `definitions`, the names of configured services with commas
    /// between them. Without definitions the agent takes chats of all of them. Returns the definitions; `None` if the
    /// agent takes no chats.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`].
    pub async fn set_availability(
        &self,
        agent: &str,
        form: &FormData,
    ) -> Result<Option<Vec<String>>, ServiceError> {
        let available = form.text("available").unwrap_or("true");
        let definitions = if parse_boolean("available", available)? {
            let list = form.text("definitions").unwrap_or_default();
            Some(parse_definitions(list)?)
        } else {
            None
        };
        let store = self.chats();
        store
            .set_agent_availability(agent, definitions.as_deref(), TTL)
            .await?;
        Ok(definitions)
    }

    /// Renews the availability of an agent with an event stream. Returns its definitions; `None` if it takes no chats.
    pub(super) async fn renew_availability(
        &self,
        agent: &str,
    ) -> Result<Option<Vec<String>>, ServiceError> {
        let renewed = self.chats().renew_agent_availability(agent, RENEWED_TTL);
        Ok(renewed.await?)
    }
}

/// Parses names with commas between them. An array in JSON has brackets around them.
fn parse_definitions(text: &str) -> Result<Vec<String>, ServiceError> {
    let list = text.trim();
    let array = list
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'));
    let names = array.unwrap_or(list).split(',').map(str::trim);
    let names: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let is_valid = |name: &String| {
        name.chars().count() <= MAX_NAME_CHARACTERS && !name.contains(char::is_control)
    };
    if names.len() <= MAX_DEFINITIONS && names.iter().all(is_valid) {
        return Ok(names);
    }
    Err(ServiceError::InvalidParameter(format!(
        "definitions is invalid; expected at most {MAX_DEFINITIONS} names of configured services with commas between \
         them, each of at most {MAX_NAME_CHARACTERS} characters without control characters"
    )))
}
