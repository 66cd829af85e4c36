//! *API explorer* and *API reference* in a browser.

use std::process::Command;

use serde_json::Value;

use super::browser_fixture::{BrowserFixture, HOME, PASSWORD, in_a_browser};
use crate::support::{TestApp, TestResponse, browser::Browser, random_prefix};

in_a_browser!(
    explorer_creates_a_service_uploads_a_file_and_shows_the_curl_command,
    explorer_shows_every_response,
    api_reference_lists_all_operations,
);

async fn displayed_response(browser: &Browser, id: &str) -> String {
    let text = format!("return document.getElementById({id:?}).textContent");
    browser.run(&text).await.as_str().unwrap().to_owned()
}

/// Opens the page of an operation.
async fn open_operation(browser: &Browser, app: &TestApp, operation: &str, id: &str) {
    let page = format!("{HOME}/try?operation={operation}&id={id}");
    browser.goto(&app.url(&page)).await;
    browser.wait_for_text("No request sent yet").await;
}

/// Runs the cURL command of the page. Returns the body of the response.
fn run_curl(line: &str) -> String {
    let line = line.replacen("curl -i", "curl -sS", 1);
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn explorer_creates_a_service_uploads_a_file_and_shows_the_curl_command(
    fixture: BrowserFixture,
) {
    let browser = fixture.open_signed_in().await;
    open_operation(&browser, &fixture.app, "createService", "").await;
    browser.fill("service", "store").await;
    browser
        .choose("Body", "application/x-www-form-urlencoded")
        .await;
    browser.fill("Name 1", "it's").await;
    browser.fill("Value 1", "a & b = 'c' \"d\" $e ü").await;
    browser.press("Send").await;
    browser.wait_for_text("200 OK").await;
    let body: Value =
        serde_json::from_str(&displayed_response(&browser, "response-body").await).unwrap();
    let id = body["_id"].as_str().unwrap().to_owned();
    assert!(
        displayed_response(&browser, "duration")
            .await
            .ends_with("ms")
    );
    let by_curl: Value =
        serde_json::from_str(&run_curl(&displayed_response(&browser, "curl").await)).unwrap();
    for id in [id.as_str(), by_curl["_id"].as_str().unwrap()] {
        let storage = fixture
            .other()
            .storage(&format!("/genesys/1/service/{id}"))
            .await;
        assert_eq!(storage["it's"], "a & b = 'c' \"d\" $e ü");
    }

    browser.follow("Write to its storage").await;
    browser.wait_for_text("No request sent yet").await;
    let value = browser.field("id").await.prop("value").await.unwrap();
    assert_eq!(value.as_deref(), Some(id.as_str()));
    browser.choose("Body", "multipart/form-data").await;
    let file = tempfile::NamedTempFile::with_suffix(".png").unwrap();
    std::fs::write(file.path(), b"bytes of a map").unwrap();
    browser.fill("Key 1", "map").await;
    let file_path = file.path().to_str().unwrap();
    browser
        .field("File 1")
        .await
        .send_keys(file_path)
        .await
        .unwrap();
    browser.press("Send").await;
    browser.wait_for_text("200 OK").await;
    let path = format!("/genesys/1/service/{id}/storage/binary/map");
    let stored = TestResponse::send(fixture.other().get(&path)).await;
    assert_eq!(stored.body, b"bytes of a map");
    assert_eq!(stored.header("content-type"), "image/png");
}

async fn explorer_shows_every_response(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    open_operation(&browser, &fixture.app, "readStorage", "no-such-service").await;
    browser.press("Send").await;
    browser.wait_for_text("404 Not Found").await;
    browser.wait_for_text("ServiceNotFound").await;
    let service = fixture
        .app
        .create("a=%3Cimg+src%3Dx+onerror%3Dran%3D1%3E")
        .await;
    let id = service.rsplit('/').next().unwrap();
    open_operation(&browser, &fixture.app, "readKey", id).await;
    browser.fill("key", "a").await;
    browser.press("Send").await;
    browser.wait_for_text("<img src=x onerror=ran=1>").await;
    browser.inspect("a response").await;
    open_operation(&browser, &fixture.app, "deleteService", id).await;
    browser.press("Send").await;
    browser.wait_for_text("200 OK").await;
    TestResponse::send(fixture.app.get(&service))
        .await
        .error_message("ServiceNotFound", 404);
}

async fn api_reference_lists_all_operations(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}/api#createService")))
        .await;
    let document = TestResponse::send(fixture.app.get("/openapi.json"))
        .await
        .json();
    let paths = document["paths"].as_object().unwrap();
    let all: usize = paths
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum();
    let operations = "return document.querySelectorAll('.operation').length";
    assert_eq!(browser.run(operations).await, serde_json::json!(all));
    browser.expand("POST /genesys/1/service/{service}").await;
    browser.wait_for_text("Idempotency-Key").await;
    browser.inspect("the description").await;
    // The tags in the order of use; forms only for operations of clients.
    let first = "return document.querySelector('main h2').textContent";
    assert_eq!(browser.run(first).await, serde_json::json!("services"));
    let links = "return document.querySelectorAll('#listReplicas a[href*=\"/try?\"]').length";
    assert_eq!(browser.run(links).await, serde_json::json!(0));
    browser.follow("Try it").await;
    browser.wait_for_text("No request sent yet").await;
    let selected = "return document.getElementById('try').dataset.path";
    let path = browser.run(selected).await;
    assert_eq!(path, serde_json::json!("/genesys/1/service/{service}"));
}

#[tokio::test]
async fn explorer_explains_a_listener_without_the_client_api() {
    let settings = [("admin.password", PASSWORD), ("server.public", "admin")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let browser = Browser::open().await;
    super::browser_fixture::sign_in(&browser, &app).await;
    browser.goto(&app.url(&format!("{HOME}/try"))).await;
    browser
        .wait_for_text("The client API is not available on this listener")
        .await;
}
