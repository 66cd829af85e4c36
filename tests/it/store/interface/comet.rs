//! Sessions of the Bayeux protocol.

use std::time::Duration;

use switchboard::{
    model::{
        ServiceId,
        comet::{
            CometReceipt, CometReply, CometSession, CometSessionId, CometUser, MAX_CHATS_PER_USER,
            MAX_SESSIONS_PER_USER, SentChat,
        },
    },
    store::Store,
};

use crate::support::{
    eventually,
    stores::{LONG_TTL, on_every_store},
};

on_every_store!(
    unknown_session_is_reported_by_every_operation,
    session_expires_after_its_last_connect,
    batch_is_sent_again_until_it_is_received,
    acknowledged_batch_is_not_sent_again,
    later_connect_supersedes_the_one_before,
    new_session_continues_where_the_last_one_was,
    each_session_of_a_user_receives_everything,
    ended_chat_is_removed_once_it_is_received,
    removed_chat_is_not_in_other_connects,
    subscription_changes_the_session,
    closed_session_notes_the_position,
    sessions_and_chats_of_a_user_are_limited,
    signals_count_what_waiting_connects_must_see,
);

fn fresh() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn user() -> CometUser {
    CometUser::from_digest(&fresh())
}

async fn open(store: &dyn Store, user: &CometUser) -> CometSessionId {
    let id = CometSessionId::new(user.clone(), fresh());
    store.open_session(&id, false, LONG_TTL).await.unwrap();
    id
}

async fn add_chat(store: &dyn Store, user: &CometUser) -> ServiceId {
    let service = ServiceId::generate();
    let added = store.add_pushed_chat(user, &service, LONG_TTL).await;
    assert!(added.unwrap());
    service
}

async fn try_connect(
    store: &dyn Store,
    id: &CometSessionId,
    receipt: CometReceipt,
) -> CometReply<CometSession> {
    let connect = store.connect_session(id, receipt, Duration::ZERO, LONG_TTL);
    connect.await.unwrap()
}

async fn connect(store: &dyn Store, id: &CometSessionId, receipt: CometReceipt) -> CometSession {
    match try_connect(store, id, receipt).await {
        CometReply::Done(session) => session,
        other => panic!("{other:?}"),
    }
}

/// The positions of the chats of a session, in the order of `services`.
fn positions(session: &CometSession, services: &[&ServiceId]) -> Vec<Option<u64>> {
    let position = |service: &&ServiceId| {
        let chat = session.chats.iter().find(|chat| chat.service == **service);
        chat.map(|chat| chat.position)
    };
    services.iter().map(position).collect()
}

/// Records that the chat was sent up to `position`; returns the number of the batch.
async fn send(
    store: &dyn Store,
    id: &CometSessionId,
    session: &CometSession,
    (service, position, is_last): (&ServiceId, u64, bool),
) -> u64 {
    let sent = SentChat {
        service: service.clone(),
        position,
        is_last,
    };
    let recorded = store
        .record_sent(id, session.generation, &[sent], &[])
        .await;
    match recorded.unwrap() {
        CometReply::Done(number) => number,
        other => panic!("{other:?}"),
    }
}

async fn unknown_session_is_reported_by_every_operation(store: &dyn Store) {
    let id = CometSessionId::new(user(), fresh());
    let reply = try_connect(store, &id, CometReceipt::Received).await;
    assert_eq!(reply, CometReply::Unknown);
    let reply = store.refresh_session(&id, 1).await.unwrap();
    assert_eq!(reply, CometReply::Unknown);
    let reply = store.record_sent(&id, 1, &[], &[]).await.unwrap();
    assert_eq!(reply, CometReply::Unknown);
    let patterns = ["/_genesys".to_owned()];
    assert!(!store.set_subscription(&id, &patterns, true).await.unwrap());
    store.close_session(&id, Some(1)).await.unwrap();
    // The user has another session.
    open(store, &id.user).await;
    let reply = try_connect(store, &id, CometReceipt::Received).await;
    assert_eq!(reply, CometReply::Unknown);
}

async fn session_expires_after_its_last_connect(store: &dyn Store) {
    let id = CometSessionId::new(user(), fresh());
    let short = Duration::from_millis(300);
    store.open_session(&id, true, LONG_TTL).await.unwrap();
    let session = connect(store, &id, CometReceipt::Received).await;
    assert!(session.has_ack);
    assert_eq!((session.generation, session.batch), (1, 0));
    let connected = store.connect_session(&id, CometReceipt::Received, short, short);
    assert!(matches!(connected.await.unwrap(), CometReply::Done(_)));
    eventually("the session expires", async || {
        let reply = store.refresh_session(&id, 2).await.unwrap();
        (reply == CometReply::Unknown).then_some(())
    })
    .await;
}

