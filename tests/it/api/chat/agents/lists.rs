//! Lists of chats.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::fixture::{ANN, client, get, get_json, perform, start, start_chat};
use crate::support::{TestApp, eventually, on_every_kind_of_store};

on_every_kind_of_store!(
    chats_are_listed_by_start_and_state,
    pages_have_every_chat_once,
);

fn ids(list: &Value) -> Vec<String> {
    let chats = list["chats"].as_array().unwrap().iter();
    chats
        .map(|chat| chat["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn chats_are_listed_by_start_and_state(app: TestApp) {
    let app = start(&app, &[]).await;
    let waiting = start_chat(&app, "userDisplayName=Carl&subject=Help").await;
    let active = start_chat(&app, "").await;
    let ended = start_chat(&app, "").await;
    perform(&app, ANN, &active, "join", "").await;
    client(&app, &ended, "disconnect", "").await;
    for (query, expected) in [
        ("", vec![&waiting, &active]),
        ("?state=waiting", vec![&waiting]),
        ("?state=active", vec![&active]),
        ("?state=ended", vec![&ended]),
        ("?state=", vec![&waiting, &active]),
    ] {
        eventually("the list has these chats", async || {
            let list = get_json(&app, ANN, &format!("chats{query}")).await;
            assert_eq!(list["next"], Value::Null);
            (ids(&list).iter().collect::<Vec<_>>() == expected).then_some(())
        })
        .await;
    }
    let list = get_json(&app, ANN, "chats").await;
    let chat = &list["chats"][0];
    assert_eq!(chat["definition"], "request-chat");
    assert_eq!(
        (&chat["nickname"], &chat["subject"]),
        (&json!("Carl"), &json!("Help"))
    );
    assert_eq!(
        (&chat["state"], &chat["transcriptPosition"]),
        (&json!("waiting"), &json!(1))
    );
    assert_eq!(chat["agents"], json!([]));
    assert_eq!(list["chats"][1]["agents"], json!(["ann"]));
    for query in [
        "state=open",
        "state=Waiting",
        "limit=0",
        "limit=201",
        "after=x",
    ] {
        let response = get(&app, ANN, &format!("chats?{query}")).await;
        response.error_message("InvalidParameter", 400);
    }
    assert_eq!(
        get(&app, ANN, "chats?limit=200").await.status,
        StatusCode::OK
    );
}

async fn pages_have_every_chat_once(app: TestApp) {
    let app = start(&app, &[]).await;
    let mut started = Vec::new();
    for _ in 0..23 {
        started.push(start_chat(&app, "").await);
    }
    for limit in [1, 5, 23, 50] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = get_json(&app, ANN, &format!("chats?limit={limit}{after}")).await;
            let page_ids = ids(&page);
            assert!(page_ids.len() <= limit);
            found.extend(page_ids);
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={next}");
        }
        let distinct: BTreeSet<_> = found.iter().collect();
        assert_eq!((distinct.len(), found.len()), (23, 23), "by {limit}");
        assert_eq!(distinct, started.iter().collect());
    }
}
