//! Resumption of the event stream of an agent on other replicas.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use super::fixture::{
    ANN, BOB, client, events_of, get, perform, rows, start, start_chat, start_replica,
};
use crate::support::{TestApp, on_every_kind_of_store};

on_every_kind_of_store!(
    a_resumed_stream_omits_and_repeats_nothing,
    chats_that_have_ended_meanwhile_are_completed,
    malformed_ids_are_refused,
);

const CHATS: usize = 8;
const MESSAGES: usize = 60;

/// Sends messages to a chat, the client and another agent alternately.
async fn write(app: &TestApp, other: &TestApp, id: &str) {
    for n in 0..MESSAGES {
        let form = format!("message={n}&transcriptPosition=100000");
        if n % 2 == 0 {
            client(app, id, "send", &form).await;
        } else {
            perform(other, BOB, id, "send", &form).await;
        }
    }
}

async fn a_resumed_stream_omits_and_repeats_nothing(app: TestApp) {
    let first = start(&app, &[]).await;
    let replica = match first.redis {
        Some(_) => Some(start_replica(&first).await),
        None => None,
    };
    let second = replica.as_ref().unwrap_or(&first);
    let mut chats = Vec::new();
    for n in 0..CHATS {
        let id = start_chat(&first, "").await;
        perform(&first, BOB, &id, "join", "").await;
        // The agent joins some of them later.
        if n % 2 == 0 {
            perform(second, ANN, &id, "join", "").await;
        }
        chats.push(id);
    }
    let writers = join_all(chats.iter().map(|id| write(&first, second, id)));
    let late = async {
        for id in chats.iter().skip(1).step_by(2) {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            perform(&first, ANN, id, "join", "").await;
        }
    };
    let total = MESSAGES + 3;
    let read = async {
        let mut received: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut last, mut streams) = (None::<String>, 0);
        while received.len() < CHATS || received.values().any(|rows| rows.len() < total) {
            let app = [&first, second][streams % 2];
            streams += 1;
            let mut events = events_of(app, ANN, last.as_deref()).await;
            // The connection breaks after some events.
            for _ in 0..=streams * 3 % 11 {
                let event = events.next().await.unwrap();
                if event.name == "chat.event" {
                    let id = event.data["id"].as_str().unwrap().to_owned();
                    let known = received.entry(id).or_default();
                    known.extend(rows(&event.data));
                    assert_eq!(event.data["transcriptPosition"], known.len(), "{event:?}");
                }
                last = Some(event.id);
                if received.len() == CHATS && received.values().all(|rows| rows.len() == total) {
                    break;
                }
            }
        }
        (received, streams)
    };
    let (_, (), (received, streams)) = futures_util::join!(writers, late, read);
    assert!(streams > 5, "{streams}");
    for rows in received.values() {
        let messages: Vec<&str> = rows
            .iter()
            .filter_map(|row| Some(row.split_once(": ")?.1))
            .collect();
        let expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
        assert_eq!(messages, expected);
    }
}

async fn chats_that_have_ended_meanwhile_are_completed(app: TestApp) {
    let app = start(&app, &[]).await;
    let (ended, deleted, left) = (
        start_chat(&app, "").await,
        start_chat(&app, "").await,
        start_chat(&app, "").await,
    );
    let mut events = events_of(&app, ANN, None).await;
    events.next_named("chats").await;
    let mut last = String::new();
    for id in [&ended, &deleted, &left] {
        perform(&app, ANN, id, "join", "").await;
        let event = events.next_named("chat.event").await;
        assert_eq!(event.data["id"], **id);
        last = event.id;
    }
    drop(events);
    client(&app, &ended, "disconnect", "message=bye").await;
    app.delete(&format!("/genesys/1/service/{deleted}"))
        .send()
        .await
        .unwrap();
    perform(&app, ANN, &left, "leave", "").await;
    let mut events = events_of(&app, ANN, Some(&last)).await;
    let chats = events.next().await.unwrap();
    assert_eq!(chats.name, "chats");
    let open: Vec<_> = chats.data["chats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chat| chat["id"].clone())
        .collect();
    assert!(open.contains(&json!(left)), "{open:?}");
    let mut received: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        let event = events.next().await.unwrap();
        let id = event.data["id"].as_str().unwrap().to_owned();
        match event.name.as_str() {
            "chat.event" => received.entry(id).or_default().extend(rows(&event.data)),
            "chat.ended" if id == ended => break,
            // Only if it was still in the list.
            "chat.ended" if id == deleted => assert!(open.contains(&json!(deleted))),
            "chat.waiting" => assert_eq!(id, left),
            other => panic!("{other}: {event:?}"),
        }
    }
    assert_eq!(received[&ended], ["Customer: bye", "Left Customer"]);
    assert_eq!(received[&left], ["Left ann"]);
    assert_eq!(received.len(), 2);
}

async fn malformed_ids_are_refused(app: TestApp) {
    let app = start(&app, &[]).await;
    for id in ["x", "Ag", "AQAA", "%00", &"A".repeat(5_000)] {
        let response = get(&app, ANN, &format!("events?lastEventId={id}")).await;
        response.error_message("InvalidParameter", 400);
    }
}
