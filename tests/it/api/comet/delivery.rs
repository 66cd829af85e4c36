//! Push of chats: what arrives at which session, once and in order.

use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Chat, CometSession, positions, wait_until_waiting};
use crate::support::{TestApp, on_every_kind_of_store};

on_every_kind_of_store!(
    events_are_pushed_to_a_waiting_connect,
    chat_that_starts_while_a_connect_waits_is_pushed,
    only_chats_of_the_user_with_notify_by_comet_are_pushed,
    nothing_is_pushed_without_a_subscription,
    batch_is_repeated_only_if_it_was_not_received,
    acknowledged_batches_arrive_exactly_once,
    new_session_continues_without_loss_or_double,
    disconnect_notes_the_position,
    end_of_a_chat_is_pushed_once,
    several_chats_are_pushed_separately,
    deleted_service_is_forgotten,
);

/// Longer than a push takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A user that no other test has.
fn user() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A session that has connected, so that the next connect waits.
async fn connected(app: &TestApp, user: &str, has_ack: bool) -> CometSession {
    let session = CometSession::open(app, user, has_ack).await;
    session.connect_at_once(app).await;
    session
}

/// The pushes of a connect that says that the batch before was received.
async fn next(session: &CometSession, app: &TestApp) -> Vec<Value> {
    let (pushed, reply) = tokio::time::timeout(TIMEOUT, session.connect(app, json!({})))
        .await
        .unwrap();
    assert_eq!(reply["successful"], true, "{reply}");
    pushed
}

async fn events_are_pushed_to_a_waiting_connect(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet&firstName=Ann").await;
    let pushed = next(&session, &app).await;
    assert_eq!(pushed.len(), 1, "{pushed:?}");
    let push = &pushed[0];
    assert_eq!(push["channel"], "/_genesys");
    assert_eq!(push.as_object().unwrap().len(), 2, "{push}");
    let data = push["data"].as_object().unwrap();
    assert_eq!(data.len(), 3, "{push}");
    let id = data["id"].as_str().unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
    assert_eq!(data["tag"], format!("service.chat.refresh.{}", chat.id));
    let message = &data["message"];
    assert_eq!(message["chatIxnState"], "TRANSCRIPT");
    assert_eq!(message["transcriptPosition"], 1);
    let joined = json!([[
        "Notice.Joined",
        "Ann",
        "has joined the session",
        "0",
        "CLIENT"
    ]]);
    assert_eq!(message["transcriptToShow"], joined);
    let send = async {
        wait_until_waiting(&app).await;
        chat.send(&app, "Hello").await;
    };
    let (pushed, ()) = tokio::join!(next(&session, &app), send);
    assert_eq!(positions(&pushed), [(chat.id.clone(), 2, 2)]);
    let message = &pushed[0]["data"]["message"];
    assert_eq!(message["transcriptToShow"][0][2], "Hello");
}

async fn chat_that_starts_while_a_connect_waits_is_pushed(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let start = async {
        wait_until_waiting(&app).await;
        Chat::start(&app, &user, "notify_by=COMET").await
    };
    let (pushed, chat) = tokio::join!(next(&session, &app), start);
    assert_eq!(positions(&pushed), [(chat.id, 1, 1)]);
}

async fn only_chats_of_the_user_with_notify_by_comet_are_pushed(app: TestApp) {
    let (ann, bob) = (user(), user());
    let session = connected(&app, &ann, false).await;
    let anonymous = connected(&app, "", false).await;
    Chat::start(&app, &bob, "notify_by=comet").await;
    Chat::start(&app, &ann, "notify_by=fcm").await;
    Chat::start(&app, &ann, "").await;
    Chat::start(&app, "", "notify_by=comet").await;
    let chat = Chat::start(&app, &ann, "notify_by=comet").await;
    assert_eq!(positions(&next(&session, &app).await), [(chat.id, 1, 1)]);
    let (pushed, _) = session
        .connect(&app, json!({"advice": {"timeout": 0}, "ext": {"ack": 9}}))
        .await;
    assert_eq!(pushed.len(), 0);
    let (pushed, _) = anonymous.connect_at_once(&app).await;
    assert_eq!(pushed.len(), 0);
}

