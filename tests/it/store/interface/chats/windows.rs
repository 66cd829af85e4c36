//! The events of a reply, and the limits of replies, transcripts and messages.

use switchboard::{
    model::chat::{
        ChatAction, ChatOutcome, ChatWindow, MAX_EVENT_BYTES_PER_REPLY, MAX_EVENTS_PER_REPLY,
        MAX_POSITION, NewChat,
    },
    store::Store,
};

use super::{
    act, agent_message, agent_typing, assert_refused, client_message, create_chat, join, leave,
    new_chat, outcome_of, read, read_window, transcript,
};
use crate::support::stores::on_every_store;

on_every_store!(
    window_after_a_position_has_the_events_after_it,
    window_after_refresh_has_what_is_new,
    refused_refresh_does_not_move_the_window,
    refresh_with_a_position_moves_the_window,
    reply_has_a_maximum_number_of_events,
    reply_has_a_maximum_size,
    full_transcript_refuses_events,
    parties_leave_a_full_chat,
    returning_client_needs_room_for_two_events,
    long_message_is_refused,
);

async fn window_after_a_position_has_the_events_after_it(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    for text in ["2", "3", "4"] {
        act(store, &id, client_message(text)).await;
    }
    for after in 0..=4 {
        let chat = read_window(store, &id, ChatWindow::After(after)).await;
        let skipped = usize::try_from(after).unwrap();
        assert_eq!(chat.events, read(store, &id).await.events[skipped..]);
        assert_eq!((chat.after, chat.position(), chat.last), (after, 4, 4));
    }
    for (after, expected) in [
        (5, 5),
        (MAX_POSITION, MAX_POSITION),
        (MAX_POSITION + 1, MAX_POSITION),
        (u64::MAX, MAX_POSITION),
    ] {
        let chat = read_window(store, &id, ChatWindow::After(after)).await;
        assert!(chat.events.is_empty() && chat.is_complete());
        assert_eq!((chat.after, chat.position()), (expected, expected));
    }
}

/// Refreshes without a position; returns the positions around the events of the reply.
async fn refresh(
    store: &dyn Store,
    id: &switchboard::model::ServiceId,
    message: Option<&str>,
) -> (u64, u64) {
    let action = ChatAction::ClientRefresh(message.map(str::to_owned));
    let window = ChatWindow::AfterRefresh;
    let reply = store.update_chat(id, &action, window).await.unwrap();
    let (outcome, chat) = outcome_of(reply);
    assert_eq!(outcome, ChatOutcome::Done);
    (chat.after, chat.position())
}

async fn window_after_refresh_has_what_is_new(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    assert_eq!(refresh(store, &id, None).await, (0, 1));
    assert_eq!(refresh(store, &id, None).await, (1, 1));
    act(store, &id, join("bob")).await;
    act(store, &id, agent_message("bob", "Hello")).await;
    // Other requests do not move it.
    let window = ChatWindow::AfterRefresh;
    let reply = store.update_chat(&id, &ChatAction::ClientPresent, window);
    assert_eq!(outcome_of(reply.await.unwrap()).1.after, 1);
    assert_eq!(refresh(store, &id, Some("Hi")).await, (1, 4));
    act(store, &id, ChatAction::ClientEnd(None)).await;
    assert_eq!(refresh(store, &id, None).await, (4, 5));
    assert_eq!(refresh(store, &id, None).await, (5, 5));
}

async fn refused_refresh_does_not_move_the_window(store: &dyn Store) {
    let short = NewChat {
        max_message_bytes: 3,
        ..new_chat()
    };
    let id = create_chat(store, &short).await;
    let long = ChatAction::ClientRefresh(Some("long".to_owned()));
    let window = ChatWindow::AfterRefresh;
    let reply = store.update_chat(&id, &long, window).await.unwrap();
    assert_eq!(outcome_of(reply).0, ChatOutcome::MessageTooLong(3));
    assert_eq!(refresh(store, &id, None).await, (0, 1));
}

async fn refresh_with_a_position_moves_the_window(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, client_message("2")).await;
    for (after, next) in [(0, 2), (2, 2), (1, 2), (9, 2)] {
        let window = ChatWindow::After(after);
        let action = ChatAction::ClientRefresh(None);
        store.update_chat(&id, &action, window).await.unwrap();
        assert_eq!(refresh(store, &id, None).await, (next, 2), "{after}");
    }
}

