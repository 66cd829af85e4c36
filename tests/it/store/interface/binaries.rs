//! The contents of binaries: upload, reference, download, discard.

use switchboard::{
    model::{
        BlobId, CHUNK_BYTES, CreateResult, NewService, ServiceId, WriteCondition, WriteResult,
    },
    store::Store,
};

use crate::support::stores::{
    create_service, download, empty_service, file, key, on_every_store, remove_changes,
    set_changes, test_bytes, text, try_read_strings, upload, write_changes,
};

on_every_store!(
    stored_binary_is_read_unchanged,
    empty_binary_is_a_binary,
    descriptor_is_stored_unchanged,
    unreferenced_upload_is_not_visible,
    missing_chunk_is_none,
    one_write_can_store_several_binaries,
    replaced_binary_remains_readable_for_active_downloads,
    discarded_upload_is_deleted,
    discarding_missing_blobs_succeeds,
    binary_for_deleted_service_is_not_stored,
);

async fn stored_binary_is_read_unchanged(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    for length in [
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        3 * CHUNK_BYTES,
    ] {
        let bytes = test_bytes(length);
        let binary = upload(store, &id, &bytes).await;
        write_changes(store, &id, set_changes(vec![file("k", &binary)])).await;
        let found = store.find_binary(&id, &key("k")).await.unwrap();
        assert_eq!(found, Some(Some(binary.clone())));
        assert!(
            download(store, &id, &binary).await == Some(bytes),
            "{length}"
        );
    }
}

async fn empty_binary_is_a_binary(store: &dyn Store) {
    let mut service = empty_service();
    let id = service.id.clone();
    let nothing = upload(store, &id, b"").await;
    service.data = vec![file("a", &nothing)];
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
    let also_nothing = upload(store, &id, b"").await;
    write_changes(store, &id, set_changes(vec![file("b", &also_nothing)])).await;
    for (name, binary) in [("a", nothing), ("b", also_nothing)] {
        assert_eq!(binary.chunks(), 0);
        let found = store.find_binary(&id, &key(name)).await.unwrap();
        assert_eq!(found, Some(Some(binary)));
    }
    write_changes(store, &id, set_changes(vec![text("a", "v")])).await;
    write_changes(store, &id, remove_changes(&["b"])).await;
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(description.binaries, []);
}

async fn descriptor_is_stored_unchanged(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let names = [
        None,
        Some(""),
        Some("../\"a\\b\"\r\n\u{1f980}.png"),
        Some("null"),
    ];
    for (name, kind) in names
        .into_iter()
        .zip(["", "a/b; c=\"d\"", "\u{fc}", "image/png"])
    {
        let mut binary = upload(store, &id, &test_bytes(10)).await;
        binary.file_name = name.map(str::to_owned);
        binary.content_type = kind.to_owned();
        write_changes(store, &id, set_changes(vec![file("k", &binary)])).await;
        let description = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(description.binaries, [("k".to_owned(), binary)]);
    }
}

async fn unreferenced_upload_is_not_visible(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let unreferenced = upload(store, &id, &test_bytes(10)).await;
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.keys.len(), description.binaries.len()), (1, 0));

    // The same applies to uploads for a missing service; they do not create it.
    let missing = ServiceId::generate();
    upload(store, &missing, &test_bytes(10)).await;
    assert_eq!(store.describe(&missing).await.unwrap(), None);
    assert_eq!(try_read_strings(store, &missing).await, None);
    assert_eq!(store.find_binary(&id, &key("x")).await.unwrap(), Some(None));

    write_changes(store, &id, set_changes(vec![file("k", &unreferenced)])).await;
    assert_eq!(
        download(store, &id, &unreferenced).await,
        Some(test_bytes(10))
    );
}

async fn missing_chunk_is_none(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let binary = upload(store, &id, &test_bytes(CHUNK_BYTES + 1)).await;
    write_changes(store, &id, set_changes(vec![file("k", &binary)])).await;
    for index in [2, 3, u64::MAX] {
        let chunk = store.read_chunk(&id, &binary.blob, index).await.unwrap();
        assert_eq!(chunk, None);
    }
    let chunk = store.read_chunk(&id, &BlobId::generate(), 0).await.unwrap();
    assert_eq!(chunk, None);
}

async fn one_write_can_store_several_binaries(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let mut binaries = Vec::new();
    for n in 0..20 {
        let binary = upload(store, &id, &test_bytes(n)).await;
        binaries.push((format!("k{n}"), binary));
    }
    let set = binaries.iter().map(|(name, binary)| file(name, binary));
    let mut set: Vec<_> = set.collect();
    set.insert(7, text("between", "v"));
    write_changes(store, &id, set_changes(set)).await;
    let mut stored = store.describe(&id).await.unwrap().unwrap().binaries;
    stored.sort_by_key(|(_, binary)| binary.size);
    assert_eq!(stored, binaries);
    for (_, binary) in binaries {
        let bytes = download(store, &id, &binary).await.unwrap();
        assert_eq!(bytes.len() as u64, binary.size);
    }
}

async fn replaced_binary_remains_readable_for_active_downloads(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let bytes = test_bytes(CHUNK_BYTES + 10);
    let mut old = Vec::new();
    for name in ["by text", "by binary", "removed", "cleared"] {
        let binary = upload(store, &id, &bytes).await;
        write_changes(store, &id, set_changes(vec![file(name, &binary)])).await;
        old.push(binary);
    }
    let new = upload(store, &id, &test_bytes(10)).await;
    let replace = vec![text("by text", "v"), file("by binary", &new)];
    write_changes(store, &id, set_changes(replace)).await;
    write_changes(store, &id, remove_changes(&["removed"])).await;
    store.clear(&id, &WriteCondition::default()).await.unwrap();
    for binary in &old {
        assert!(download(store, &id, binary).await.as_ref() == Some(&bytes));
    }
}

async fn discarded_upload_is_deleted(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let binaries = [
        upload(store, &id, &test_bytes(10)).await,
        upload(store, &id, &test_bytes(CHUNK_BYTES + 1)).await,
    ];
    let other = upload(store, &id, &test_bytes(10)).await;
    let blobs = binaries.clone().map(|binary| binary.blob);
    store.discard(&id, &blobs).await.unwrap();
    for binary in &binaries {
        assert_eq!(download(store, &id, binary).await, None);
        let written = store
            .write(&id, &set_changes(vec![file("k", binary)]), None)
            .await;
        assert_eq!(written.unwrap(), WriteResult::UploadLost);
    }
    write_changes(store, &id, set_changes(vec![file("k", &other)])).await;
}

async fn discarding_missing_blobs_succeeds(store: &dyn Store) {
    let id = ServiceId::generate();
    store.discard(&id, &[BlobId::generate()]).await.unwrap();
    store.discard(&id, &[]).await.unwrap();
}

async fn binary_for_deleted_service_is_not_stored(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    store.delete(&id).await.unwrap();
    let changes = set_changes(vec![text("k", "v"), file("map", &binary)]);
    let written = store.write(&id, &changes, None).await.unwrap();
    assert_eq!(written, WriteResult::ServiceNotFound);
    assert_eq!(store.describe(&id).await.unwrap(), None);

    // It does not affect a service that is created with that id later.
    let recreated = NewService {
        id: id.clone(),
        ..empty_service()
    };
    assert_eq!(
        store.create(recreated).await.unwrap(),
        CreateResult::Created
    );
    let found = store.find_binary(&id, &key("map")).await.unwrap();
    assert_eq!(found, Some(None));
}