async fn nothing_is_pushed_without_a_subscription(app: TestApp) {
    let user = user();
    let session = CometSession::handshake(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    let (pushed, _) = session.connect_at_once(&app).await;
    assert_eq!(pushed.len(), 0);
    // A waiting connect notices the subscription.
    let subscribe = async {
        wait_until_waiting(&app).await;
        session.subscribe(&app, "/**").await;
    };
    let (pushed, ()) = tokio::join!(next(&session, &app), subscribe);
    assert_eq!(positions(&pushed), [(chat.id, 1, 1)]);
}

async fn batch_is_repeated_only_if_it_was_not_received(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    let first = [(chat.id.clone(), 1, 1)];
    assert_eq!(positions(&next(&session, &app).await), first);
    // The official clients ask for an immediate reply after a failed connect.
    let (pushed, _) = session.connect_at_once(&app).await;
    assert_eq!(positions(&pushed), first);
    chat.send(&app, "Hello").await;
    let (pushed, _) = session.connect_at_once(&app).await;
    assert_eq!(positions(&pushed), [(chat.id.clone(), 1, 2)]);
    chat.send(&app, "?").await;
    assert_eq!(positions(&next(&session, &app).await), [(chat.id, 3, 3)]);
}

async fn acknowledged_batches_arrive_exactly_once(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, true).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    let connect = async |ack: u64| {
        let members = json!({"ext": {"ack": ack}, "advice": {"timeout": 0}});
        let (pushed, reply) = session.connect(&app, members).await;
        (positions(&pushed), reply["ext"]["ack"].as_u64().unwrap())
    };
    let (pushed, batch) = connect(0).await;
    assert_eq!((pushed, batch), (vec![(chat.id.clone(), 1, 1)], 1));
    // The reply was lost.
    let (pushed, batch) = connect(0).await;
    assert_eq!((pushed, batch), (vec![(chat.id.clone(), 1, 1)], 2));
    // The next request failed, its immediate repetition does not.
    let (pushed, batch) = connect(2).await;
    assert_eq!((pushed, batch), (vec![], 2));
    chat.send(&app, "Hello").await;
    let (pushed, batch) = connect(2).await;
    assert_eq!((pushed, batch), (vec![(chat.id, 2, 2)], 3));
}

async fn new_session_continues_without_loss_or_double(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    next(&session, &app).await;
    chat.send(&app, "2").await;
    assert_eq!(
        positions(&next(&session, &app).await),
        [(chat.id.clone(), 2, 2)]
    );
    chat.send(&app, "3").await;
    // The first two were received, the third is lost with its session.
    assert_eq!(
        positions(&next(&session, &app).await),
        [(chat.id.clone(), 3, 3)]
    );
    let session = CometSession::open(&app, &user, true).await;
    chat.send(&app, "4").await;
    let (pushed, _) = session.connect_at_once(&app).await;
    assert_eq!(positions(&pushed), [(chat.id, 3, 4)]);
}

async fn disconnect_notes_the_position(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    chat.send(&app, "2").await;
    assert_eq!(
        positions(&next(&session, &app).await),
        [(chat.id.clone(), 1, 2)]
    );
    let noted = json!({"ext": {"transcriptPosition": 2}});
    session.send(&app, "/meta/disconnect", noted).await;
    chat.send(&app, "3").await;
    let session = CometSession::open(&app, &user, false).await;
    let (pushed, _) = session.connect_at_once(&app).await;
    assert_eq!(positions(&pushed), [(chat.id, 3, 3)]);
}

async fn end_of_a_chat_is_pushed_once(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    next(&session, &app).await;
    let end = async {
        wait_until_waiting(&app).await;
        chat.request(&app, "disconnect", "").await;
    };
    let (pushed, ()) = tokio::join!(next(&session, &app), end);
    assert_eq!(positions(&pushed), [(chat.id.clone(), 2, 2)]);
    assert_eq!(pushed[0]["data"]["message"]["chatIxnState"], "DISCONNECTED");
    let (pushed, _) = session
        .connect(&app, json!({"ext": {"ack": 9}, "advice": {"timeout": 0}}))
        .await;
    assert_eq!(pushed.len(), 0);
    let session = CometSession::open(&app, &user, false).await;
    assert_eq!(session.connect_at_once(&app).await.0.len(), 0);
    // A repeated start does not add it again.
    chat.request(&app, "", "notify_by=comet").await;
    assert_eq!(session.connect_at_once(&app).await.0.len(), 0);
}

async fn several_chats_are_pushed_separately(app: TestApp) {
    let user = user();
    let one = Chat::start(&app, &user, "notify_by=comet").await;
    let other = Chat::start(&app, &user, "notify_by=comet").await;
    other.send(&app, "2").await;
    let session = CometSession::open(&app, &user, false).await;
    let (pushed, _) = session.connect_at_once(&app).await;
    let mut pushed = positions(&pushed);
    pushed.sort();
    let mut expected = [(one.id, 1, 1), (other.id, 1, 2)];
    expected.sort();
    assert_eq!(pushed, expected);
}

async fn deleted_service_is_forgotten(app: TestApp) {
    let user = user();
    let session = connected(&app, &user, false).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    next(&session, &app).await;
    let deleted = app.delete(&chat.path).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    let other = Chat::start(&app, &user, "notify_by=comet").await;
    assert_eq!(positions(&next(&session, &app).await), [(other.id, 1, 1)]);
}
