//! Writes, removals and clears.

use futures_util::future::join_all;
use switchboard::{
    model::{BlobId, Changes, ReadAll, StorageRead, StoredKind, WriteCondition, WriteResult},
    store::Store,
};

use crate::support::stores::{
    create_service, download, file, in_ms, key, on_every_store, owned_pairs, read_strings,
    remove_changes, set_changes, stored, test_bytes, text, try_read_strings, upload, write_changes,
};

on_every_store!(
    read_all_respects_byte_limit,
    written_values_are_read,
    write_does_not_affect_other_keys,
    empty_string_is_a_value,
    long_values_are_supported,
    removal_is_idempotent,
    one_write_can_set_and_remove,
    empty_write_reports_whether_service_exists,
    write_does_not_change_end,
    write_with_lost_upload_changes_nothing,
    thousands_of_keys_are_set_and_removed_atomically,
    clear_removes_all_keys_but_not_the_service,
    writes_are_atomic_for_readers,
    large_writes_are_atomic_for_readers,
);

async fn written_values_are_read(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    write_changes(
        store,
        &id,
        set_changes(vec![text("a", "1"), text("b", "2")]),
    )
    .await;
    let read = store.read(&id, &key("a")).await.unwrap();
    assert_eq!(read, Some(StoredKind::Text("1".to_owned())));
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
}

async fn write_does_not_affect_other_keys(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    write_changes(
        store,
        &id,
        set_changes(vec![text("b", "3"), text("c", "4")]),
    )
    .await;
    let expected = owned_pairs(&[("a", "1"), ("b", "3"), ("c", "4")]);
    assert_eq!(read_strings(store, &id).await, expected);
}

async fn empty_string_is_a_value(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "")]).await;
    let read = store.read(&id, &key("k")).await.unwrap();
    assert_eq!(read, Some(StoredKind::Text(String::new())));
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "")]));
}

async fn long_values_are_supported(store: &dyn Store) {
    let long = "\u{20ac}\0\n".repeat(200_000);
    let id = create_service(store, Vec::new()).await;
    write_changes(store, &id, set_changes(vec![text("k", &long)])).await;
    let read = store.read(&id, &key("k")).await.unwrap();
    assert!(read == Some(StoredKind::Text(long)));
}

async fn removal_is_idempotent(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    for _ in 0..2 {
        write_changes(store, &id, remove_changes(&["a", "never there"])).await;
        assert_eq!(read_strings(store, &id).await, owned_pairs(&[("b", "2")]));
        let read = store.read(&id, &key("a")).await.unwrap();
        assert_eq!(read, Some(StoredKind::Empty));
    }
}

async fn one_write_can_set_and_remove(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    let both = Changes {
        set: vec![text("c", "3")],
        remove: vec![key("a")],
        ..Changes::default()
    };
    write_changes(store, &id, both).await;
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("b", "2"), ("c", "3")])
    );
}

async fn empty_write_reports_whether_service_exists(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    write_changes(store, &id, Changes::default()).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    store.delete(&id).await.unwrap();
    let written = store.write(&id, &Changes::default(), None).await.unwrap();
    assert_eq!(written, WriteResult::ServiceNotFound);
}

async fn write_does_not_change_end(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let end = in_ms(45_000);
    store.set_end(&id, end).await.unwrap();
    let map = upload(store, &id, &test_bytes(10)).await;
    write_changes(
        store,
        &id,
        set_changes(vec![text("k", "v"), file("map", &map)]),
    )
    .await;
    write_changes(store, &id, remove_changes(&["k"])).await;
    store.clear(&id, &WriteCondition::default()).await.unwrap();
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(description.end, end);
}

