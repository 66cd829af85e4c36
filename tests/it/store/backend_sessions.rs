//! A service that runs on a backend: it is made with a short life, its session is noted, and it gets its
//! own life when it has started.

use crate::support::now;
use std::time::Duration;

use switchboard::store::{
    BackendSession, CreateResult, IdempotencyClaim, IdempotencyKey, NewService, RunningService,
    ServiceId, Store,
};

use crate::support::stores::{LONG_TTL, on_every_store, try_read_strings};

on_every_store!(
    a_session_is_noted_with_its_service,
    nothing_is_noted_with_a_service_that_is_not_there,
    a_settled_service_has_its_own_end_and_its_answer,
    a_repeat_before_there_is_an_answer_makes_nothing,
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
    }
}

async fn a_session_is_noted_with_its_service(store: &dyn Store) {
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

async fn nothing_is_noted_with_a_service_that_is_not_there(store: &dyn Store) {
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

async fn a_settled_service_has_its_own_end_and_its_answer(store: &dyn Store) {
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
    let settled = store
        .finish_create(&id, end, Some("the answer"))
        .await
        .unwrap();
    assert_eq!(settled, Some(()));
    assert_eq!(store.describe(&id).await.unwrap().unwrap().end, end);
    let again = store.claim(&key(&id), ServiceId::generate(), end).await;
    assert_eq!(again.unwrap(), replayed("the answer"));
    // Moving the end again changes nothing of it.
    let sooner = now().after(Duration::from_secs(60));
    store.set_end(&id, sooner).await.unwrap().unwrap();
    let again = store.claim(&key(&id), ServiceId::generate(), end).await;
    assert_eq!(again.unwrap(), replayed("the answer"));
    store.delete(&id).await.unwrap().unwrap();
}

async fn a_repeat_before_there_is_an_answer_makes_nothing(store: &dyn Store) {
    let id = ServiceId::generate();
    assert_eq!(
        store.create(pending_service(&id)).await.unwrap(),
        CreateResult::Created
    );
    let again = store.create(pending_service(&id)).await.unwrap();
    assert_eq!(again, CreateResult::Replayed("pending".to_owned()));
    store.delete(&id).await.unwrap().unwrap();
}
