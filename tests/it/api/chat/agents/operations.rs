//! Metrics of chats and agents.

use super::fixture::{ANN, client, events_of, perform, request, start, start_chat};
use crate::support::{
    Bodies, TestApp, TestResponse, eventually, metrics::Metrics, on_every_kind_of_store,
};

on_every_kind_of_store!(chats_agents_and_streams_are_counted);

async fn chats_agents_and_streams_are_counted(app: TestApp) {
    let app = start(&app, &[]).await;
    let ids = [
        start_chat(&app, "").await,
        start_chat(&app, "").await,
        start_chat(&app, "").await,
    ];
    perform(&app, ANN, &ids[0], "join", "").await;
    client(&app, &ids[2], "disconnect", "").await;
    let available = request(&app, ANN, reqwest::Method::PUT, "availability");
    TestResponse::send(available.form_body("available=true")).await;
    let mut events = events_of(&app, ANN, None).await;
    events.next_named("chats").await;
    // Only the first message of an agent counts.
    for message in ["one", "two"] {
        perform(&app, ANN, &ids[0], "send", &format!("message={message}")).await;
    }
    let open = |state: &str| format!("chats_open{{definition=\"request-chat\",state=\"{state}\"}}");
    eventually("the metrics of chats", async || {
        let metrics = Metrics::scrape(app.address).await;
        let expected = [
            (open("waiting"), 1.0),
            (open("active"), 1.0),
            ("agents_available".to_owned(), 1.0),
            ("agent_event_streams".to_owned(), 1.0),
            ("chat_first_answer_seconds_count".to_owned(), 1.0),
        ];
        let all = expected.iter().all(|(name, value)| {
            metrics.text.contains(&format!("switchboard_{name}"))
                && (metrics.value(name) - value).abs() < 0.5
        });
        all.then_some(())
    })
    .await;
}