async fn batch_is_sent_again_until_it_is_received(store: &dyn Store) {
    let user = user();
    let id = open(store, &user).await;
    let chat = add_chat(store, &user).await;
    let first = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&first, &[&chat]), [Some(0)]);
    assert_eq!(send(store, &id, &first, (&chat, 3, false)).await, 1);
    let again = connect(store, &id, CometReceipt::NotReceived).await;
    assert_eq!(positions(&again, &[&chat]), [Some(0)]);
    assert_eq!(send(store, &id, &again, (&chat, 4, false)).await, 2);
    let next = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&next, &[&chat]), [Some(4)]);
}

async fn acknowledged_batch_is_not_sent_again(store: &dyn Store) {
    let user = user();
    let id = open(store, &user).await;
    let chat = add_chat(store, &user).await;
    let session = connect(store, &id, CometReceipt::Batch(0)).await;
    let batch = send(store, &id, &session, (&chat, 2, false)).await;
    let session = connect(store, &id, CometReceipt::Batch(batch - 1)).await;
    assert_eq!(positions(&session, &[&chat]), [Some(0)]);
    let batch = send(store, &id, &session, (&chat, 2, false)).await;
    let session = connect(store, &id, CometReceipt::Batch(batch)).await;
    assert_eq!(session.batch, batch);
    assert_eq!(positions(&session, &[&chat]), [Some(2)]);
}

async fn later_connect_supersedes_the_one_before(store: &dyn Store) {
    let user = user();
    let id = open(store, &user).await;
    let chat = add_chat(store, &user).await;
    let first = connect(store, &id, CometReceipt::Received).await;
    let second = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(second.generation, first.generation + 1);
    let sent = [SentChat {
        service: chat.clone(),
        position: 1,
        is_last: false,
    }];
    let recorded = store.record_sent(&id, first.generation, &sent, &[]).await;
    assert_eq!(recorded.unwrap(), CometReply::Superseded);
    let refreshed = store.refresh_session(&id, first.generation).await.unwrap();
    assert_eq!(refreshed, CometReply::Superseded);
    // Nothing of the first was recorded.
    let third = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&third, &[&chat]), [Some(0)]);
    let refreshed = store.refresh_session(&id, third.generation).await.unwrap();
    assert_eq!(refreshed, CometReply::Done(third));
}

async fn new_session_continues_where_the_last_one_was(store: &dyn Store) {
    let user = user();
    let id = open(store, &user).await;
    let chat = add_chat(store, &user).await;
    let session = connect(store, &id, CometReceipt::Received).await;
    send(store, &id, &session, (&chat, 5, false)).await;
    let session = connect(store, &id, CometReceipt::Received).await;
    // The next batch is lost with the session.
    send(store, &id, &session, (&chat, 7, false)).await;
    store.close_session(&id, None).await.unwrap();
    let id = open(store, &user).await;
    let session = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&session, &[&chat]), [Some(5)]);
}

async fn each_session_of_a_user_receives_everything(store: &dyn Store) {
    let user = user();
    let (one, other) = (open(store, &user).await, open(store, &user).await);
    let chat = add_chat(store, &user).await;
    let session = connect(store, &one, CometReceipt::Received).await;
    send(store, &one, &session, (&chat, 5, false)).await;
    connect(store, &one, CometReceipt::Received).await;
    let session = connect(store, &other, CometReceipt::Received).await;
    assert_eq!(positions(&session, &[&chat]), [Some(0)]);
    send(store, &other, &session, (&chat, 2, false)).await;
    connect(store, &other, CometReceipt::Received).await;
    // The user has received what one of them has.
    let third = open(store, &user).await;
    let session = connect(store, &third, CometReceipt::Received).await;
    assert_eq!(positions(&session, &[&chat]), [Some(5)]);
}

async fn ended_chat_is_removed_once_it_is_received(store: &dyn Store) {
    let user = user();
    let id = open(store, &user).await;
    let (chat, other) = (add_chat(store, &user).await, add_chat(store, &user).await);
    let session = connect(store, &id, CometReceipt::Received).await;
    send(store, &id, &session, (&chat, 9, true)).await;
    let session = connect(store, &id, CometReceipt::NotReceived).await;
    assert_eq!(positions(&session, &[&chat, &other]), [Some(0), Some(0)]);
    send(store, &id, &session, (&chat, 9, true)).await;
    let session = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&session, &[&chat, &other]), [None, Some(0)]);
    let id = open(store, &user).await;
    let session = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&session, &[&chat, &other]), [None, Some(0)]);
}

