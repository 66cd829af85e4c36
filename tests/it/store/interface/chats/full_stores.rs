//! A store without free memory refuses writes, which then change nothing; chats remain readable.

use std::sync::Arc;

use redis::cmd;
use switchboard::{
    model::{
        ServiceId, StoreError,
        chat::{ChatAction, ChatWindow},
    },
    store::{Store, memory::MemoryStore},
};

use super::{
    act, agent_message, agent_typing, client_message, create_chat, join, new_chat, read,
    summary_of, version_of,
};
use crate::support::{
    TestRedis,
    stores::{
        MAX_KEYS, RedisFixture, create_service, keys_under, remove_changes, set_changes, text,
        write_changes,
    },
};

async fn assert_refused(store: &dyn Store, id: &ServiceId, refused: &[ChatAction]) {
    let before = read(store, id).await;
    for action in refused {
        let reply = store.update_chat(id, action, ChatWindow::After(0)).await;
        assert!(
            matches!(reply, Err(StoreError::Full(_))),
            "{action:?}: {reply:?}"
        );
        assert_eq!(read(store, id).await, before, "{action:?}");
    }
    for action in [ChatAction::ClientPresent, ChatAction::ClientRefresh(None)] {
        assert_eq!(act(store, id, action).await, before);
    }
    assert_eq!(summary_of(store, id).await.unwrap().last, before.last);
    assert!(version_of(store, id).await.is_some());
    assert_eq!(
        store.list_chats(false, None, 10).await.unwrap().chats.len(),
        1
    );
}

#[tokio::test]
async fn full_embedded_store_refuses_messages() {
    let store = MemoryStore::new(64 * 1024, MAX_KEYS);
    let id = create_chat(&store, &new_chat()).await;
    act(&store, &id, join("bob")).await;
    let other = create_service(&store, Vec::new()).await;
    let filler = "x".repeat(64 * 1024 - 1_000);
    write_changes(&store, &other, set_changes(vec![text("k", &filler)])).await;
    let long = "x".repeat(2_000);
    let refused = [
        client_message(&long),
        ChatAction::ClientRefresh(Some(long.clone())),
        ChatAction::ClientEnd(Some(long.clone())),
        agent_message("bob", &long),
    ];
    assert_refused(&store, &id, &refused).await;
    write_changes(&store, &other, remove_changes(&["k"])).await;
    act(&store, &id, client_message(&long)).await;
    // The memory of a chat is free after the end of its service.
    for _ in 0..100 {
        let id = create_chat(&store, &new_chat()).await;
        act(&store, &id, client_message(&"x".repeat(16 * 1024))).await;
        switchboard::store::ServiceStore::delete(&store, &id)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn full_redis_refuses_changes() {
    let redis = RedisFixture::new(Arc::new(TestRedis::dedicated())).await;
    let mut connection = redis.connection.clone();
    let mut limit = async |bytes: &str| {
        let mut set = cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(bytes);
        set.arg("maxmemory-policy").arg("noeviction");
        set.query_async::<()>(&mut connection).await.unwrap();
    };
    let store = &redis.store;
    let id = create_chat(store, &new_chat()).await;
    act(store, &id, join("bob")).await;
    let without_chat = create_service(store, Vec::new()).await;
    limit("1").await;
    let refused = [
        client_message("x"),
        ChatAction::ClientRefresh(Some("x".to_owned())),
        ChatAction::ClientTyping(true),
        ChatAction::ClientEnd(None),
        join("eve"),
        agent_message("bob", "x"),
        agent_typing("bob", true),
        super::leave("bob"),
        ChatAction::AgentEnd("bob".to_owned()),
    ];
    assert_refused(store, &id, &refused).await;
    let started = store_start(store, &without_chat).await;
    assert!(matches!(started, Err(StoreError::Full(_))), "{started:?}");
    let mut connection = redis.connection.clone();
    let mut keys = keys_under(&mut connection, &redis.prefix).await;
    keys.retain(|key| key.contains(without_chat.as_str()));
    assert_eq!(keys, [format!("{}svc:{{{without_chat}}}", redis.prefix)]);
    limit("0").await;
    act(store, &id, client_message("x")).await;
    store_start(store, &without_chat).await.unwrap();
}

async fn store_start(
    store: &dyn Store,
    id: &ServiceId,
) -> Result<switchboard::model::chat::ChatReply, StoreError> {
    store.start_chat(id, &new_chat()).await
}
