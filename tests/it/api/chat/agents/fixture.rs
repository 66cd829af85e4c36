//! Fixture of the tests of agents: replicas with three agents, chats, and the events of streams.

use argon2::{Argon2, Params, PasswordHasher};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::support::{Bodies, TestApp, TestResponse, event_stream::EventStream, random_prefix};

/// The agents and their passwords; the bot has an API key.
pub(crate) const ANN: (&str, &str) = ("ann", "correct: horse");
pub(crate) const BOB: (&str, &str) = ("Bj\u{f6}rn", "p\u{e4}ss");
pub(crate) const BOT: (&str, &str) = ("bot", "0123456789abcdef:bot");
pub(crate) const ADMIN_PASSWORD: &str = "sesame";

/// A hash with parameters that make it cheap.
pub(crate) fn hash(password: &str) -> String {
    let hasher = Argon2::from(Params::new(8, 1, 1, None).unwrap());
    let hash = hasher.hash_password_with_salt(password.as_bytes(), b"salt of tests");
    hash.unwrap().to_string()
}

/// The settings with the agents.
pub(crate) fn agent_settings() -> Vec<(&'static str, String)> {
    let users = [ANN, BOB].map(|(name, password)| format!("{name}:{}", hash(password)));
    vec![
        ("agents.users", users.join("\n")),
        ("agents.api_keys", format!("{}:{}", BOT.0, BOT.1)),
        ("admin.password", ADMIN_PASSWORD.to_owned()),
        ("server.trusted_proxies", "127.0.0.0/8".to_owned()),
    ]
}

/// A service with agents on the same kind of store as `app`.
pub(crate) async fn start(app: &TestApp, others: &[(&str, &str)]) -> TestApp {
    start_on(app, &random_prefix(), others).await
}

/// Another replica of `app`, with agents.
pub(crate) async fn start_replica(app: &TestApp) -> TestApp {
    start_on(app, &app.prefix, &[]).await
}

async fn start_on(app: &TestApp, prefix: &str, others: &[(&str, &str)]) -> TestApp {
    let settings = agent_settings();
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<(&str, &str)> = settings.chain(others.iter().copied()).collect();
    TestApp::start(app.redis.clone(), prefix, &all).await
}

/// A request of an agent; `path` is below `/genesys/1/agent/`.
pub(crate) fn request(
    app: &TestApp,
    agent: (&str, &str),
    method: Method,
    path: &str,
) -> RequestBuilder {
    let request = app.request(method, &format!("/genesys/1/agent/{path}"));
    if agent == BOT {
        return request.header("x-api-key", BOT.1);
    }
    request.basic_auth(agent.0, Some(agent.1))
}

pub(crate) async fn get(app: &TestApp, agent: (&str, &str), path: &str) -> TestResponse {
    TestResponse::send(request(app, agent, Method::GET, path)).await
}

/// The JSON of a response. Panics unless the status is 200.
pub(crate) async fn get_json(app: &TestApp, agent: (&str, &str), path: &str) -> Value {
    let response = get(app, agent, path).await;
    assert_eq!(
        response.status,
        StatusCode::OK,
        "{path}: {}",
        response.text()
    );
    response.json()
}

/// A request of an agent on a chat, such as `join`, with a form.
pub(crate) async fn post(
    app: &TestApp,
    agent: (&str, &str),
    id: &str,
    what: &str,
    form: &str,
) -> TestResponse {
    let request = request(app, agent, Method::POST, &format!("chats/{id}/{what}"));
    TestResponse::send(request.form_body(form)).await
}

/// As [`post`]; panics unless the status is 200.
pub(crate) async fn perform(
    app: &TestApp,
    agent: (&str, &str),
    id: &str,
    what: &str,
    form: &str,
) -> Value {
    let response = post(app, agent, id, what, form).await;
    assert_eq!(
        response.status,
        StatusCode::OK,
        "{what}: {}",
        response.text()
    );
    response.json()
}

/// Starts a chat with these fields; returns the id of its service.
pub(crate) async fn start_chat(app: &TestApp, form: &str) -> String {
    start_chat_of(app, "request-chat", form).await
}

pub(crate) async fn start_chat_of(app: &TestApp, definition: &str, form: &str) -> String {
    let create = app.post(&format!("/genesys/1/service/{definition}"));
    let service = TestResponse::send(create).await.service_id();
    let start = app.post(&format!("{service}/ixn/chat")).form_body(form);
    let started = TestResponse::send(start).await;
    assert_eq!(started.status, StatusCode::OK, "{}", started.text());
    service.rsplit('/').next().unwrap().to_owned()
}

/// A request of the client of a chat.
pub(crate) async fn client(app: &TestApp, id: &str, what: &str, form: &str) -> Value {
    let path = format!("/genesys/1/service/{id}/ixn/chat/{what}");
    let response = TestResponse::send(app.post(&path).form_body(form)).await;
    assert_eq!(
        response.status,
        StatusCode::OK,
        "{what}: {}",
        response.text()
    );
    response.json()
}

/// The rows of a chat object: kind without its prefix, nickname and text.
pub(crate) fn rows(chat: &Value) -> Vec<String> {
    let rows = chat["transcriptToShow"].as_array().unwrap().iter();
    let row = |row: &Value| {
        let text = |index: usize| row[index].as_str().unwrap();
        let kind = text(0).rsplit('.').next().unwrap();
        match kind {
            "Text" => format!("{}: {}", text(1), text(2)),
            _ => format!("{kind} {}", text(1)),
        }
    };
    rows.map(row).collect()
}

/// Opens the stream of an agent after an event, if there is one.
pub(crate) async fn events_of(
    app: &TestApp,
    agent: (&str, &str),
    after: Option<&str>,
) -> EventStream {
    let mut request = request(app, agent, Method::GET, "events");
    if let Some(id) = after {
        request = request.header("last-event-id", id);
    }
    EventStream::open(request).await
}
