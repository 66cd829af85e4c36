//! The actions of the client.

use std::time::Duration;

use switchboard::{
    model::{
        ServiceId,
        chat::{
            ChatAction, ChatOutcome, ChatReply, ChatState, ChatVersion, ChatWindow, NewChat, Party,
        },
    },
    store::Store,
};

use super::{
    act, agent_message, agent_typing, assert_refused, client_message, create_chat, join, new_chat,
    outcome_of, read, row, transcript, try_act, version_of,
};
use crate::support::{
    now,
    stores::{create_service, on_every_store},
};

on_every_store!(
    start_writes_that_the_client_has_joined,
    repeated_start_returns_the_same_chat,
    chat_needs_a_service_and_a_start,
    messages_are_stored_in_order,
    typing_of_the_client_takes_no_position,
    end_of_the_client_writes_message_and_notice,
    ended_chat_refuses_changes_and_can_be_read,
    absent_client_leaves_and_joins_again,
    present_client_does_not_leave,
    absent_client_with_a_message_joins_first,
);

async fn start_writes_that_the_client_has_joined(store: &dyn Store) {
    let (id, new, before) = (create_service(store, Vec::new()).await, new_chat(), now());
    let (outcome, chat) = outcome_of(store.start_chat(&id, &new).await.unwrap());
    assert_eq!(outcome, ChatOutcome::Done);
    let texts = (&chat.definition, &chat.nickname, &chat.subject);
    assert_eq!(texts, (&new.definition, &new.nickname, &new.subject));
    let secrets = (&chat.session_id, &chat.user_id, &chat.secure_key);
    assert_eq!(secrets, (&new.session_id, &new.user_id, &new.secure_key));
    assert_eq!(
        (chat.state, chat.last, chat.after),
        (ChatState::Waiting, 1, 0)
    );
    assert_eq!(chat.client_timeout, new.client_timeout);
    assert!(chat.members.is_empty() && !chat.client_typing && chat.first_answer.is_none());
    // The clocks of the servers are this one, to the second.
    assert!(chat.started.since(before) < Duration::from_secs(20));
    assert_eq!(chat.started, chat.last_event);
    let event = &chat.events[0];
    assert_eq!(
        (row(event).as_str(), event.party),
        ("Ann joined", Party::Client)
    );
    assert_eq!((event.at, chat.events.len()), (Duration::ZERO, 1));
    assert_eq!(read(store, &id).await, chat);
}

async fn repeated_start_returns_the_same_chat(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, client_message("Hello")).await;
    let before = read(store, &id).await;
    let other = NewChat {
        session_id: "other".to_owned(),
        secure_key: "other".to_owned(),
        nickname: "Eve".to_owned(),
        max_events: 1,
        ..new_chat()
    };
    let (outcome, chat) = outcome_of(store.start_chat(&id, &other).await.unwrap());
    assert_eq!((outcome, &chat), (ChatOutcome::Done, &before));
    act(store, &id, ChatAction::ClientEnd(None)).await;
    let ended = read(store, &id).await;
    let (outcome, chat) = outcome_of(store.start_chat(&id, &other).await.unwrap());
    assert_eq!((outcome, chat), (ChatOutcome::Done, ended));
}

async fn chat_needs_a_service_and_a_start(store: &dyn Store) {
    let absent = ServiceId::generate();
    let started = store.start_chat(&absent, &new_chat()).await.unwrap();
    assert_eq!(started, ChatReply::ServiceNotFound);
    let id = create_service(store, Vec::new()).await;
    let running = store.running_service(&id).await.unwrap().unwrap();
    for action in [ChatAction::Read, client_message("Hello"), join("bob")] {
        let window = ChatWindow::After(0);
        let reply = store.update_chat(&absent, &action, window).await.unwrap();
        assert_eq!(reply, ChatReply::ServiceNotFound);
        let reply = store.update_chat(&id, &action, window).await.unwrap();
        assert_eq!(reply, ChatReply::NotStarted(running.clone()));
    }
    let versions = store.chat_versions(&[absent, id]).await.unwrap();
    assert_eq!(versions, [None, None]);
}

async fn messages_are_stored_in_order(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let chat = act(store, &id, client_message("one")).await;
    assert_eq!((chat.last, chat.state), (2, ChatState::Waiting));
    act(store, &id, client_message("")).await;
    act(
        store,
        &id,
        ChatAction::ClientRefresh(Some("three".to_owned())),
    )
    .await;
    let chat = act(store, &id, ChatAction::ClientRefresh(None)).await;
    assert_eq!(chat.last, 4);
    let expected = ["Ann: one", "Ann: ", "Ann: three"];
    assert_eq!(transcript(store, &id).await, expected);
    let times: Vec<Duration> = chat.events.iter().map(|event| event.at).collect();
    assert!(times.is_sorted());
    let last = chat.last_event.since(chat.started);
    assert_eq!(times.last(), Some(&last));
}

