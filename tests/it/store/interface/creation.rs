//! Creation and description of services.

use futures_util::future::join_all;
use switchboard::{
    model::{
        CreateResult, IdempotencyKey, NewService, ServiceId, StoredKind, WriteCondition,
        WriteResult,
    },
    store::Store,
};

use crate::support::stores::{
    MAX_KEYS, create_service, download, empty_service, file, in_ms, key, on_every_store,
    owned_pairs, read_strings, set_changes, test_bytes, text, try_read_strings, upload,
};

on_every_store!(
    created_service_has_all_its_data,
    service_without_data_has_empty_storage,
    service_can_be_created_with_maximum_keys,
    gms_user_is_stored,
    no_operation_finds_unknown_id,
    create_with_used_id_fails_without_change,
    repeated_create_replays_first_response,
    concurrent_creates_create_one_service,
    create_with_lost_upload_creates_nothing,
    expired_service_is_not_found,
);

fn idempotent_service(id: &ServiceId, value: &str) -> NewService {
    let key = IdempotencyKey {
        key: id.to_string(),
    };
    NewService {
        id: id.clone(),
        data: vec![text("k", value)],
        idempotency: Some((key, format!("response {value}"))),
        ..empty_service()
    }
}

async fn created_service_has_all_its_data(store: &dyn Store) {
    let mut service = empty_service();
    let (id, created, end) = (service.id.clone(), in_ms(0), in_ms(70_000));
    let bytes = test_bytes(1_000);
    let map = upload(store, &id, &bytes).await;
    "shop".clone_into(&mut service.definition);
    (service.created, service.end) = (created, end);
    service.data = vec![text("a", "1"), file("map", &map), text("b", "2")];
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);

    let definition = store.definition(&id).await.unwrap();
    assert_eq!(definition.as_deref(), Some("shop"));
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
    let mut description = store.describe(&id).await.unwrap().unwrap();
    description.keys.sort();
    assert_eq!(
        (description.definition.as_str(), description.gms_user),
        ("shop", None)
    );
    assert_eq!((description.created, description.end), (created, end));
    assert_eq!(description.keys, ["a", "b"]);
    assert_eq!(description.binaries, [("map".to_owned(), map.clone())]);
    assert_eq!(download(store, &id, &map).await, Some(bytes));
}

async fn service_without_data_has_empty_storage(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.keys.len(), description.binaries.len()), (0, 0));
    assert_eq!(
        store.read(&id, &key("k")).await.unwrap(),
        Some(StoredKind::Empty)
    );
    let found = store.find_binary(&id, &key("k")).await.unwrap();
    assert_eq!(found, Some(None));
}

async fn service_can_be_created_with_maximum_keys(store: &dyn Store) {
    let data = (0..MAX_KEYS).map(|n| text(&format!("key {n}"), "v"));
    let id = create_service(store, data.collect()).await;
    assert_eq!(read_strings(store, &id).await.len(), MAX_KEYS);
}

async fn gms_user_is_stored(store: &dyn Store) {
    for user in [None, Some(""), Some("J\u{fc}rgen {7}\n")] {
        let mut service = empty_service();
        let id = service.id.clone();
        service.gms_user = user.map(str::to_owned);
        assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
        let description = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(description.gms_user.as_deref(), user);
        assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
    }
}

async fn no_operation_finds_unknown_id(store: &dyn Store) {
    let id = ServiceId::generate();
    let written = store
        .write(&id, &set_changes(vec![text("k", "v")]), None)
        .await;
    assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
    assert_eq!(store.definition(&id).await.unwrap(), None);
    assert_eq!(store.describe(&id).await.unwrap(), None);
    assert_eq!(store.read(&id, &key("k")).await.unwrap(), None);
    assert_eq!(try_read_strings(store, &id).await, None);
    let cleared = store.clear(&id, &WriteCondition::default()).await;
    assert_eq!(cleared.unwrap(), WriteResult::ServiceNotFound);
    assert_eq!(store.set_end(&id, in_ms(60_000)).await.unwrap(), None);
    assert_eq!(store.find_binary(&id, &key("k")).await.unwrap(), None);
    assert_eq!(store.delete(&id).await.unwrap(), None);
}

async fn create_with_used_id_fails_without_change(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "first")]).await;
    let duplicate = NewService {
        id: id.clone(),
        data: vec![text("k", "second")],
        ..empty_service()
    };
    let rejected = store.create(duplicate).await.unwrap();
    assert!(matches!(rejected, CreateResult::IdInUse(_)), "{rejected:?}");
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("k", "first")])
    );
}

async fn repeated_create_replays_first_response(store: &dyn Store) {
    let id = ServiceId::generate();
    let first = store
        .create(idempotent_service(&id, "first"))
        .await
        .unwrap();
    assert_eq!(first, CreateResult::Created);
    let repeated = store
        .create(idempotent_service(&id, "second"))
        .await
        .unwrap();
    assert_eq!(
        repeated,
        CreateResult::Replayed("response first".to_owned())
    );
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("k", "first")])
    );
}

async fn concurrent_creates_create_one_service(store: &dyn Store) {
    let id = ServiceId::generate();
    let racers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let outcomes = join_all(racers.map(|name| store.create(idempotent_service(&id, name)))).await;
    let outcomes: Vec<CreateResult> = outcomes.into_iter().map(Result::unwrap).collect();
    let created = outcomes
        .iter()
        .filter(|outcome| **outcome == CreateResult::Created);
    assert_eq!(created.count(), 1, "{outcomes:?}");
    let stored = read_strings(store, &id).await;
    let replayed = CreateResult::Replayed(format!("response {}", stored[0].1));
    let replays = outcomes.iter().filter(|outcome| **outcome == replayed);
    assert_eq!(replays.count(), racers.len() - 1, "{outcomes:?}");
}

async fn create_with_lost_upload_creates_nothing(store: &dyn Store) {
    let id = ServiceId::generate();
    let complete = upload(store, &id, &test_bytes(10)).await;
    let mut one_chunk_short = upload(store, &id, &test_bytes(600_000)).await;
    one_chunk_short.size = 900_000;
    let service = |lost| NewService {
        id: id.clone(),
        data: vec![text("k", "v"), file("complete", &complete), lost],
        ..empty_service()
    };
    let mut never_uploaded = complete.clone();
    never_uploaded.blob = switchboard::model::BlobId::generate();
    for lost in [&never_uploaded, &one_chunk_short] {
        let outcome = store.create(service(file("lost", lost))).await.unwrap();
        assert_eq!(outcome, CreateResult::UploadLost);
        assert_eq!(store.definition(&id).await.unwrap(), None);
    }
    let outcome = store.create(service(text("other", "v"))).await.unwrap();
    assert_eq!(outcome, CreateResult::Created);
    assert_eq!(download(store, &id, &complete).await, Some(test_bytes(10)));
}

async fn expired_service_is_not_found(store: &dyn Store) {
    let mut service = empty_service();
    let id = service.id.clone();
    service.data = vec![text("k", "v")];
    service.end = switchboard::model::Timestamp::from_millis(in_ms(0).millis() - 1);
    store.create(service).await.unwrap();
    assert_eq!(store.definition(&id).await.unwrap(), None);
    assert_eq!(try_read_strings(store, &id).await, None);
}
