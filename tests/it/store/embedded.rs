//! What only the embedded store can show: it says when it is full, and takes back the room of what
//! has ended.

use switchboard::store::{BlobId, Store, StoreError, memory::MemoryStore};

use crate::support::stores::{
    download, empty, file, in_ms, key, make, make_until, pairs, past, removing, setting,
    some_bytes, text, texts, upload, write,
};

/// Names and values that take up this many bytes fill it.
const ROOM: usize = 1_000;

fn small() -> MemoryStore {
    MemoryStore::new(ROOM, 100)
}

/// One key that takes up `bytes`, its name included.
fn taking(bytes: usize) -> String {
    "v".repeat(bytes - 1)
}

/// The store takes `bytes` more and not one byte beyond.
async fn assert_room(store: &MemoryStore, bytes: usize) {
    let too_much = make_result(store, &taking(bytes + 1)).await;
    assert!(matches!(too_much, Err(StoreError::Full(_))), "{too_much:?}");
    make_result(store, &taking(bytes)).await.unwrap();
}

/// Tries to make a service with `value` under a name of one byte; what was made is deleted again.
async fn make_result(store: &MemoryStore, value: &str) -> Result<(), StoreError> {
    let mut service = empty();
    let id = service.id.clone();
    service.data = vec![text("k", value)];
    store.create(service).await?;
    store.delete(&id).await.map(drop)
}

#[tokio::test]
async fn a_full_store_refuses_and_changes_nothing() {
    let store = small();
    let id = make(&store, vec![text("k", &taking(900))]).await;
    let too_much = setting(vec![text("a", "1"), text("b", &taking(100))]);
    let refused = store.write(&id, too_much).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    let blob = BlobId::fresh();
    let refused = store.write_chunk(&id, &blob, 0, &[0; 101]).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(texts(&store, &id).await, pairs(&[("k", &taking(900))]));
    assert_room(&store, 100).await;
}

#[tokio::test]
async fn what_is_deleted_removed_or_cleared_makes_room() {
    let store = small();
    let id = make(&store, vec![text("k", &taking(900))]).await;
    store.delete(&id).await.unwrap();
    assert_room(&store, ROOM).await;

    let id = make(&store, vec![text("k", &taking(900))]).await;
    write(&store, &id, removing(&["k"])).await;
    assert_room(&store, ROOM).await;

    write(&store, &id, setting(vec![text("k", &taking(900))])).await;
    store.clear(&id).await.unwrap();
    assert_room(&store, ROOM).await;
}

#[tokio::test]
async fn what_has_ended_makes_room() {
    let (store, end) = (small(), in_ms(50));
    let id = make_until(&store, end, vec![text("k", &taking(500))]).await;
    let binary = upload(&store, &id, &some_bytes(400)).await;
    write(&store, &id, setting(vec![file("m", &binary)])).await;
    past(end).await;
    store.sweep();
    assert_room(&store, ROOM).await;
}

#[tokio::test]
async fn bytes_given_up_make_room() {
    let store = small();
    let id = make(&store, Vec::new()).await;
    let binary = upload(&store, &id, &some_bytes(900)).await;
    assert_room(&store, 100).await;
    store.discard(&id, &[binary.blob]).await.unwrap();
    assert_room(&store, ROOM).await;
}

#[tokio::test]
async fn a_service_deleted_takes_its_bytes_along() {
    let store = small();
    let id = make(&store, Vec::new()).await;
    let binary = upload(&store, &id, &some_bytes(900)).await;
    write(&store, &id, setting(vec![file("m", &binary)])).await;
    store.delete(&id).await.unwrap();
    assert_eq!(download(&store, &id, &binary).await, None);
    assert_room(&store, ROOM).await;
}

#[tokio::test]
async fn a_value_replaced_counts_once() {
    let store = small();
    let id = make(&store, vec![text("k", &taking(500))]).await;
    for bytes in [400, 300, 200, 100] {
        write(&store, &id, setting(vec![text("k", &taking(bytes))])).await;
    }
    assert_room(&store, 900).await;
    let slot = store.find_binary(&id, &key("k")).await.unwrap();
    assert_eq!(slot, Some(None));
}