async fn typing_of_the_client_takes_no_position(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    for typing in [true, true, false, false, true] {
        let chat = act(store, &id, ChatAction::ClientTyping(typing)).await;
        assert_eq!((chat.client_typing, chat.last), (typing, 1));
        let expected = ChatVersion {
            last: 1,
            ended: false,
            client_typing: typing,
        };
        assert_eq!(version_of(store, &id).await, Some(expected));
    }
    let chat = act(store, &id, client_message("Hello")).await;
    assert!(!chat.client_typing, "a message ends typing");
    act(store, &id, ChatAction::ClientTyping(true)).await;
    let chat = act(store, &id, ChatAction::ClientEnd(None)).await;
    assert!(!chat.client_typing, "the end ends typing");
}

async fn end_of_the_client_writes_message_and_notice(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join("bob")).await;
    act(store, &id, agent_typing("bob", true)).await;
    let chat = act(store, &id, ChatAction::ClientEnd(Some("Bye".to_owned()))).await;
    assert!(chat.has_ended() && !chat.members[0].typing);
    assert_eq!(
        transcript(store, &id).await,
        ["BOB joined", "BOB types", "Ann: Bye", "Ann left"]
    );
    let version = version_of(store, &id).await.unwrap();
    assert!(version.ended && version.last == 5);
}

async fn ended_chat_refuses_changes_and_can_be_read(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join("bob")).await;
    act(store, &id, ChatAction::ClientEnd(None)).await;
    let text = || Some("late".to_owned());
    for action in [
        client_message("late"),
        ChatAction::ClientRefresh(text()),
        ChatAction::ClientTyping(true),
        ChatAction::ClientEnd(text()),
        ChatAction::ClientEnd(None),
        join("bob"),
        join("eve"),
        agent_message("bob", "late"),
        agent_typing("bob", true),
        super::leave("bob"),
        ChatAction::AgentEnd("bob".to_owned()),
    ] {
        assert_refused(store, &id, action, ChatOutcome::Ended).await;
    }
    let ended = read(store, &id).await;
    for action in [
        ChatAction::ClientPresent,
        ChatAction::ClientRefresh(None),
        ChatAction::ClientTimeout,
    ] {
        assert_eq!(act(store, &id, action).await, ended);
    }
}

/// A chat whose client leaves with the first check.
fn without_timeout() -> NewChat {
    NewChat {
        client_timeout: Duration::ZERO,
        ..new_chat()
    }
}

async fn absent_client_leaves_and_joins_again(store: &dyn Store) {
    let id = create_chat(store, &without_timeout()).await;
    act(store, &id, ChatAction::ClientTyping(true)).await;
    for _ in 0..2 {
        let chat = act(store, &id, ChatAction::ClientTimeout).await;
        assert_eq!((chat.last, chat.client_typing), (2, false));
        assert_eq!(chat.state, ChatState::Waiting, "it does not end the chat");
    }
    for _ in 0..2 {
        let chat = act(store, &id, ChatAction::ClientPresent).await;
        assert_eq!(chat.last, 3);
    }
    assert_eq!(transcript(store, &id).await, ["Ann left", "Ann joined"]);
    // Each action of the client joins, a start too, and one of an agent does not.
    act(store, &id, ChatAction::ClientTimeout).await;
    act(store, &id, join("bob")).await;
    store.start_chat(&id, &new_chat()).await.unwrap();
    act(store, &id, ChatAction::ClientTimeout).await;
    act(store, &id, ChatAction::ClientTyping(true)).await;
    act(store, &id, ChatAction::ClientTimeout).await;
    act(store, &id, ChatAction::ClientEnd(None)).await;
    let rows = transcript(store, &id).await.split_off(2);
    let expected = [
        "Ann left",
        "BOB joined",
        "Ann joined",
        "Ann left",
        "Ann joined",
        "Ann left",
        "Ann joined",
        "Ann left",
    ];
    assert_eq!(rows, expected);
}

async fn present_client_does_not_leave(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let chat = act(store, &id, ChatAction::ClientTimeout).await;
    assert_eq!(chat.last, 1);
    let short = NewChat {
        client_timeout: Duration::from_secs(4),
        ..new_chat()
    };
    let id = create_chat(store, &short).await;
    // It is never absent for four seconds, but since the start for longer.
    for _ in 0..9 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        act(store, &id, ChatAction::ClientPresent).await;
        let (_, chat) = try_act(store, &id, ChatAction::ClientTimeout).await;
        assert_eq!(chat.last, 1);
    }
}

async fn absent_client_with_a_message_joins_first(store: &dyn Store) {
    let id = create_chat(store, &without_timeout()).await;
    act(store, &id, ChatAction::ClientTimeout).await;
    let chat = act(store, &id, client_message("Here")).await;
    assert_eq!(chat.last, 4);
    let expected = ["Ann left", "Ann joined", "Ann: Here"];
    assert_eq!(transcript(store, &id).await, expected);
}
