//! The cleanup of chats in Redis: by the leader, which is a running replica.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, cmd};
use switchboard::{
    model::{
        ServiceId,
        chat::{ChatAction, NewChat},
    },
    store::{ChatStore, ServiceStore},
};

use super::{act, client_message, create_chat, join, new_chat, row, transcript};
use crate::support::{
    eventually, now,
    stores::{RedisFixture, in_ms, keys_under, on_redis_and_cluster},
};

on_redis_and_cluster!(
    nothing_remains_of_the_chats_of_ended_services,
    absent_client_leaves,
    entries_without_a_chat_are_removed,
    ended_chats_are_moved,
    an_unreadable_chat_does_not_hide_the_others,
    a_lost_entry_is_added_again_by_the_client,
    a_lost_entry_of_an_ended_chat_is_added_again,
    a_lost_entry_is_added_again_by_a_start,
);

fn list_key(redis: &RedisFixture, list: &str) -> String {
    format!("{}{{chats}}:{list}", redis.prefix)
}

/// Sends a command to the server that has its key.
async fn query<T: FromRedisValue>(redis: &RedisFixture, command: &Cmd) -> T {
    for mut connection in redis.connections().await {
        match command.query_async(&mut connection).await {
            Ok(reply) => return reply,
            Err(error) => assert!(error.is_cluster_error(), "{error}"),
        }
    }
    panic!("no server has the key");
}

/// The entries of the lists of open and of ended chats.
async fn listed(redis: &RedisFixture) -> [Vec<String>; 2] {
    let entries = async |list| {
        let mut range = cmd("ZRANGE");
        range.arg(list_key(redis, list)).arg(0).arg(-1);
        query(redis, &range).await
    };
    [entries("open").await, entries("ended").await]
}

/// Adds an entry to a list, for a chat that was started this long ago.
async fn add_entry(redis: &RedisFixture, list: &str, id: &str, started: Duration) {
    let mut add = cmd("ZADD");
    let score = now().before(started).millis();
    add.arg(list_key(redis, list)).arg(score).arg(id);
    query::<()>(redis, &add).await;
}

async fn nothing_remains_of_the_chats_of_ended_services(redis: RedisFixture) {
    let store = &redis.store;
    let replica = redis.start_replica().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        let id = create_chat(store, &new_chat()).await;
        act(store, &id, join("bob")).await;
        ids.push(id);
    }
    for id in &ids[..3] {
        act(store, id, ChatAction::ClientEnd(None)).await;
    }
    for (n, id) in ids.iter().enumerate() {
        if n % 2 == 0 {
            store.delete(id).await.unwrap();
        } else {
            store.set_end(id, in_ms(200)).await.unwrap();
        }
    }
    eventually("all keys are removed", async || {
        let mut remaining = Vec::new();
        for mut connection in redis.connections().await {
            remaining.extend(keys_under(&mut connection, &redis.prefix).await);
        }
        remaining.is_empty().then_some(())
    })
    .await;
    replica.stop().await;
}

async fn absent_client_leaves(redis: RedisFixture) {
    let store = &redis.store;
    let short = NewChat {
        client_timeout: Duration::from_secs(1),
        ..new_chat()
    };
    let ids = [
        create_chat(store, &short).await,
        create_chat(store, &short).await,
        create_chat(store, &new_chat()).await,
    ];
    let replica = redis.start_replica().await;
    eventually("the clients leave", async || {
        let mut rows = Vec::new();
        for id in &ids {
            let chat = super::read(store, id).await;
            rows.push(chat.events.iter().map(row).collect::<Vec<_>>());
        }
        let left = ["Ann joined", "Ann left"];
        assert_eq!(rows[2], left[..1], "its timeout is long");
        (rows[0] == left && rows[1] == left).then_some(())
    })
    .await;
    act(store, &ids[0], client_message("Here")).await;
    // It may have left again.
    let expected = ["Ann left", "Ann joined", "Ann: Here"];
    assert_eq!(transcript(store, &ids[0]).await[..3], expected);
    replica.stop().await;
}

async fn entries_without_a_chat_are_removed(redis: RedisFixture) {
    let id = create_chat(&redis.store, &new_chat()).await;
    for list in ["open", "ended"] {
        add_entry(&redis, list, "00000000-old", Duration::from_secs(3_600)).await;
        // The start of this one may be in progress.
        add_entry(&redis, list, "00000000-new", Duration::from_secs(1)).await;
    }
    let replica = redis.start_replica().await;
    eventually("old entries are removed", async || {
        let [mut open, ended] = listed(&redis).await;
        open.retain(|entry| entry.as_str() != id.as_str());
        for list in [&open, &ended] {
            assert!(list.iter().any(|entry| entry == "00000000-new"));
        }
        (open.len() == 1 && ended.len() == 1).then_some(())
    })
    .await;
    replica.stop().await;
}