async fn write_with_lost_upload_changes_nothing(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    let complete = upload(store, &id, &test_bytes(10)).await;
    let mut lost = complete.clone();
    lost.blob = BlobId::generate();
    let changes = Changes {
        set: vec![
            text("a", "3"),
            file("complete", &complete),
            file("lost", &lost),
        ],
        remove: vec![key("b")],
        ..Changes::default()
    };
    let written = store.write(&id, &changes, None).await.unwrap();
    assert_eq!(written, WriteResult::UploadLost);
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(description.binaries, []);

    write_changes(store, &id, set_changes(vec![file("complete", &complete)])).await;
    assert_eq!(download(store, &id, &complete).await, Some(test_bytes(10)));
}

async fn thousands_of_keys_are_set_and_removed_atomically(store: &dyn Store) {
    let names: Vec<String> = (0..3_000).map(|n| format!("key {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let id = create_service(store, Vec::new()).await;
    let all = names.iter().map(|name| text(name, name));
    write_changes(store, &id, set_changes(all.collect())).await;
    assert_eq!(read_strings(store, &id).await.len(), names.len());
    write_changes(store, &id, remove_changes(&names)).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
}

async fn clear_removes_all_keys_but_not_the_service(store: &dyn Store) {
    let mut data: Vec<_> = (0..2_500).map(|n| text(&n.to_string(), "v")).collect();
    let id = create_service(store, Vec::new()).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    data.push(file("map", &map));
    write_changes(store, &id, set_changes(data)).await;

    stored(store.clear(&id, &WriteCondition::default()).await.unwrap());
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
    let found = store.find_binary(&id, &key("map")).await.unwrap();
    assert_eq!(found, Some(None));
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.keys.len(), description.binaries.len()), (0, 0));
    assert_eq!(description.definition, "store");

    stored(store.clear(&id, &WriteCondition::default()).await.unwrap());
    write_changes(store, &id, set_changes(vec![text("k", "v")])).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
}

async fn writes_are_atomic_for_readers(store: &dyn Store) {
    check_atomic_writes(store, 100, 1).await;
}

async fn large_writes_are_atomic_for_readers(store: &dyn Store) {
    // Redis returns them in several replies.
    check_atomic_writes(store, 20, 400_000).await;
}

/// Sets three keys to one number, repeated, and reads them, `rounds` times at once.
async fn check_atomic_writes(store: &dyn Store, rounds: usize, repetitions: usize) {
    let all = |value: usize| {
        let value = value.to_string().repeat(repetitions);
        let pair = |name| text(name, &value);
        set_changes(["a", "b", "c"].map(pair).into())
    };
    let id = create_service(store, all(0).set).await;
    let round = async |value: usize| {
        write_changes(store, &id, all(value)).await;
        let read = try_read_strings(store, &id).await.unwrap();
        assert_eq!(read.len(), 3);
        let is_one_write = read.iter().all(|(_, value)| *value == read[0].1);
        assert!(is_one_write, "values of several writes were read");
    };
    join_all((1..rounds).map(round)).await;
}

async fn read_all_respects_byte_limit(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "12345"), text("b", "\u{e9}")]).await;
    let read = async |max: usize| {
        let all = ReadAll::strings(max);
        store.read_all(&id, &all).await.unwrap().unwrap()
    };
    let has_texts =
        |read, count| matches!(read, StorageRead::Contents(all) if all.texts.len() == count);
    assert!(has_texts(read(usize::MAX).await, 2));
    for max in [0, 8] {
        let StorageRead::TooLarge { bytes } = read(max).await else {
            panic!("the limit was ignored");
        };
        assert!(bytes >= 9, "{bytes}");
        assert!(has_texts(read(bytes).await, 2));
    }
    // Large strings are read by another command.
    let large = "x".repeat(2 * 1024 * 1024);
    write_changes(store, &id, set_changes(vec![text("large", &large)])).await;
    let StorageRead::TooLarge { bytes } = read(large.len()).await else {
        panic!("all strings were read");
    };
    assert!(bytes > large.len(), "{bytes}");
    assert!(has_texts(read(bytes).await, 3));
}
