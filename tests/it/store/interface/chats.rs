//! Chats: the actions of their parties, their transcripts and their lists.

use std::{slice::from_ref, time::Duration};

use switchboard::{
    model::{
        ServiceId,
        chat::{
            AgentJoin, Chat, ChatAction, ChatEvent, ChatEventKind, ChatOutcome, ChatReply,
            ChatSummary, ChatVersion, ChatWindow, NewChat, Party,
        },
    },
    store::Store,
};

use crate::support::stores::create_service;

mod agents;
mod client;
mod full_stores;
mod lifetime;
mod lists;
mod properties;
mod sweep;
mod texts;
mod windows;

/// A chat of Ann with the limits of the defaults. The client never times out.
pub(super) fn new_chat() -> NewChat {
    NewChat {
        definition: "chat".to_owned(),
        session_id: "session".to_owned(),
        user_id: "user".to_owned(),
        secure_key: "key".to_owned(),
        nickname: "Ann".to_owned(),
        subject: "Order".to_owned(),
        max_events: 5_000,
        max_message_bytes: 16 * 1024,
        client_timeout: Duration::from_secs(3_600),
    }
}

/// Creates a service with this chat.
async fn create_chat(store: &dyn Store, chat: &NewChat) -> ServiceId {
    let id = create_service(store, Vec::new()).await;
    let (outcome, _) = outcome_of(store.start_chat(&id, chat).await.unwrap());
    assert_eq!(outcome, ChatOutcome::Done);
    id
}

fn outcome_of(reply: ChatReply) -> (ChatOutcome, Chat) {
    let ChatReply::Chat(outcome, chat) = reply else {
        panic!("{reply:?}");
    };
    (outcome, *chat)
}

/// Performs an action and returns its outcome and the chat with its first events.
async fn try_act(store: &dyn Store, id: &ServiceId, action: ChatAction) -> (ChatOutcome, Chat) {
    let window = ChatWindow::After(0);
    outcome_of(store.update_chat(id, &action, window).await.unwrap())
}

/// Performs an action that succeeds.
async fn act(store: &dyn Store, id: &ServiceId, action: ChatAction) -> Chat {
    let (outcome, chat) = try_act(store, id, action.clone()).await;
    assert_eq!(outcome, ChatOutcome::Done, "{action:?}");
    chat
}

/// Asserts that an action is refused and changes nothing.
async fn assert_refused(store: &dyn Store, id: &ServiceId, action: ChatAction, why: ChatOutcome) {
    let before = read(store, id).await;
    let (outcome, chat) = try_act(store, id, action.clone()).await;
    assert_eq!(outcome, why, "{action:?}");
    assert_eq!(chat, before, "{action:?}");
    assert_eq!(read(store, id).await, before, "{action:?}");
}

async fn read(store: &dyn Store, id: &ServiceId) -> Chat {
    act(store, id, ChatAction::Read).await
}

async fn version_of(store: &dyn Store, id: &ServiceId) -> Option<ChatVersion> {
    store.chat_versions(from_ref(id)).await.unwrap().remove(0)
}

async fn summary_of(store: &dyn Store, id: &ServiceId) -> Option<ChatSummary> {
    store.chat_summaries(from_ref(id)).await.unwrap().pop()
}

/// Reads the events of a window as a listener.
async fn read_window(store: &dyn Store, id: &ServiceId, window: ChatWindow) -> Chat {
    let reply = store.update_chat(id, &ChatAction::Read, window).await;
    outcome_of(reply.unwrap()).1
}

/// All events of the chat after the first one, in short; reads a page at a time.
async fn transcript(store: &dyn Store, id: &ServiceId) -> Vec<String> {
    let (mut position, mut rows) = (0, Vec::new());
    loop {
        let chat = read_window(store, id, ChatWindow::After(position)).await;
        assert_eq!(chat.after, position);
        rows.extend(chat.events.iter().map(row));
        position = chat.position();
        if chat.is_complete() {
            assert_eq!(position, chat.last);
            assert_eq!(rows.remove(0), "Ann joined");
            return rows;
        }
        assert!(!chat.events.is_empty());
    }
}

/// An event in short.
fn row(event: &ChatEvent) -> String {
    let name = &event.nickname;
    match event.kind {
        ChatEventKind::Message => format!("{name}: {}", event.text),
        ChatEventKind::Joined => format!("{name} joined"),
        ChatEventKind::Left => format!("{name} left"),
        ChatEventKind::TypingStarted => format!("{name} types"),
        ChatEventKind::TypingStopped => format!("{name} stopped"),
    }
}

pub(super) fn client_message(text: &str) -> ChatAction {
    ChatAction::ClientMessage(text.to_owned())
}

pub(super) fn agent_message(agent: &str, text: &str) -> ChatAction {
    ChatAction::AgentMessage(agent.to_owned(), text.to_owned())
}

/// The user name of an agent is `agent`, and its nickname the same in uppercase.
fn agent_join(agent: &str) -> AgentJoin {
    AgentJoin {
        agent: agent.to_owned(),
        nickname: agent.to_uppercase(),
        party: Party::Agent,
        exclusive: false,
        transfer: false,
    }
}

pub(super) fn join(agent: &str) -> ChatAction {
    ChatAction::Join(agent_join(agent))
}

fn leave(agent: &str) -> ChatAction {
    ChatAction::Leave(agent.to_owned())
}

fn agent_typing(agent: &str, typing: bool) -> ChatAction {
    ChatAction::AgentTyping(agent.to_owned(), typing)
}
