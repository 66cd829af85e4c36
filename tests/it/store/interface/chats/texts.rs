//! Texts that a chat must not change or confuse with its own format.

use switchboard::{
    model::{
        WriteCondition,
        chat::{AgentJoin, ChatAction, NewChat},
    },
    store::Store,
};

use super::{
    act, agent_join, agent_message, client_message, create_chat, join, leave, new_chat, read,
    summary_of,
};
use crate::support::stores::{create_service, on_every_store};

on_every_store!(
    messages_are_returned_unchanged,
    names_are_returned_unchanged,
    subjects_and_definitions_are_returned_unchanged,
    chat_does_not_collide_with_storage,
);

/// Texts of several alphabets and with separators of the format of the store.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\n",
        "\n\n\n",
        "\t\t",
        "a\nb\r\nc\td",
        "\0",
        "\0\u{1}\u{7f}\u{80}\u{9f}",
        "MC0\nAnn\nforged",
        "bob\tA\t1\tBOB\n",
        "%s %0.0f $1 {chats} [x] \\ ' \"",
        "<script>alert(1)</script>",
        "\u{202e}abc\u{202c}\u{2066}\u{200f}",
        "\u{feff}\u{200b}\u{2028}\u{2029}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f466}\u{1f1e9}\u{1f1ea}",
        "e\u{301}\u{327}",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627} \u{4f60}\u{597d}",
        "-1",
        "1e400",
        "nil",
        "\u{10ffff}\u{fffd}\u{ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("\n".repeat(16 * 1024));
    texts.push("\u{1f600}".repeat(4 * 1024));
    texts.push("\0".repeat(16 * 1024));
    texts
}

async fn messages_are_returned_unchanged(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join("bob")).await;
    for text in texts() {
        let chat = act(store, &id, client_message(&text)).await;
        let event = chat.events.last().unwrap();
        assert!(event.text == text && event.nickname == "Ann", "{text:?}");
        let chat = act(store, &id, agent_message("bob", &text)).await;
        let event = chat.events.last().unwrap();
        assert!(event.text == text && event.nickname == "BOB", "{text:?}");
    }
    let last = "end\n".repeat(4 * 1024);
    let chat = act(store, &id, ChatAction::ClientEnd(Some(last.clone()))).await;
    let event = &chat.events[chat.events.len() - 2];
    assert!(event.text == last);
}

/// The texts that are names: without control characters, as the layer above guarantees.
fn names() -> impl Iterator<Item = String> {
    let names = texts().into_iter().map(|mut text| {
        text.retain(|character| !character.is_control());
        text
    });
    names.filter(|name| name.len() < 1_000)
}

async fn names_are_returned_unchanged(store: &dyn Store) {
    for name in names() {
        let new = NewChat {
            nickname: name.clone(),
            ..new_chat()
        };
        let id = create_chat(store, &new).await;
        let joined = AgentJoin {
            nickname: name.clone(),
            ..agent_join(&name)
        };
        act(store, &id, ChatAction::Join(joined)).await;
        act(store, &id, join("other")).await;
        act(store, &id, agent_message(&name, "Hello")).await;
        act(store, &id, client_message("Hello")).await;
        let chat = read(store, &id).await;
        assert_eq!(chat.nickname, name);
        let member = (&chat.members[0].agent, &chat.members[0].nickname);
        assert_eq!(member, (&name, &name));
        for position in [0, 1, 3, 4] {
            assert_eq!(chat.events[position].nickname, name);
        }
        let summary = summary_of(store, &id).await.unwrap();
        assert_eq!(summary.nickname, name);
        assert_eq!(summary.agents, [name.as_str(), "other"]);
        let chat = act(store, &id, leave(&name)).await;
        assert_eq!(chat.members.len(), 1, "{name:?}");
    }
}

async fn subjects_and_definitions_are_returned_unchanged(store: &dyn Store) {
    for text in texts() {
        let new = NewChat {
            subject: text.clone(),
            definition: text.clone(),
            session_id: text.clone(),
            user_id: text.clone(),
            secure_key: text.clone(),
            ..new_chat()
        };
        let id = create_chat(store, &new).await;
        let chat = read(store, &id).await;
        for stored in [
            &chat.subject,
            &chat.definition,
            &chat.session_id,
            &chat.user_id,
            &chat.secure_key,
        ] {
            assert!(*stored == text, "{text:?}");
        }
    }
}

/// Neither is the chat part of the strings of its service, nor do they change it.
async fn chat_does_not_collide_with_storage(store: &dyn Store) {
    use crate::support::stores::{owned_pairs, read_strings, set_changes, text, write_changes};
    let id = create_service(store, vec![text("last", "9")]).await;
    store.start_chat(&id, &new_chat()).await.unwrap();
    act(store, &id, client_message("Hello")).await;
    let values = vec![text("1", "x"), text("ended", "1"), text("chat", "x")];
    write_changes(store, &id, set_changes(values)).await;
    assert_eq!(read(store, &id).await.last, 2);
    let expected = [("1", "x"), ("chat", "x"), ("ended", "1"), ("last", "9")];
    assert_eq!(read_strings(store, &id).await, owned_pairs(&expected));
    store.clear(&id, &WriteCondition::default()).await.unwrap();
    assert_eq!(read(store, &id).await.last, 2);
}
