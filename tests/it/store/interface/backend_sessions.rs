//! Services with backend sessions: such a service is created with a short TTL, its session is recorded,
//! and it gets its own TTL when the session has started.

use crate::support::now;
use std::time::Duration;

use switchboard::{
    model::{
        BackendSession, CreateResult, IdempotencyClaim, IdempotencyKey, NewService, RunningService,
        ServiceId,
    },
    store::Store,
};

use crate::support::stores::{LONG_TTL, on_every_store, try_read_strings};

on_every_store!(
    session_is_recorded_with_its_service,
    attach_to_missing_service_records_nothing,
    finished_create_sets_end_and_response,
    repeated_create_replays_pending_value,
);

fn session() -> BackendSession {
    BackendSession {
        definition: "chat".to_owned(),
        backend: "http://localhost:7210".to_owned(),
        name: "S-1".to_owned(),
    }
}

fn key(id: &ServiceId) -> IdempotencyKey {
    IdempotencyKey {
        key: id.to_string(),
    }
}

fn pending_service(id: &ServiceId) -> NewService {
    let created = now();
    NewService {
        id: id.clone(),
        definition: "chat".to_owned(),
        created,
        end: created.after(LONG_TTL),
        gms_user: None,
        data: Vec::new(),
        booking: None,
        idempotency: Some((key(id), "pending".to_owned())),
        webhook: None,
        is_pending: true,
    }
}

async fn session_is_recorded_with_its_service(store: &dyn Store) {
    let id = ServiceId::generate();
    store.create(pending_service(&id)).await.unwrap();
    let running = |session| RunningService {
        definition: "chat".to_owned(),
        session,
    };
    assert_eq!(
        store.running_service(&id).await.unwrap(),
        Some(running(None))
    );
    assert_eq!(
        store.attach_session(&id, &session()).await.unwrap(),
        Some(())
    );
    let expected = Some(running(Some(session())));
    assert_eq!(store.running_service(&id).await.unwrap(), expected);
    assert_eq!(try_read_strings(store, &id).await, Some(Vec::new()));
    store.delete(&id).await.unwrap();
    assert_eq!(store.running_service(&id).await.unwrap(), None);
}

async fn attach_to_missing_service_records_nothing(store: &dyn Store) {
    let id = ServiceId::generate();
    assert_eq!(store.running_service(&id).await.unwrap(), None);
    assert_eq!(store.attach_session(&id, &session()).await.unwrap(), None);
    let end = now().after(LONG_TTL);
    assert_eq!(
        store.finish_create(&id, end, Some("{}")).await.unwrap(),
        None
    );
    assert_eq!(store.running_service(&id).await.unwrap(), None);
}

async fn finished_create_sets_end_and_response(store: &dyn Store) {
    let id = ServiceId::generate();
    let end = now().after(LONG_TTL * 2);
    let bound = store.claim(&key(&id), id.clone(), end).await.unwrap();
    assert_eq!(bound, IdempotencyClaim::Create(id.clone()));
    store.create(pending_service(&id)).await.unwrap();
    let replayed = |stored: &str| IdempotencyClaim::Replayed {
        id: id.clone(),
        stored: stored.to_owned(),
    };
    let pending = store.claim(&key(&id), ServiceId::generate(), end).await;
    assert_eq!(pending.unwrap(), replayed("pending"));
    store.attach_session(&id, &session()).await.unwrap();
    let finished = store
        .finish_create(&id, end, Some("the response"))
        .await
        .unwrap();
    assert_eq!(finished, Some(()));
    assert_eq!(store.describe(&id).await.unwrap().unwrap().end, end);
    let repeated = store.claim(&key(&id), ServiceId::generate(), end).await;
    assert_eq!(repeated.unwrap(), replayed("the response"));
    // Changing the end does not affect it.
    let sooner = now().after(Duration::from_secs(60));
    store.set_end(&id, sooner).await.unwrap().unwrap();
    let repeated = store.claim(&key(&id), ServiceId::generate(), end).await;
    assert_eq!(repeated.unwrap(), replayed("the response"));
    store.delete(&id).await.unwrap().unwrap();
}

async fn repeated_create_replays_pending_value(store: &dyn Store) {
    let id = ServiceId::generate();
    assert_eq!(
        store.create(pending_service(&id)).await.unwrap(),
        CreateResult::Created
    );
    let repeated = store.create(pending_service(&id)).await.unwrap();
    assert_eq!(repeated, CreateResult::Replayed("pending".to_owned()));
    store.delete(&id).await.unwrap().unwrap();
}
