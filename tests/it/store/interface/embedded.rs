//! Tests of the embedded store: its limit, and the release of memory.

use std::time::Duration;

use switchboard::{
    model::{BlobId, StoreError, WriteCondition},
    store::{BinaryStore, ServiceStore, StorageStore, memory::MemoryStore},
};

use crate::support::stores::{
    create_service, create_until, download, empty_service, file, in_ms, key, owned_pairs,
    read_strings, remove_changes, set_changes, sleep_until, test_bytes, text, upload,
    write_changes,
};

/// The limit in bytes of names and values.
const LIMIT_BYTES: usize = 1_000;

fn small_store() -> MemoryStore {
    MemoryStore::new(LIMIT_BYTES, 100)
}

/// The value of a key that takes up `bytes` in total, including a name of one byte.
fn text_of_size(bytes: usize) -> String {
    "v".repeat(bytes - 1)
}

/// The store has exactly `bytes` bytes left.
async fn assert_free_bytes(store: &MemoryStore, bytes: usize) {
    let rejected = try_create(store, &text_of_size(bytes + 1)).await;
    assert!(matches!(rejected, Err(StoreError::Full(_))), "{rejected:?}");
    try_create(store, &text_of_size(bytes)).await.unwrap();
}

/// Tries to create a service with `value` under a name of one byte, and deletes it again.
async fn try_create(store: &MemoryStore, value: &str) -> Result<(), StoreError> {
    let mut service = empty_service();
    let id = service.id.clone();
    service.data = vec![text("k", value)];
    store.create(service).await?;
    store.delete(&id).await.map(drop)
}

#[tokio::test]
async fn full_store_rejects_writes_without_change() {
    let store = small_store();
    let id = create_service(&store, vec![text("k", &text_of_size(900))]).await;
    let too_large = set_changes(vec![text("a", "1"), text("b", &text_of_size(100))]);
    let rejected = store.write(&id, &too_large, None).await;
    assert!(matches!(rejected, Err(StoreError::Full(_))), "{rejected:?}");
    let blob = BlobId::generate();
    let rejected = store.write_chunk(&id, &blob, 0, &[0; 101]).await;
    assert!(matches!(rejected, Err(StoreError::Full(_))), "{rejected:?}");
    assert_eq!(
        read_strings(&store, &id).await,
        owned_pairs(&[("k", &text_of_size(900))])
    );
    assert_free_bytes(&store, 100).await;
}

#[tokio::test]
async fn deletion_removal_and_clear_free_memory() {
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
    store.clear(&id, &WriteCondition::default()).await.unwrap();
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn expiration_frees_memory() {
    let (store, end) = (small_store(), in_ms(500));
    let id = create_until(&store, end, vec![text("k", &text_of_size(500))]).await;
    let binary = upload(&store, &id, &test_bytes(400)).await;
    write_changes(&store, &id, set_changes(vec![file("m", &binary)])).await;
    sleep_until(end).await;
    store.sweep();
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn discard_frees_memory() {
    let store = small_store();
    let id = create_service(&store, Vec::new()).await;
    let binary = upload(&store, &id, &test_bytes(900)).await;
    assert_free_bytes(&store, 100).await;
    store.discard(&id, &[binary.blob]).await.unwrap();
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn deleting_a_service_deletes_its_binaries() {
    let store = small_store();
    let id = create_service(&store, Vec::new()).await;
    let binary = upload(&store, &id, &test_bytes(900)).await;
    write_changes(&store, &id, set_changes(vec![file("m", &binary)])).await;
    store.delete(&id).await.unwrap();
    assert_eq!(download(&store, &id, &binary).await, None);
    assert_free_bytes(&store, LIMIT_BYTES).await;
}

#[tokio::test]
async fn replaced_value_is_counted_once() {
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
    let found = store.find_binary(&id, &key("k")).await.unwrap();
    assert_eq!(found, Some(None));
}

#[tokio::test]
async fn full_store_rejects_writes_with_ttl_without_changing_the_end() {
    let store = small_store();
    let (id, end) = (
        create_service(&store, vec![text("k", "1")]).await,
        in_ms(60_000),
    );
    store.set_end(&id, end).await.unwrap();
    let changes = set_changes(vec![text("k", &text_of_size(LIMIT_BYTES))]);
    let ttl = Some(Duration::from_millis(50));
    let rejected = store.write(&id, &changes, ttl).await;
    assert!(matches!(rejected, Err(StoreError::Full(_))), "{rejected:?}");
    sleep_until(in_ms(50)).await;
    assert_eq!(read_strings(&store, &id).await, owned_pairs(&[("k", "1")]));
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(description.end, end);
}
