//! Making a service, and telling what it is.

use futures_util::future::join_all;
use switchboard::store::{
    CreateResult, IdempotencyKey, NewService, ServiceId, Store, StoreError, StoredKind, WriteResult,
};

use crate::support::stores::{
    MAX_KEYS, create_service, download, empty_service, file, in_ms, key, on_every_store,
    owned_pairs, read_strings, set_changes, test_bytes, text, try_read_strings, upload,
};

on_every_store!(
    a_service_has_what_it_was_created_with,
    a_service_without_data_has_an_empty_storage,
    a_service_may_be_created_with_as_many_keys_as_it_may_hold,
    who_created_a_service_is_kept_with_it,
    an_id_that_names_nothing_is_found_by_no_verb,
    an_id_in_use_is_refused_and_its_service_unchanged,
    a_repeated_create_gives_the_first_answer_and_changes_nothing,
    of_racing_creates_one_makes_the_service_and_all_tell_its_answer,
    a_create_whose_bytes_are_lost_makes_nothing,
    a_service_whose_end_has_passed_is_not_seen,
);

fn idempotent_service(id: &ServiceId, value: &str) -> NewService {
    let key = IdempotencyKey {
        key: id.to_string(),
    };
    NewService {
        id: id.clone(),
        data: vec![text("k", value)],
        idempotency: Some((key, format!("answer {value}"))),
        ..empty_service()
    }
}

async fn a_service_has_what_it_was_created_with(store: &dyn Store) {
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
    let mut told = store.describe(&id).await.unwrap().unwrap();
    told.keys.sort();
    assert_eq!((told.definition.as_str(), told.gms_user), ("shop", None));
    assert_eq!((told.created, told.end), (created, end));
    assert_eq!(told.keys, ["a", "b"]);
    assert_eq!(told.binaries, [("map".to_owned(), map.clone())]);
    assert_eq!(download(store, &id, &map).await, Some(bytes));
}

async fn a_service_without_data_has_an_empty_storage(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((told.keys.len(), told.binaries.len()), (0, 0));
    assert_eq!(
        store.read(&id, &key("k")).await.unwrap(),
        Some(StoredKind::Empty)
    );
    let found = store.find_binary(&id, &key("k")).await.unwrap();
    assert_eq!(found, Some(None));
}

async fn a_service_may_be_created_with_as_many_keys_as_it_may_hold(store: &dyn Store) {
    let data = (0..MAX_KEYS).map(|n| text(&format!("key {n}"), "v"));
    let id = create_service(store, data.collect()).await;
    assert_eq!(read_strings(store, &id).await.len(), MAX_KEYS);
}

async fn who_created_a_service_is_kept_with_it(store: &dyn Store) {
    for user in [None, Some(""), Some("J\u{fc}rgen {7}\n")] {
        let mut service = empty_service();
        let id = service.id.clone();
        service.gms_user = user.map(str::to_owned);
        assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
        let told = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(told.gms_user.as_deref(), user);
        assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
    }
}

async fn an_id_that_names_nothing_is_found_by_no_verb(store: &dyn Store) {
    let id = ServiceId::generate();
    let written = store.write(&id, set_changes(vec![text("k", "v")])).await;
    assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
    assert_eq!(store.definition(&id).await.unwrap(), None);
    assert_eq!(store.describe(&id).await.unwrap(), None);
    assert_eq!(store.read(&id, &key("k")).await.unwrap(), None);
    assert_eq!(try_read_strings(store, &id).await, None);
    assert_eq!(store.clear(&id).await.unwrap(), None);
    assert_eq!(store.set_end(&id, in_ms(60_000)).await.unwrap(), None);
    assert_eq!(store.find_binary(&id, &key("k")).await.unwrap(), None);
    assert_eq!(store.delete(&id).await.unwrap(), None);
}

async fn an_id_in_use_is_refused_and_its_service_unchanged(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "first")]).await;
    let again = NewService {
        id: id.clone(),
        data: vec![text("k", "second")],
        ..empty_service()
    };
    let refused = store.create(again).await;
    assert!(matches!(refused, Err(StoreError::Bug(_))), "{refused:?}");
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("k", "first")])
    );
}

async fn a_repeated_create_gives_the_first_answer_and_changes_nothing(store: &dyn Store) {
    let id = ServiceId::generate();
    let first = store
        .create(idempotent_service(&id, "first"))
        .await
        .unwrap();
    assert_eq!(first, CreateResult::Created);
    let again = store
        .create(idempotent_service(&id, "second"))
        .await
        .unwrap();
    assert_eq!(again, CreateResult::Replayed("answer first".to_owned()));
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("k", "first")])
    );
}

async fn of_racing_creates_one_makes_the_service_and_all_tell_its_answer(store: &dyn Store) {
    let id = ServiceId::generate();
    let racers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let outcomes = join_all(racers.map(|name| store.create(idempotent_service(&id, name)))).await;
    let outcomes: Vec<CreateResult> = outcomes.into_iter().map(Result::unwrap).collect();
    let made = outcomes
        .iter()
        .filter(|outcome| **outcome == CreateResult::Created);
    assert_eq!(made.count(), 1, "{outcomes:?}");
    let stored = read_strings(store, &id).await;
    let before = CreateResult::Replayed(format!("answer {}", stored[0].1));
    let told = outcomes.iter().filter(|outcome| **outcome == before);
    assert_eq!(told.count(), racers.len() - 1, "{outcomes:?}");
}

async fn a_create_whose_bytes_are_lost_makes_nothing(store: &dyn Store) {
    let id = ServiceId::generate();
    let whole = upload(store, &id, &test_bytes(10)).await;
    let mut one_chunk_short = upload(store, &id, &test_bytes(600_000)).await;
    one_chunk_short.size = 900_000;
    let service = |lost| NewService {
        id: id.clone(),
        data: vec![text("k", "v"), file("whole", &whole), lost],
        ..empty_service()
    };
    let mut never_uploaded = whole.clone();
    never_uploaded.blob = switchboard::store::BlobId::generate();
    for lost in [&never_uploaded, &one_chunk_short] {
        let outcome = store.create(service(file("lost", lost))).await.unwrap();
        assert_eq!(outcome, CreateResult::UploadLost);
        assert_eq!(store.definition(&id).await.unwrap(), None);
    }
    let outcome = store.create(service(text("kept", "v"))).await.unwrap();
    assert_eq!(outcome, CreateResult::Created);
    assert_eq!(download(store, &id, &whole).await, Some(test_bytes(10)));
}

async fn a_service_whose_end_has_passed_is_not_seen(store: &dyn Store) {
    let mut service = empty_service();
    let id = service.id.clone();
    service.data = vec![text("k", "v")];
    service.end = switchboard::store::Timestamp::from_millis(in_ms(0).millis() - 1);
    store.create(service).await.unwrap();
    assert_eq!(store.definition(&id).await.unwrap(), None);
    assert_eq!(try_read_strings(store, &id).await, None);
}
