//! Hostile nicknames, messages, data and file names on both pages.

use super::{open_agent, start_on_redis};
use crate::{
    api::chat::agents::fixture::{ANN, client},
    support::{Bodies, Multipart, TestResponse, browser::Browser, encode},
    ui::{
        browser_fixture::{HOME, sign_in},
        try_chat::{messages, start_chat},
    },
};

const NICKNAME: &str = "<img src=x onerror=ran=1>";
const SUBJECT: &str = "\u{202e}</p><script>ran=1</script>";

/// Texts of messages: markup, bidirectional marks, a long line, and control characters.
fn texts() -> Vec<String> {
    vec![
        "<script>ran=1</script><img src=x onerror=ran=1>".to_owned(),
        "\u{202e}reversed\u{2066}\u{200f} שלום <b>".to_owned(),
        "x".repeat(16 * 1024),
        "a\u{1}\u{7f}\u{85}\u{2028}b\tc\n\nd".to_owned(),
        "javascript:ran=1 http://elsewhere.test/".to_owned(),
    ]
}

async fn inspect_everywhere(browser: &Browser, page: &str) {
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme).await;
        for (width, height) in [(360, 740), (1280, 900)] {
            browser.resize(width, height).await;
            browser.inspect(&format!("{page}, {scheme}, {width}")).await;
        }
    }
}

#[tokio::test]
async fn hostile_text_is_shown_as_text_on_both_pages() {
    let app = start_on_redis().await;
    let customer = Browser::open().await;
    sign_in(&customer, &app).await;
    start_chat(&customer, &app, NICKNAME, SUBJECT).await;
    let id = "return document.getElementById('service-link').href.split('/').pop()";
    let id = customer.run(id).await.as_str().unwrap().to_owned();
    let upload = Multipart::new()
        .text("<b>key</b>", "<script>ran=1</script>")
        .text("long", &"y".repeat(100_000))
        .file(
            "..",
            "<img src=x onerror=ran=1>.png",
            "text/html",
            b"<script>ran=1</script>",
        );
    let upload = app
        .post(&format!("/genesys/1/service/{id}/storage"))
        .multipart_body(upload);
    let uploaded = TestResponse::send(upload).await;
    assert_eq!(uploaded.status, 200, "{}", uploaded.text());
    for text in texts() {
        client(&app, &id, "send", &format!("message={}", encode(&text))).await;
    }
    let agent = open_agent(&app, ANN).await;
    agent.goto(&app.url(&format!("{HOME}/chats?id={id}"))).await;
    agent.wait_for_text("javascript:ran=1").await;
    agent.press("Join").await;
    agent.wait_for_text("Enter sends").await;
    for text in texts() {
        let form = format!("message={}", encode(&text));
        let path = format!("/genesys/1/agent/chats/{id}/send");
        let request = app.post(&path).basic_auth(ANN.0, Some(ANN.1));
        let response = TestResponse::send(request.form_body(&form)).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    let all = [texts(), texts()].concat();
    for (browser, page) in [(&customer, "the customer"), (&agent, "the agent")] {
        crate::support::eventually("all messages", async || {
            (messages(browser).await == all).then_some(())
        })
        .await;
        browser.wait_for_text(NICKNAME).await;
        inspect_everywhere(browser, page).await;
    }
    let shown = "return [document.getElementById('chat-subject').textContent, \
                 document.querySelector('#user-data dt').textContent, \
                 document.querySelector('#files a').textContent]";
    let shown = agent.run(shown).await;
    assert_eq!(shown[0], SUBJECT);
    assert_eq!(shown[2], "<img src=x onerror=ran=1>.png");
    // On a phone the list and the chat are shown one after the other.
    agent.resize(360, 740).await;
    agent.press("Back to the list").await;
    agent.inspect("the list on a phone").await;
}
