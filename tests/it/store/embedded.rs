//! What only the embedded store can show: it says when it is full, and takes back the room of what
//! has ended.

use switchboard::store::{BlobId, Store, StoreError, memory::MemoryStore};

use crate::support::stores::{
    create_service, create_until, download, empty_service, file, in_ms, key, owned_pairs,
    read_strings, remove_changes, set_changes, sleep_until, test_bytes, text, upload,
    write_changes,
};

/// Names and values that take up this many bytes fill it.
const LIMIT_BYTES: usize = 1_000;

fn small_store() -> MemoryStore {
    MemoryStore::new(LIMIT_BYTES, 100)
}

/// One key that takes up `bytes`, its name included.
fn text_of_size(bytes: usize) -> String {
    "v".repeat(bytes - 1)
}

/// The store takes `bytes` more and not one byte beyond.
async fn assert_free_bytes(store: &MemoryStore, bytes: usize) {
    let too_much = try_create(store, &text_of_size(bytes + 1)).await;
    assert!(matches!(too_much, Err(StoreError::Full(_))), "{too_much:?}");
    try_create(store, &text_of_size(bytes)).await.unwrap();
}

/// Tries to make a service with `value` under a name of one byte; what was made is deleted again.
async fn try_create(store: &MemoryStore, value: &str) -> Result<(), StoreError> {
    let mut service = empty_service();
    let id = service.id.clone();
    service.data = vec![text("k", value)];
    store.create(service).await?;
    store.delete(&id).await.map(drop)
}

#[tokio::test]
async fn a_full_store_refuses_and_changes_nothing() {
    let store = small_store();
    let id = create_service(&store, vec![text("k", &text_of_size(900))]).await;
    let too_much = set_changes(vec![text("a", "1"), text("b", &text_of_size(100))]);
    let refused = store.write(&id, too_much).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    let blob = BlobId::generate();
    let refused = store.write_chunk(&id, &blob, 0, &[0; 101]).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(
        read_strings(&store, &id).await,
        owned_pairs(&[("k", &text_of_size(900))])
    );
    assert_free_bytes(&store, 100).await;
}

#[tokio::test]
async fn what_is_deleted_removed_or_cleared_makes_room() {
    let store = small_store();
    let id = create_service(&store, vec![text("k", &text_of_size(900))]).await;
    store.delete(&id).await.unwrap();
    assert_free_bytes(&store, LIMIT_BYTES).await;

    let id = create_service(&store, vec![text("k", &text_of_size(900))]).await;
    write_changes(&store, &id, remove_changes(&["k"])).await;
    assert_free_bytes(&store, LIMIT_BYTES).await;

    write_changes(
        &store,
        &id,
        set_changes(vec![text("k", &text_of_size(900))]),
    )
    .await;
    store.clear(&id).await.unwrap();
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn what_has_ended_makes_room() {
    let (store, end) = (small_store(), in_ms(50));
    let id = create_until(&store, end, vec![text("k", &text_of_size(500))]).await;
    let binary = upload(&store, &id, &test_bytes(400)).await;
    write_changes(&store, &id, set_changes(vec![file("m", &binary)])).await;
    sleep_until(end).await;
    store.sweep();
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn bytes_given_up_make_room() {
    let store = small_store();
    let id = create_service(&store, Vec::new()).await;
    let binary = upload(&store, &id, &test_bytes(900)).await;
    assert_free_bytes(&store, 100).await;
    store.discard(&id, &[binary.blob]).await.unwrap();
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn a_service_deleted_takes_its_bytes_along() {
    let store = small_store();
    let id = create_service(&store, Vec::new()).await;
    let binary = upload(&store, &id, &test_bytes(900)).await;
    write_changes(&store, &id, set_changes(vec![file("m", &binary)])).await;
    store.delete(&id).await.unwrap();
    assert_eq!(download(&store, &id, &binary).await, None);
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn a_value_replaced_counts_once() {
    let store = small_store();
    let id = create_service(&store, vec![text("k", &text_of_size(500))]).await;
    for bytes in [400, 300, 200, 100] {
        write_changes(
            &store,
            &id,
            set_changes(vec![text("k", &text_of_size(bytes))]),
        )
        .await;
    }
    assert_free_bytes(&store, 900).await;
    let slot = store.find_binary(&id, &key("k")).await.unwrap();
    assert_eq!(slot, Some(None));
}
