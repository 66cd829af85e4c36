//! The events of chats.

use serde_json::{Map, Value, json};

use super::ServiceEvent;
use crate::{
    model::{
        ServiceId,
        chat::{ChatAction, ChatEventKind, ChatVersion, Party},
        webhook::EventType,
    },
    store::memory::state::{ChatRecord, ServiceRecord, State},
};

impl State {
    /// Adds the events of the chat of a service since the version `before`; `None` if it has just been started. `action`
    /// has changed it.
    pub(in crate::store::memory) fn add_chat_events(
        &mut self,
        id: &ServiceId,
        before: Option<ChatVersion>,
        action: &ChatAction,
    ) {
        let (now, micros) = (self.clock.now(), self.clock.now_micros());
        let Some((record, chat)) = self.services.get(id).and_then(with_chat) else {
            return;
        };
        let events = events_of(id, record, chat, before, action);
        for mut event in events {
            event.fact = format!("{}\n{micros}", event.fact);
            Self::add_service_event(&mut self.webhooks, Some(event), now);
        }
    }
}

fn with_chat(record: &ServiceRecord) -> Option<(&ServiceRecord, &ChatRecord)> {
    Some((record, record.chat.as_ref()?))
}

fn events_of<'a>(
    id: &'a ServiceId,
    record: &'a ServiceRecord,
    chat: &ChatRecord,
    before: Option<ChatVersion>,
    action: &ChatAction,
) -> Vec<ServiceEvent<'a>> {
    let mut events = Vec::new();
    let mut add = |event_type, fact: String, data: Map<String, Value>| {
        let mut event = record.event(id, event_type, fact);
        if let Some(event) = &mut event {
            event.data = data;
        }
        events.extend(event);
    };
    let with_user_data = record.webhook.is_some_and(|webhook| webhook.with_user_data);
    let Some(before) = before else {
        let mut data = data_of(1, Some(Party::Client));
        if with_user_data {
            data.insert("nickname".to_owned(), json!(chat.new.nickname));
            data.insert("subject".to_owned(), json!(chat.new.subject));
        }
        add(EventType::ChatStarted, chat.new.session_id.clone(), data);
        return events;
    };
    for (position, event) in (before.last + 1..).zip(chat.events_after(before.last)) {
        if event.kind == ChatEventKind::Message {
            let mut data = data_of(position, Some(event.party));
            if with_user_data {
                data.insert("nickname".to_owned(), json!(event.nickname));
                data.insert("text".to_owned(), json!(event.text));
            }
            add(EventType::ChatMessage, position.to_string(), data);
        }
    }
    let after = chat.version();
    if after.ended && !before.ended {
        let party = match action {
            ChatAction::ClientEnd(_) => Some(Party::Client),
            ChatAction::AgentEnd(agent) => chat.party_of(agent),
            _ => None,
        };
        let fact = after.last.to_string();
        add(EventType::ChatEnded, fact, data_of(after.last, party));
    }
    events
}

fn data_of(position: u64, party: Option<Party>) -> Map<String, Value> {
    let mut data = Map::from_iter([("position".to_owned(), json!(position))]);
    if let Some(party) = party {
        data.insert("party".to_owned(), json!(party.name()));
    }
    data
}
