//! An app with webhooks, and receivers.

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::{
    api::admin::fixture::{create_entry, get_json, request, start_admin_with},
    support::{
        Bodies, TestApp, TestResponse,
        backends::{Backend, MockResponse, ReceivedRequest},
        encode, eventually,
    },
};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// The webhook of the tests, and its service definition.
pub(crate) const ENDPOINT: &str = "services/shop";
/// Settings that allow receivers on this machine.
pub(crate) const LOCAL_RECEIVERS: [(&str, &str); 2] = [
    ("webhooks.allow_http", "true"),
    ("webhooks.allowed_networks", "127.0.0.0/8, ::1"),
];

/// An app with the admin API that sends events to this machine, and other settings.
pub(super) async fn start(app: &TestApp, others: &[(&str, &str)]) -> TestApp {
    start_admin_with(app, &[&LOCAL_RECEIVERS[..], others].concat()).await
}

/// Creates the service definition of [`ENDPOINT`], whose events are sent to `url`.
pub(crate) async fn create_webhook(app: &TestApp, url: &str, more: &Value) {
    create_webhook_of(app, "shop", url, more).await;
}

/// Creates the service definition `name`, whose events are sent to `url`.
pub(super) async fn create_webhook_of(app: &TestApp, name: &str, url: &str, more: &Value) {
    let mut options = json!({
        "_type": "builtin",
        "_service": "store",
        "_webhook_url": url,
        "_webhook_secret": SECRET,
    });
    let more = more.as_object().unwrap().clone();
    options.as_object_mut().unwrap().extend(more);
    create_entry(app, &format!("services/{name}"), &options).await;
}

/// A receiver that answers with this status.
pub(crate) async fn receiver(status: u16) -> Backend {
    Backend::new(move |_| MockResponse::Json(status, String::new())).await
}

/// A request about a webhook.
pub(super) async fn post(app: &TestApp, endpoint: &str, action: &str, form: &str) -> TestResponse {
    let path = format!("webhooks/{}/{action}", encode(endpoint));
    let request = request(app, Method::POST, &path);
    let request = if form.is_empty() {
        request
    } else {
        request.form_body(form)
    };
    TestResponse::send(request).await
}

/// Sends a test event; returns its id.
pub(crate) async fn send_test_event(app: &TestApp, endpoint: &str) -> String {
    let response = post(app, endpoint, "test", "").await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["event"].as_str().unwrap().to_owned()
}

/// The webhook in the list.
pub(super) async fn webhook(app: &TestApp, endpoint: &str) -> Value {
    let list = get_json(app, "webhooks").await;
    let mut webhooks = list["webhooks"].as_array().unwrap().iter();
    let found = webhooks.find(|webhook| webhook["endpoint"] == endpoint);
    found
        .unwrap_or_else(|| panic!("no {endpoint} in {list}"))
        .clone()
}

/// Waits until the webhook in the list `matches`.
pub(crate) async fn wait_for_webhook(
    app: &TestApp,
    endpoint: &str,
    matches: impl Fn(&Value) -> bool,
) -> Value {
    eventually("the state of the webhook", async || {
        Some(webhook(app, endpoint).await).filter(&matches)
    })
    .await
}

/// Waits until this number of events was delivered.
pub(crate) async fn wait_for_deliveries(app: &TestApp, endpoint: &str, count: u64) -> Value {
    wait_for_webhook(app, endpoint, |webhook| webhook["delivered"] == count).await
}

/// The error of the last failed attempt, which this waits for.
pub(super) async fn wait_for_failure(app: &TestApp, endpoint: &str) -> String {
    let failed = |webhook: &Value| !webhook["last_failure"].is_null();
    let webhook = wait_for_webhook(app, endpoint, failed).await;
    webhook["last_failure"]["error"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Verifies the signature of a request, and returns the event.
pub(crate) fn verify(request: &ReceivedRequest, secret: &str) -> Value {
    let headers = request.headers.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    let headers: HeaderMap = headers.collect();
    let verified = Webhook::new(secret)
        .unwrap()
        .verify(request.body.as_bytes(), &headers);
    verified.unwrap_or_else(|error| panic!("{error}: {request:?}"));
    let event: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(event["id"], request.header("webhook-id"));
    event
}
