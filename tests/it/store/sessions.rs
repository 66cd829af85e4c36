//! A service that runs on a backend: it is made with a short life, its session is noted, and it gets its
//! own life when it has started.

use crate::support::now;
use std::time::Duration;

use switchboard::store::{
    Claim, Created, IdempotencyKey, NewService, Running, ServiceId, Session, Store,
};

use crate::support::stores::{LONG, all_texts, on_every_store};

on_every_store!(
    a_session_is_noted_with_its_service,
    nothing_is_noted_with_a_service_that_is_not_there,
    a_settled_service_has_its_own_end_and_its_answer,
    a_repeat_before_there_is_an_answer_makes_nothing,
);

fn session() -> Session {
    Session {
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

fn half_made(id: &ServiceId) -> NewService {
    let created = now();
    NewService {
        id: id.clone(),
        definition: "chat".to_owned(),
        created,
        end: created.after(LONG),
        gms_user: None,
        data: Vec::new(),
        booking: None,
        repeatable: Some((key(id), "pending".to_owned())),
    }
}

async fn a_session_is_noted_with_its_service(store: &dyn Store) {
    let id = ServiceId::fresh();
    store.create(half_made(&id)).await.unwrap();
    let running = |session| Running {
        definition: "chat".to_owned(),
        session,
    };
    assert_eq!(store.running(&id).await.unwrap(), Some(running(None)));
    assert_eq!(store.attach(&id, &session()).await.unwrap(), Some(()));
    let expected = Some(running(Some(session())));
    assert_eq!(store.running(&id).await.unwrap(), expected);
    assert_eq!(all_texts(store, &id).await, Some(Vec::new()));
    store.delete(&id).await.unwrap();
    assert_eq!(store.running(&id).await.unwrap(), None);
}

async fn nothing_is_noted_with_a_service_that_is_not_there(store: &dyn Store) {
    let id = ServiceId::fresh();
    assert_eq!(store.running(&id).await.unwrap(), None);
    assert_eq!(store.attach(&id, &session()).await.unwrap(), None);
    let end = now().after(LONG);
    assert_eq!(store.settle(&id, end, Some("{}")).await.unwrap(), None);
    assert_eq!(store.running(&id).await.unwrap(), None);
}

async fn a_settled_service_has_its_own_end_and_its_answer(store: &dyn Store) {
    let id = ServiceId::fresh();
    let end = now().after(LONG * 2);
    let bound = store.claim(&key(&id), id.clone(), end).await.unwrap();
    assert_eq!(bound, Claim::Create(id.clone()));
    store.create(half_made(&id)).await.unwrap();
    let kept = |kept: &str| Claim::Answered {
        id: id.clone(),
        kept: kept.to_owned(),
    };
    let pending = store.claim(&key(&id), ServiceId::fresh(), end).await;
    assert_eq!(pending.unwrap(), kept("pending"));
    store.attach(&id, &session()).await.unwrap();
    let settled = store.settle(&id, end, Some("the answer")).await.unwrap();
    assert_eq!(settled, Some(()));
    assert_eq!(store.describe(&id).await.unwrap().unwrap().end, end);
    let again = store.claim(&key(&id), ServiceId::fresh(), end).await;
    assert_eq!(again.unwrap(), kept("the answer"));
    // Moving the end again changes nothing of it.
    let sooner = now().after(Duration::from_secs(60));
    store.set_end(&id, sooner).await.unwrap().unwrap();
    let again = store.claim(&key(&id), ServiceId::fresh(), end).await;
    assert_eq!(again.unwrap(), kept("the answer"));
    store.delete(&id).await.unwrap().unwrap();
}

async fn a_repeat_before_there_is_an_answer_makes_nothing(store: &dyn Store) {
    let id = ServiceId::fresh();
    assert_eq!(store.create(half_made(&id)).await.unwrap(), Created::New);
    let again = store.create(half_made(&id)).await.unwrap();
    assert_eq!(again, Created::Before("pending".to_owned()));
    store.delete(&id).await.unwrap().unwrap();
}
