//! *Try it* and *API*: the client API, tried and read in a browser.

use std::process::Command;

use serde_json::Value;

use super::pair::{HOME, PASSWORD, Pair, in_a_browser};
use crate::support::{Answer, TestApp, browser::Browser, random_prefix};

in_a_browser!(
    a_service_is_made_and_written_to_with_a_file_and_curl_does_the_same,
    what_is_answered_is_shown_whatever_it_is,
    the_description_can_be_read,
);

async fn shown(browser: &Browser, id: &str) -> String {
    let text = format!("return document.getElementById({id:?}).textContent");
    browser.run(&text).await.as_str().unwrap().to_owned()
}

/// Opens the page of an operation.
async fn try_out(browser: &Browser, app: &TestApp, operation: &str, id: &str) {
    let page = format!("{HOME}/try?operation={operation}&id={id}");
    browser.go(&app.url(&page)).await;
    browser.sees("Nothing has been sent yet").await;
}

/// Does what the page tells to do with curl; gives the body of the answer.
fn curled(line: &str) -> String {
    let line = line.replacen("curl -i", "curl -sS", 1);
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn a_service_is_made_and_written_to_with_a_file_and_curl_does_the_same(pair: Pair) {
    let browser = pair.signed_in().await;
    try_out(&browser, &pair.here, "createService", "").await;
    browser.fill("service", "store").await;
    browser
        .choose("Body", "application/x-www-form-urlencoded")
        .await;
    browser.fill("Name 1", "it's").await;
    browser.fill("Value 1", "a & b = 'c' \"d\" $e ü").await;
    browser.press("Send").await;
    browser.sees("200 OK").await;
    let told: Value = serde_json::from_str(&shown(&browser, "answer-body").await).unwrap();
    let id = told["_id"].as_str().unwrap().to_owned();
    assert!(shown(&browser, "took").await.ends_with("ms"));
    let by_curl: Value = serde_json::from_str(&curled(&shown(&browser, "curl").await)).unwrap();
    for id in [id.as_str(), by_curl["_id"].as_str().unwrap()] {
        let held = pair
            .there()
            .storage(&format!("/genesys/1/service/{id}"))
            .await;
        assert_eq!(held["it's"], "a & b = 'c' \"d\" $e ü");
    }

    browser.follow("Try its storage").await;
    browser.sees("Nothing has been sent yet").await;
    let kept = browser.field("id").await.prop("value").await.unwrap();
    assert_eq!(kept.as_deref(), Some(id.as_str()));
    browser.choose("Body", "multipart/form-data").await;
    let file = tempfile::NamedTempFile::with_suffix(".png").unwrap();
    std::fs::write(file.path(), b"bytes of a map").unwrap();
    browser.fill("Key 1", "map").await;
    let place = file.path().to_str().unwrap();
    browser
        .field("File 1")
        .await
        .send_keys(place)
        .await
        .unwrap();
    browser.press("Send").await;
    browser.sees("200 OK").await;
    let path = format!("/genesys/1/service/{id}/storage/binary/map");
    let stored = Answer::of(pair.there().get(&path)).await;
    assert_eq!(stored.body, b"bytes of a map");
    assert_eq!(stored.header("content-type"), "image/png");
}

async fn what_is_answered_is_shown_whatever_it_is(pair: Pair) {
    let browser = pair.signed_in().await;
    try_out(&browser, &pair.here, "readStorage", "no-such-service").await;
    browser.press("Send").await;
    browser.sees("404 Not Found").await;
    browser.sees("ServiceNotFound").await;
    let service = pair
        .here
        .create("a=%3Cimg+src%3Dx+onerror%3Dran%3D1%3E")
        .await;
    let id = service.rsplit('/').next().unwrap();
    try_out(&browser, &pair.here, "readKey", id).await;
    browser.fill("key", "a").await;
    browser.press("Send").await;
    browser.sees("<img src=x onerror=ran=1>").await;
    browser.look("an answer").await;
    try_out(&browser, &pair.here, "endService", id).await;
    browser.press("Send").await;
    browser.sees("200 OK").await;
    Answer::of(pair.here.get(&service))
        .await
        .message_of("ServiceNotFound", 404);
}

async fn the_description_can_be_read(pair: Pair) {
    let browser = pair.signed_in().await;
    browser
        .go(&pair.here.url(&format!("{HOME}/api#createService")))
        .await;
    let described = Answer::of(pair.here.get("/openapi.json")).await.json();
    let paths = described["paths"].as_object().unwrap();
    let all: usize = paths
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum();
    let shown = "return document.querySelectorAll('.operation').length";
    assert_eq!(browser.run(shown).await, serde_json::json!(all));
    browser.unfold("POST /genesys/1/service/{service}").await;
    browser.sees("Idempotency-Key").await;
    browser.look("the description").await;
}

#[tokio::test]
async fn where_no_clients_are_served_there_is_nothing_to_try_and_that_is_said() {
    let settings = [("admin.password", PASSWORD), ("server.public", "admin")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let browser = Browser::open().await;
    super::pair::sign_in(&browser, &app).await;
    browser.go(&app.url(&format!("{HOME}/try"))).await;
    browser.sees("This listener serves no clients").await;
}
