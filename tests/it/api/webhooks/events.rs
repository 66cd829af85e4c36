//! Events of changes, as receivers get them.

use serde_json::{Value, json};

use super::fixture::{
    ENDPOINT, SECRET, create_webhook, create_webhook_of, receiver, start, verify,
    wait_for_deliveries,
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, create_service_with, exclusive_group_options, replace_entry,
        request_interaction_options,
    },
    support::{
        Bodies, TestApp, TestResponse,
        backends::{Backend, MockResponse},
        chat::request_chat,
        eventually, on_every_kind_of_store,
    },
};

on_every_kind_of_store!(
    the_events_of_a_service_arrive_in_order,
    an_expired_service_has_an_event,
    only_subscribed_events_are_sent,
    user_data_is_sent_only_if_it_is_configured,
    events_of_numbers_are_sent_to_the_group_and_to_the_service,
    events_of_chats_are_sent,
    a_service_that_was_created_before_its_webhook_has_no_events,
);

/// The verified events that a receiver has, in the order of their requests.
fn events(receiver: &Backend) -> Vec<Value> {
    let requests = receiver.received_requests();
    requests
        .iter()
        .map(|request| verify(request, SECRET))
        .collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

async fn wait_for_events(receiver: &Backend, count: usize) -> Vec<Value> {
    eventually("the receiver has the events", async || {
        (receiver.received_requests().len() >= count).then(|| events(receiver))
    })
    .await
}

async fn the_events_of_a_service_arrive_in_order(app: TestApp) {
    let app = start(&app, &[]).await;
    // The first event is delivered only after the others are pending.
    let receiver = receiver(500).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let service = create_service(&app, "shop").await.service_id();
    let id = service.rsplit('/').next().unwrap();
    wait_for_events(&receiver, 1).await;
    for ttl in ["ttl=100", "ttl=200"] {
        TestResponse::send(app.put(&service).form_body(ttl))
            .await
            .assert_empty();
    }
    TestResponse::send(app.delete(&service)).await.assert_ok();
    receiver.set_responder(|_| MockResponse::ok("{}"));
    wait_for_deliveries(&app, ENDPOINT, 4).await;
    let events = events(&receiver);
    assert_eq!(
        types(&events),
        [
            "service.created",
            "service.created",
            "service.expiration_updated",
            "service.expiration_updated",
            "service.deleted",
        ]
    );
    assert_eq!(events[0], events[1]);
    for event in &events {
        assert_eq!(
            event["service"],
            json!({"id": id, "definition": "shop"}),
            "{event}"
        );
    }
    let expires_at = |index: usize| {
        events[index]["data"]["expires_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(expires_at(2) < expires_at(3), "{events:?}");
    assert!(expires_at(2).ends_with('Z'), "{events:?}");
    assert_eq!(events[4]["data"], json!({}));
}

async fn an_expired_service_has_an_event(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    let options = json!({"_webhook_events": "service.expired", "_ttl": "1"});
    create_webhook(&app, &receiver.url(), &options).await;
    let service = create_service(&app, "shop").await.service_id();
    let events = wait_for_events(&receiver, 1).await;
    assert_eq!(types(&events), ["service.expired"]);
    assert!(service.ends_with(events[0]["service"]["id"].as_str().unwrap()));
    wait_for_deliveries(&app, ENDPOINT, 1).await;
}

async fn only_subscribed_events_are_sent(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    let options = json!({"_webhook_events": "service.deleted"});
    create_webhook(&app, &receiver.url(), &options).await;
    let service = create_service(&app, "shop").await.service_id();
    TestResponse::send(app.put(&service).form_body("ttl=100"))
        .await
        .assert_empty();
    TestResponse::send(app.delete(&service)).await.assert_ok();
    let events = wait_for_events(&receiver, 1).await;
    assert_eq!(types(&events), ["service.deleted"]);
    let state = wait_for_deliveries(&app, ENDPOINT, 1).await;
    assert_eq!(state["pending"], 0);
}

async fn user_data_is_sent_only_if_it_is_configured(app: TestApp) {
    let app = start(&app, &[]).await;
    let (with, without) = (receiver(200).await, receiver(200).await);
    let only_created = json!({"_webhook_events": "service.created"});
    create_webhook(&app, &without.url(), &only_created).await;
    let mut options = only_created.clone();
    options["_webhook_user_data"] = json!("true");
    create_webhook_of(&app, "open", &with.url(), &options).await;
    for name in ["shop", "open"] {
        create_service_with(&app, name, "name=Ann&text=%C3%A9")
            .await
            .service_id();
    }
    let events = wait_for_events(&without, 1).await;
    assert_eq!(events[0]["data"], json!({}));
    let events = wait_for_events(&with, 1).await;
    let expected = json!({"user_data": {"name": "Ann", "text": "é"}});
    assert_eq!(events[0]["data"], expected);
    let large = format!("name={}", "a".repeat(33 * 1024));
    create_service_with(&app, "open", &large).await.service_id();
    let events = wait_for_events(&with, 2).await;
    assert_eq!(events[1]["data"], json!({"user_data_omitted": true}));
}

async fn events_of_numbers_are_sent_to_the_group_and_to_the_service(app: TestApp) {
    let app = start(&app, &[]).await;
    let (of_group, of_service) = (receiver(200).await, receiver(200).await);
    let mut group = exclusive_group_options(&["8005550001"]);
    let mut call = request_interaction_options("support");
    for (entry, receiver) in [(&mut group, &of_group), (&mut call, &of_service)] {
        entry["_webhook_url"] = json!(receiver.url());
        entry["_webhook_secret"] = json!(SECRET);
    }
    call["_webhook_events"] =
        json!("number.booked, number.matched, number.released, number.exhausted");
    group["_webhook_user_data"] = json!("true");
    create_entry(&app, "groups/support", &group).await;
    create_entry(&app, "services/call", &call).await;
    let form = "_phone_number=6504699999";
    let first = create_service_with(&app, "call", form).await.service_id();
    // The only number is booked.
    for _ in 0..2 {
        create_service(&app, "call")
            .await
            .error_message("NoAccessNumber", 503);
    }
    let matched = app.post("/genesys/1/service/match-interaction");
    let matched = matched.form_body("_access_number=8005550001&_phone_number=6504699999");
    assert_eq!(TestResponse::send(matched).await.status, 200);
    let second = create_service(&app, "call").await.service_id();
    TestResponse::send(app.delete(&second)).await.assert_ok();
    let expected = [
        "number.booked",
        "number.exhausted",
        "number.matched",
        "number.booked",
        "number.released",
    ];
    let mut ids = Vec::new();
    for (receiver, has_caller) in [(&of_group, true), (&of_service, false)] {
        let mut events = wait_for_events(receiver, expected.len()).await;
        events.sort_by_key(|event| event["time"].as_str().unwrap().to_owned());
        let mut names = types(&events);
        names.sort_unstable();
        let mut sorted = expected;
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        for event in &events {
            assert_eq!(event["data"]["group"], "support", "{event}");
            assert_eq!(event["service"]["definition"], "call", "{event}");
            let is_exhausted = event["type"] == "number.exhausted";
            assert_eq!(event["service"]["id"].is_null(), is_exhausted, "{event}");
            assert_eq!(event["data"]["number"].is_null(), is_exhausted, "{event}");
        }
        let booked = events
            .iter()
            .find(|event| event["type"] == "number.booked")
            .unwrap();
        assert!(
            first.ends_with(booked["service"]["id"].as_str().unwrap()),
            "{booked}"
        );
        assert_eq!(booked["data"]["caller"].is_string(), has_caller, "{booked}");
        ids.push(booked["id"].clone());
    }
    assert_eq!(ids[0], ids[1], "one event has one id");
}

async fn events_of_chats_are_sent(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    let options = json!({
        "_service": "request-chat",
        "_webhook_events": "chat.started, chat.message, chat.ended",
        "_webhook_user_data": "true",
    });
    create_webhook(&app, &receiver.url(), &options).await;
    let service = create_service(&app, "shop").await.service_id();
    let start = app.post(&format!("{service}/ixn/chat"));
    let start = TestResponse::send(start.form_body("firstName=Ann&subject=Invoice"));
    assert_eq!(start.await.status, 200);
    request_chat(&app, &service, "send", "message=Hello").await;
    request_chat(&app, &service, "disconnect", "").await;
    let events = wait_for_events(&receiver, 3).await;
    assert_eq!(
        types(&events),
        ["chat.started", "chat.message", "chat.ended"]
    );
    let [started, message, ended] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(started["data"]["party"], "CLIENT", "{started}");
    assert_eq!(started["data"]["nickname"], "Ann", "{started}");
    assert_eq!(message["data"]["text"], "Hello", "{message}");
    assert!(
        message["data"]["position"].as_u64() < ended["data"]["position"].as_u64(),
        "{events:?}"
    );
}

async fn a_service_that_was_created_before_its_webhook_has_no_events(app: TestApp) {
    let app = start(&app, &[]).await;
    let options = json!({"_type": "builtin", "_service": "store"});
    create_entry(&app, "services/old", &options).await;
    let old = create_service(&app, "old").await.service_id();
    let receiver = receiver(200).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let mut with_webhook = options.clone();
    with_webhook["_webhook_url"] = json!(receiver.url());
    with_webhook["_webhook_secret"] = json!(SECRET);
    replace_entry(&app, "services/old", &with_webhook).await;
    TestResponse::send(app.delete(&old)).await.assert_ok();
    create_service(&app, "shop").await.service_id();
    let events = wait_for_events(&receiver, 1).await;
    assert_eq!(types(&events), ["service.created"]);
    assert_eq!(events[0]["service"]["definition"], "shop");
}