/// A replica that crashes after the end of a chat has not moved it.
async fn ended_chats_are_moved(redis: RedisFixture) {
    let id = create_chat(&redis.store, &new_chat()).await;
    act(&redis.store, &id, ChatAction::ClientEnd(None)).await;
    assert_eq!(listed(&redis).await, [vec![], vec![id.to_string()]]);
    let mut remove = cmd("ZREM");
    remove.arg(list_key(&redis, "ended")).arg(id.as_str());
    query::<()>(&redis, &remove).await;
    add_entry(&redis, "open", id.as_str(), Duration::from_secs(3)).await;
    let replica = redis.start_replica().await;
    eventually("the chat is moved", async || {
        (listed(&redis).await == [vec![], vec![id.to_string()]]).then_some(())
    })
    .await;
    replica.stop().await;
}

async fn an_unreadable_chat_does_not_hide_the_others(redis: RedisFixture) {
    let unreadable = create_chat(&redis.store, &new_chat()).await;
    let other = create_chat(&redis.store, &new_chat()).await;
    let mut corrupt = cmd("HSET");
    corrupt.arg(format!("{}chat:{{{unreadable}}}", redis.prefix));
    query::<()>(&redis, corrupt.arg("last_at").arg("x")).await;
    for id in [unreadable.as_str(), "00000000-old"] {
        add_entry(&redis, "open", id, Duration::from_secs(3_600)).await;
    }
    let page = redis.store.list_chats(false, None, 10).await.unwrap();
    let ids: Vec<_> = page.chats.into_iter().map(|chat| chat.id).collect();
    assert_eq!(ids, std::slice::from_ref(&other));
    let replica = redis.start_replica().await;
    eventually("the sweep removes the entry without a chat", async || {
        let [open, _] = listed(&redis).await;
        (open == [unreadable.to_string(), other.to_string()]).then_some(())
    })
    .await;
    replica.stop().await;
}

async fn lose_entry(redis: &RedisFixture, list: &str, id: &ServiceId) {
    let mut remove = cmd("ZREM");
    remove.arg(list_key(redis, list)).arg(id.as_str());
    query::<()>(redis, &remove).await;
}

/// Asserts that the place of a chat in a list is that of its start. The servers of a Cluster have the clock of this
/// machine.
async fn assert_place(redis: &RedisFixture, list: &str, id: &ServiceId) {
    let started = act(&redis.store, id, ChatAction::Read).await.started;
    let mut read = cmd("ZSCORE");
    read.arg(list_key(redis, list)).arg(id.as_str());
    let entry: f64 = query(redis, &read).await;
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds are well below 2^53"
    )]
    let difference = (entry - started.millis() as f64).abs();
    assert!(difference < 1_000.0, "{difference}");
}

/// A chat whose entry is checked every half second.
fn short_chat() -> NewChat {
    NewChat {
        client_timeout: Duration::from_secs(1),
        ..new_chat()
    }
}

async fn a_lost_entry_is_added_again_by_the_client(redis: RedisFixture) {
    let store = &redis.store;
    let id = create_chat(store, &short_chat()).await;
    lose_entry(&redis, "open", &id).await;
    // Only the client is present; nothing sweeps.
    eventually("the chat is listed", async || {
        act(store, &id, ChatAction::ClientPresent).await;
        let page = store.list_chats(false, None, 10).await.unwrap();
        page.chats.iter().any(|chat| chat.id == id).then_some(())
    })
    .await;
    assert_place(&redis, "open", &id).await;
    act(store, &id, ChatAction::ClientEnd(None)).await;
    assert_eq!(listed(&redis).await, [vec![], vec![id.to_string()]]);
}

async fn a_lost_entry_of_an_ended_chat_is_added_again(redis: RedisFixture) {
    let store = &redis.store;
    for action in [ChatAction::ClientRefresh(None), ChatAction::Read] {
        let id = create_chat(store, &short_chat()).await;
        act(store, &id, ChatAction::ClientEnd(None)).await;
        lose_entry(&redis, "ended", &id).await;
        eventually("the chat is listed", async || {
            act(store, &id, action.clone()).await;
            let page = store.list_chats(true, None, 10).await.unwrap();
            page.chats.iter().any(|chat| chat.id == id).then_some(())
        })
        .await;
        assert_place(&redis, "ended", &id).await;
    }
}

async fn a_lost_entry_is_added_again_by_a_start(redis: RedisFixture) {
    let store = &redis.store;
    let open = create_chat(store, &new_chat()).await;
    let ended = create_chat(store, &new_chat()).await;
    act(store, &ended, ChatAction::ClientEnd(None)).await;
    lose_entry(&redis, "open", &open).await;
    lose_entry(&redis, "ended", &ended).await;
    // Longer than the tolerance of the place.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for id in [&open, &ended] {
        store.start_chat(id, &new_chat()).await.unwrap();
    }
    let expected = [vec![open.to_string()], vec![ended.to_string()]];
    assert_eq!(listed(&redis).await, expected);
    assert_place(&redis, "open", &open).await;
    assert_place(&redis, "ended", &ended).await;
}
