//! *Try chat*: the page that plays the customer of a chat.

use super::{
    browser_fixture::{BrowserFixture, HOME, PASSWORD, in_a_browser},
    fixture::AdminSession,
};
use crate::{
    api::admin::fixture::start_admin,
    support::{TestApp, TestResponse, browser::Browser, eventually, random_prefix},
};

in_a_browser!(
    customer_starts_a_chat_sends_messages_and_ends_it,
    a_chat_that_cannot_start_shows_the_error,
    customer_with_credentials_polls,
);

/// Opens the page and starts a chat.
pub(super) async fn start_chat(browser: &Browser, app: &TestApp, nickname: &str, subject: &str) {
    browser.goto(&app.url(&format!("{HOME}/try-chat"))).await;
    browser.fill("Nickname", nickname).await;
    browser.fill("Subject", subject).await;
    browser.press("Start chat").await;
    browser.wait_for_text("has joined the session").await;
}

/// The texts of the messages on the page.
pub(super) async fn messages(browser: &Browser) -> Vec<String> {
    let texts =
        "return [...document.querySelectorAll('.chat-rows .text')].map((text) => text.textContent)";
    serde_json::from_value(browser.run(texts).await).unwrap()
}

/// The path of the chat on the page.
async fn chat_path(browser: &Browser) -> String {
    let link = "return document.getElementById('service-link').href.split('/').pop()";
    let id = browser.run(link).await;
    format!("/genesys/1/service/{}/ixn/chat", id.as_str().unwrap())
}

async fn customer_starts_a_chat_sends_messages_and_ends_it(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    start_chat(&browser, &fixture.app, "Ann", "An invoice").await;
    browser.wait_for_text("Connected").await;
    // The input has the focus.
    browser.keys(&["Hello", Browser::ENTER]).await;
    browser.wait_for_text("Hello").await;
    eventually("the message was sent", async || {
        let value = "return document.getElementById('message').value";
        (browser.run(value).await == "").then_some(())
    })
    .await;
    browser.keys_with_shift("one", Browser::ENTER).await;
    browser.keys(&["two", Browser::ENTER]).await;
    browser.wait_for_text("two").await;
    assert_eq!(messages(&browser).await, ["Hello", "one\ntwo"]);
    let path = chat_path(&browser).await;
    let transcript = fixture.other().get(&format!("{path}/transcript"));
    let transcript = TestResponse::send(transcript).await.json();
    let rows = transcript["_transcript"].as_array().unwrap();
    let texts: Vec<_> = rows.iter().map(|row| &row[2]).collect();
    assert_eq!(texts, ["has joined the session", "Hello", "one\ntwo"]);
    assert_eq!(rows[0][1], "Ann");
    // A message that another window sends arrives as an event.
    let send = fixture
        .other()
        .post(&format!("{path}/send?message=From+elsewhere"));
    assert_eq!(TestResponse::send(send).await.status, 200);
    browser.wait_for_text("From elsewhere").await;
    browser.press("End chat").await;
    browser.wait_for_text("The chat has ended.").await;
    browser.wait_for_text("has left the session").await;
    browser.press("New chat").await;
    browser.field("Nickname").await;
}

async fn a_chat_that_cannot_start_shows_the_error(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}/try-chat")))
        .await;
    let unknown = "document.querySelector('#definition option').value = 'no such service'";
    browser.run(unknown).await;
    browser.press("Start chat").await;
    browser.wait_for_text("The chat was not started:").await;
    browser.inspect("a chat that was not started").await;
}

async fn customer_with_credentials_polls(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}/try-chat")))
        .await;
    browser.expand("Credentials").await;
    browser.fill("x-api-key", "0123456789abcdef").await;
    browser.press("Start chat").await;
    browser.wait_for_text("Connected (polling)").await;
    let path = chat_path(&browser).await;
    let send = fixture.app.post(&format!("{path}/send?message=Polled"));
    assert_eq!(TestResponse::send(send).await.status, 200);
    browser.wait_for_text("Polled").await;
}

#[tokio::test]
async fn the_page_lists_the_definitions_of_chats() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page("/try-chat").await;
    assert!(page.contains("<option value=\"request-chat\">"), "{page}");
    assert!(!page.contains("<option value=\"store\">"), "{page}");
}

#[tokio::test]
async fn the_page_explains_a_listener_without_the_client_api() {
    let settings = [("admin.password", PASSWORD), ("server.public", "admin")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page("/try-chat").await;
    assert!(page.contains("The client API is not available on this listener"));
    assert!(!page.contains("<form class=\"card\""));
}