async fn reply_has_a_maximum_number_of_events(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let max = MAX_EVENTS_PER_REPLY as u64;
    for n in 2..=max + 1 {
        let window = ChatWindow::After(n);
        let action = client_message(&n.to_string());
        store.update_chat(&id, &action, window).await.unwrap();
    }
    let chat = read(store, &id).await;
    assert_eq!((chat.position(), chat.last), (max, max + 1));
    assert!(!chat.is_complete());
    let chat = read_window(store, &id, ChatWindow::After(1)).await;
    assert_eq!((chat.events.len(), chat.is_complete()), (500, true));
    let ended = act(store, &id, ChatAction::ClientEnd(None)).await;
    assert!(!ended.has_ended(), "more events follow");
    let rest = read_window(store, &id, ChatWindow::After(ended.position())).await;
    assert!(rest.has_ended());
    assert_eq!(transcript(store, &id).await.len(), 501);
    // A refresh continues where the previous one ended.
    assert_eq!(refresh(store, &id, None).await, (0, max));
    assert_eq!(refresh(store, &id, None).await, (max, max + 2));
}

async fn reply_has_a_maximum_size(store: &dyn Store) {
    let large = NewChat {
        max_message_bytes: 1 << 20,
        ..new_chat()
    };
    let id = create_chat(store, &large).await;
    // Two of them fit.
    let text = "x".repeat(MAX_EVENT_BYTES_PER_REPLY * 2 / 5);
    for _ in 0..5 {
        act(store, &id, client_message(&text)).await;
    }
    act(store, &id, client_message(&"y".repeat(1 << 20))).await;
    act(store, &id, client_message("z")).await;
    let (mut position, mut pages) = (0, Vec::new());
    while position < 8 {
        let chat = read_window(store, &id, ChatWindow::After(position)).await;
        pages.push(chat.events.len());
        position = chat.position();
    }
    assert_eq!(pages, [3, 2, 1, 1, 1]);
    assert_eq!(refresh(store, &id, None).await, (0, 3));
    assert_eq!(refresh(store, &id, None).await, (3, 5));
}

fn limited(max_events: u64) -> NewChat {
    NewChat {
        max_events,
        client_timeout: std::time::Duration::ZERO,
        ..new_chat()
    }
}

async fn full_transcript_refuses_events(store: &dyn Store) {
    let id = create_chat(store, &limited(3)).await;
    act(store, &id, join("bob")).await;
    act(store, &id, client_message("3")).await;
    let text = || Some("4".to_owned());
    for action in [
        client_message("4"),
        ChatAction::ClientRefresh(text()),
        ChatAction::ClientEnd(text()),
        agent_message("bob", "4"),
        agent_typing("bob", true),
        join("eve"),
    ] {
        assert_refused(store, &id, action, ChatOutcome::Full).await;
    }
    for action in [
        ChatAction::ClientRefresh(None),
        ChatAction::ClientPresent,
        ChatAction::ClientTimeout,
        agent_typing("bob", false),
        join("bob"),
    ] {
        assert_eq!(act(store, &id, action).await.last, 3);
    }
    let chat = act(store, &id, ChatAction::ClientTyping(true)).await;
    assert!(chat.client_typing);
}

async fn parties_leave_a_full_chat(store: &dyn Store) {
    let id = create_chat(store, &limited(3)).await;
    act(store, &id, join("bob")).await;
    act(store, &id, join("eve")).await;
    act(store, &id, leave("bob")).await;
    assert_refused(store, &id, join("bob"), ChatOutcome::Full).await;
    let chat = act(store, &id, ChatAction::ClientEnd(None)).await;
    assert!(chat.has_ended());
    let expected = ["BOB joined", "EVE joined", "BOB left", "Ann left"];
    assert_eq!(transcript(store, &id).await, expected);
}

async fn returning_client_needs_room_for_two_events(store: &dyn Store) {
    let id = create_chat(store, &limited(3)).await;
    act(store, &id, ChatAction::ClientTimeout).await;
    assert_refused(store, &id, client_message("4"), ChatOutcome::Full).await;
    let chat = act(store, &id, ChatAction::ClientPresent).await;
    assert_eq!(chat.last, 3);
    let id = create_chat(store, &limited(4)).await;
    act(store, &id, ChatAction::ClientTimeout).await;
    assert_eq!(act(store, &id, client_message("4")).await.last, 4);
}

async fn long_message_is_refused(store: &dyn Store) {
    let short = NewChat {
        max_message_bytes: 6,
        ..new_chat()
    };
    let id = create_chat(store, &short).await;
    act(store, &id, join("bob")).await;
    // The limit is in bytes, not in characters.
    let (fits, long) = ("\u{20ac}\u{20ac}", "\u{20ac}\u{20ac}.");
    for action in [
        client_message(long),
        ChatAction::ClientRefresh(Some(long.to_owned())),
        ChatAction::ClientEnd(Some(long.to_owned())),
        agent_message("bob", long),
    ] {
        assert_refused(store, &id, action, ChatOutcome::MessageTooLong(6)).await;
    }
    act(store, &id, agent_message("bob", fits)).await;
    act(store, &id, ChatAction::ClientEnd(Some(fits.to_owned()))).await;
}