async fn removed_chat_is_not_in_other_connects(store: &dyn Store) {
    let user = user();
    let id = open(store, &user).await;
    let (chat, other) = (add_chat(store, &user).await, add_chat(store, &user).await);
    let session = connect(store, &id, CometReceipt::Received).await;
    let ended = [chat.clone()];
    let recorded = store
        .record_sent(&id, session.generation, &[], &ended)
        .await;
    assert_eq!(recorded.unwrap(), CometReply::Done(0));
    let session = connect(store, &id, CometReceipt::Received).await;
    assert_eq!(positions(&session, &[&chat, &other]), [None, Some(0)]);
}

async fn subscription_changes_the_session(store: &dyn Store) {
    let id = open(store, &user()).await;
    let session = connect(store, &id, CometReceipt::Received).await;
    assert!(!session.is_subscribed);
    for (subscribed, pattern) in [(true, "/_genesys"), (true, "/**"), (false, "/_genesys")] {
        let patterns = [pattern.to_owned()];
        let set = store.set_subscription(&id, &patterns, subscribed).await;
        assert!(set.unwrap());
        let session = connect(store, &id, CometReceipt::Received).await;
        assert!(session.is_subscribed, "{subscribed} {pattern}");
    }
    let patterns = ["/**".to_owned()];
    assert!(store.set_subscription(&id, &patterns, false).await.unwrap());
    let session = connect(store, &id, CometReceipt::Received).await;
    assert!(!session.is_subscribed);
    // Other channels change nothing.
    assert!(store.set_subscription(&id, &[], true).await.unwrap());
    let session = connect(store, &id, CometReceipt::Received).await;
    assert!(!session.is_subscribed);
}

async fn closed_session_notes_the_position(store: &dyn Store) {
    let user = user();
    let chat = add_chat(store, &user).await;
    for (noted, expected) in [(2, 2), (100, 5), (1, 5)] {
        let id = open(store, &user).await;
        let session = connect(store, &id, CometReceipt::Received).await;
        send(store, &id, &session, (&chat, 5, false)).await;
        store.close_session(&id, Some(noted)).await.unwrap();
        let reply = try_connect(store, &id, CometReceipt::Received).await;
        assert_eq!(reply, CometReply::Unknown);
        let id = open(store, &user).await;
        let session = connect(store, &id, CometReceipt::Received).await;
        assert_eq!(positions(&session, &[&chat]), [Some(expected)], "{noted}");
        store.close_session(&id, None).await.unwrap();
    }
}

async fn sessions_and_chats_of_a_user_are_limited(store: &dyn Store) {
    let user = user();
    let mut chats = Vec::new();
    for _ in 0..MAX_CHATS_PER_USER {
        chats.push(add_chat(store, &user).await);
    }
    let further = ServiceId::generate();
    let added = store.add_pushed_chat(&user, &further, LONG_TTL).await;
    assert!(!added.unwrap());
    let again = store.add_pushed_chat(&user, &chats[0], LONG_TTL).await;
    assert!(again.unwrap());
    let shortest = CometSessionId::new(user.clone(), fresh());
    store
        .open_session(&shortest, false, LONG_TTL / 2)
        .await
        .unwrap();
    let mut sessions = Vec::new();
    for _ in 0..MAX_SESSIONS_PER_USER {
        sessions.push(open(store, &user).await);
    }
    let reply = try_connect(store, &shortest, CometReceipt::Received).await;
    assert_eq!(reply, CometReply::Unknown);
    for id in &sessions {
        let session = connect(store, id, CometReceipt::Received).await;
        assert_eq!(session.chats.len(), MAX_CHATS_PER_USER);
    }
}

async fn signals_count_what_waiting_connects_must_see(store: &dyn Store) {
    let user = user();
    let signals = async || {
        let counted = store.chat_versions(&[user.signal_id()]).await.unwrap();
        counted[0].map_or(0, |version| version.last)
    };
    let id = open(store, &user).await;
    let wait = async || {
        let connect = store.connect_session(&id, CometReceipt::Received, LONG_TTL, LONG_TTL);
        connect.await.unwrap()
    };
    wait().await;
    assert_eq!(signals().await, 0);
    let chat = add_chat(store, &user).await;
    assert_eq!(signals().await, 1);
    store.add_pushed_chat(&user, &chat, LONG_TTL).await.unwrap();
    assert_eq!(signals().await, 1);
    // The connect before waits.
    let CometReply::Done(session) = wait().await else {
        panic!("no session");
    };
    assert_eq!(signals().await, 2);
    let patterns = ["/_genesys".to_owned()];
    store.set_subscription(&id, &patterns, true).await.unwrap();
    assert_eq!(signals().await, 3);
    // The connect before has ended with a batch.
    send(store, &id, &session, (&chat, 1, false)).await;
    wait().await;
    assert_eq!(signals().await, 3);
    store.close_session(&id, None).await.unwrap();
    assert_eq!(signals().await, 4);
}
