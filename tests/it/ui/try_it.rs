//! *Try it* and *API*: the client API, tried and read in a browser.

use std::process::Command;

use serde_json::Value;

use super::browser_fixture::{BrowserFixture, HOME, PASSWORD, in_a_browser};
use crate::support::{TestApp, TestResponse, browser::Browser, random_prefix};

in_a_browser!(
    a_service_is_made_and_written_to_with_a_file_and_curl_does_the_same,
    what_is_answered_is_shown_whatever_it_is,
    the_description_can_be_read,
);

async fn displayed_response(browser: &Browser, id: &str) -> String {
    let text = format!("return document.getElementById({id:?}).textContent");
    browser.run(&text).await.as_str().unwrap().to_owned()
}

/// Opens the page of an operation.
async fn send_request(browser: &Browser, app: &TestApp, operation: &str, id: &str) {
    let page = format!("{HOME}/try?operation={operation}&id={id}");
    browser.goto(&app.url(&page)).await;
    browser.wait_for_text("Nothing has been sent yet").await;
}

/// Does what the page tells to do with curl; gives the body of the answer.
fn run_curl(line: &str) -> String {
    let line = line.replacen("curl -i", "curl -sS", 1);
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn a_service_is_made_and_written_to_with_a_file_and_curl_does_the_same(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    send_request(&browser, &pair.app, "createService", "").await;
    browser.fill("service", "store").await;
    browser
        .choose("Body", "application/x-www-form-urlencoded")
        .await;
    browser.fill("Name 1", "it's").await;
    browser.fill("Value 1", "a & b = 'c' \"d\" $e ü").await;
    browser.press("Send").await;
    browser.wait_for_text("200 OK").await;
    let told: Value =
        serde_json::from_str(&displayed_response(&browser, "answer-body").await).unwrap();
    let id = told["_id"].as_str().unwrap().to_owned();
    assert!(displayed_response(&browser, "took").await.ends_with("ms"));
    let by_curl: Value =
        serde_json::from_str(&run_curl(&displayed_response(&browser, "curl").await)).unwrap();
    for id in [id.as_str(), by_curl["_id"].as_str().unwrap()] {
        let held = pair
            .other()
            .storage(&format!("/genesys/1/service/{id}"))
            .await;
        assert_eq!(held["it's"], "a & b = 'c' \"d\" $e ü");
    }

    browser.follow("Try its storage").await;
    browser.wait_for_text("Nothing has been sent yet").await;
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
    browser.wait_for_text("200 OK").await;
    let path = format!("/genesys/1/service/{id}/storage/binary/map");
    let stored = TestResponse::send(pair.other().get(&path)).await;
    assert_eq!(stored.body, b"bytes of a map");
    assert_eq!(stored.header("content-type"), "image/png");
}

async fn what_is_answered_is_shown_whatever_it_is(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    send_request(&browser, &pair.app, "readStorage", "no-such-service").await;
    browser.press("Send").await;
    browser.wait_for_text("404 Not Found").await;
    browser.wait_for_text("ServiceNotFound").await;
    let service = pair
        .app
        .create("a=%3Cimg+src%3Dx+onerror%3Dran%3D1%3E")
        .await;
    let id = service.rsplit('/').next().unwrap();
    send_request(&browser, &pair.app, "readKey", id).await;
    browser.fill("key", "a").await;
    browser.press("Send").await;
    browser.wait_for_text("<img src=x onerror=ran=1>").await;
    browser.inspect("an answer").await;
    send_request(&browser, &pair.app, "deleteService", id).await;
    browser.press("Send").await;
    browser.wait_for_text("200 OK").await;
    TestResponse::send(pair.app.get(&service))
        .await
        .error_message("ServiceNotFound", 404);
}

async fn the_description_can_be_read(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    browser
        .goto(&pair.app.url(&format!("{HOME}/api#createService")))
        .await;
    let described = TestResponse::send(pair.app.get("/openapi.json"))
        .await
        .json();
    let paths = described["paths"].as_object().unwrap();
    let all: usize = paths
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum();
    let shown = "return document.querySelectorAll('.operation').length";
    assert_eq!(browser.run(shown).await, serde_json::json!(all));
    browser.expand("POST /genesys/1/service/{service}").await;
    browser.wait_for_text("Idempotency-Key").await;
    browser.inspect("the description").await;
}

#[tokio::test]
async fn where_no_clients_are_served_there_is_nothing_to_try_and_that_is_said() {
    let settings = [("admin.password", PASSWORD), ("server.public", "admin")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let browser = Browser::open().await;
    super::browser_fixture::sign_in(&browser, &app).await;
    browser.goto(&app.url(&format!("{HOME}/try"))).await;
    browser
        .wait_for_text("This listener serves no clients")
        .await;
}
