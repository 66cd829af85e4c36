//! The end of a chat with its service.

use redis::AsyncCommands;
use switchboard::{
    model::{
        ServiceId, Timestamp,
        chat::{ChatAction, ChatOutcome, ChatReply, ChatWindow},
    },
    store::{ServiceStore, Store},
};

use super::{
    act, client_message, create_chat, join, new_chat, read, summary_of, transcript, version_of,
};
use crate::support::{
    ends::{before_end, is_written},
    eventually, now,
    stores::{
        RedisFixture, create_until, file, in_ms, on_every_store, set_changes, sleep_until,
        test_bytes, upload,
    },
};

on_every_store!(
    deleted_service_has_no_chat,
    expired_service_has_no_chat,
    end_of_the_service_moves_the_end_of_the_chat,
    end_moves_with_all_resources,
    end_in_the_past_ends_the_chat,
    chat_stays_readable_after_its_end,
);

/// Asserts that nothing of the chat is readable, and that it cannot be started again.
async fn assert_gone(store: &dyn Store, id: &ServiceId) {
    for action in [
        ChatAction::Read,
        ChatAction::ClientPresent,
        ChatAction::ClientRefresh(None),
        client_message("late"),
        join("bob"),
        ChatAction::AgentEnd("bob".to_owned()),
    ] {
        let reply = store.update_chat(id, &action, ChatWindow::After(0)).await;
        assert_eq!(reply.unwrap(), ChatReply::ServiceNotFound);
    }
    let started = store.start_chat(id, &new_chat()).await.unwrap();
    assert_eq!(started, ChatReply::ServiceNotFound);
    assert_eq!(summary_of(store, id).await, None);
    for ended in [false, true] {
        let listed = store.list_chats(ended, None, 100).await.unwrap();
        assert_eq!(listed.chats, []);
    }
}

async fn deleted_service_has_no_chat(store: &dyn Store) {
    for ends_first in [false, true] {
        let id = create_chat(store, &new_chat()).await;
        act(store, &id, client_message("Hello")).await;
        if ends_first {
            act(store, &id, ChatAction::ClientEnd(None)).await;
        }
        store.delete(&id).await.unwrap();
        assert_gone(store, &id).await;
    }
}

/// Creates a chat with a message; `None` if its service has ended before.
async fn create_chat_until(store: &dyn Store, end: Timestamp) -> Option<ServiceId> {
    let id = create_until(store, end, Vec::new()).await;
    let (message, window) = (client_message("Hello"), ChatWindow::After(0));
    for reply in [
        store.start_chat(&id, &new_chat()).await,
        store.update_chat(&id, &message, window).await,
    ] {
        let reply = reply.unwrap();
        if !matches!(reply, ChatReply::Chat(ChatOutcome::Done, _)) {
            return None;
        }
    }
    Some(id)
}

async fn expired_service_has_no_chat(store: &dyn Store) {
    let (id, end) = before_end(300, async |end| create_chat_until(store, end).await).await;
    sleep_until(end).await;
    assert_gone(store, &id).await;
    assert_eq!(version_of(store, &id).await, None);
}

async fn end_of_the_service_moves_the_end_of_the_chat(store: &dyn Store) {
    let later = in_ms(60_000);
    let (id, end) = before_end(300, async |end| {
        let id = create_chat_until(store, end).await?;
        store.set_end(&id, later).await.unwrap()?;
        Some(id)
    })
    .await;
    sleep_until(end).await;
    assert_eq!(transcript(store, &id).await, ["Ann: Hello"]);
    act(store, &id, join("bob")).await;
    let soon = in_ms(100);
    assert_eq!(store.set_end(&id, soon).await.unwrap(), Some(()));
    sleep_until(soon).await;
    assert_gone(store, &id).await;
}

async fn end_moves_with_all_resources(store: &dyn Store) {
    let later = in_ms(60_000);
    let (id, end) = before_end(400, async |end| {
        let id = create_chat_until(store, end).await?;
        let binary = upload(store, &id, &test_bytes(10)).await;
        let changes = set_changes(vec![file("map", &binary)]);
        let stored = is_written(store, &id, changes, None).await;
        store.set_end(&id, later).await.unwrap()?;
        stored.then_some(id)
    })
    .await;
    sleep_until(end).await;
    assert_eq!(transcript(store, &id).await, ["Ann: Hello"]);
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.end, description.binaries.len()), (later, 1));
}

async fn end_in_the_past_ends_the_chat(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    let past = Timestamp::from_millis(1);
    assert_eq!(store.set_end(&id, past).await.unwrap(), Some(()));
    assert_gone(store, &id).await;
}

async fn chat_stays_readable_after_its_end(store: &dyn Store) {
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, ChatAction::ClientEnd(Some("Bye".to_owned()))).await;
    store.set_end(&id, in_ms(60_000)).await.unwrap();
    assert_eq!(transcript(store, &id).await, ["Ann: Bye", "Ann left"]);
    assert!(read(store, &id).await.has_ended());
}

/// The expiration of the chat and of its service, in ms.
async fn expirations(redis: &RedisFixture, id: &ServiceId) -> [i64; 2] {
    let mut connection = redis.connection.clone();
    let mut expirations = [0; 2];
    for (expiration, kind) in expirations.iter_mut().zip(["chat", "svc"]) {
        let key = format!("{}{kind}:{{{id}}}", redis.prefix);
        *expiration = connection.pexpire_time(&key).await.unwrap();
    }
    expirations
}

#[tokio::test]
async fn chat_expires_at_the_millisecond_of_its_service() {
    let redis = RedisFixture::shared().await;
    let id = create_chat(&redis.store, &new_chat()).await;
    for end in [in_ms(90_000), in_ms(300_000), in_ms(5_000)] {
        redis.store.set_end(&id, end).await.unwrap();
        let [chat, service] = expirations(&redis, &id).await;
        assert_eq!((chat, service), (end.millis(), end.millis()));
        act(&redis.store, &id, client_message("Hello")).await;
        assert_eq!(expirations(&redis, &id).await, [chat, service]);
    }
    let end = in_ms(100);
    redis.store.set_end(&id, end).await.unwrap();
    eventually("the chat expires", async || {
        let [chat, service] = expirations(&redis, &id).await;
        assert!(now() >= end || chat == end.millis(), "{chat}");
        (chat == -2 && service == -2).then_some(())
    })
    .await;
}
