//! A customer and an agent in two browsers, the keyboard, and the notices of new chats.

use super::{open_agent, start_on_redis};
use crate::{
    api::chat::agents::fixture::{ANN, start_chat},
    support::{browser::Browser, eventually},
    ui::{
        browser::inspect_page,
        browser_fixture::{HOME, sign_in},
        try_chat::{messages, start_chat as start_on_page},
    },
};

/// Selects the chat with this nickname.
async fn select(browser: &Browser, nickname: &str) {
    browser.wait_for_text(nickname).await;
    let click = format!(
        "[...document.querySelectorAll('.chat-list button')].find((one) => one.textContent.includes({nickname:?})).click()"
    );
    browser.run(&click).await;
    eventually("the chat is shown", async || {
        let name = "return document.getElementById('chat-name').textContent";
        (browser.run(name).await == nickname).then_some(())
    })
    .await;
}

async fn title(browser: &Browser) -> String {
    let title = browser.run("return document.title").await;
    title.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_customer_and_an_agent_talk() {
    let app = start_on_redis().await;
    let customer = Browser::open().await;
    sign_in(&customer, &app).await;
    let agent = open_agent(&app, ANN).await;
    start_on_page(&customer, &app, "Carl", "An invoice").await;
    agent.wait_for_text("Waiting (1)").await;
    assert_eq!(title(&agent).await, "(1) Chats · Switchboard");
    select(&agent, "Carl").await;
    agent.wait_for_text("An invoice").await;
    agent.fill("Your nickname", "Dr. Ann").await;
    agent.press("Join").await;
    customer
        .wait_for_text("Dr. Ann has joined the session")
        .await;
    agent.wait_for_text("Active (1)").await;
    assert_eq!(title(&agent).await, "Chats · Switchboard");
    agent.wait_for_text("Enter sends").await;
    eventually("the input has the focus after joining", async || {
        let id = agent.run("return document.activeElement.id").await;
        (id == "message").then_some(())
    })
    .await;
    agent.keys(&["How can I"]).await;
    customer.wait_for_text("Dr. Ann is typing…").await;
    agent.keys(&[" help?", Browser::ENTER]).await;
    customer.wait_for_text("How can I help?").await;
    customer.keys(&["My in"]).await;
    agent.wait_for_text("Carl is typing…").await;
    customer.keys_with_shift("voice", Browser::ENTER).await;
    customer.keys(&["is wrong", Browser::ENTER]).await;
    agent.wait_for_text("is wrong").await;
    let expected = ["How can I help?", "My invoice\nis wrong"];
    assert_eq!(messages(&agent).await, expected);
    // Each page receives the messages over a stream of its own.
    eventually("the customer has the messages too", async || {
        (messages(&customer).await == expected).then_some(())
    })
    .await;
    for (browser, name) in [(&agent, "chat"), (&customer, "chat-of-customer")] {
        inspect_page(browser, name).await;
    }
    agent.press("Leave").await;
    customer.wait_for_text("Dr. Ann has left the session").await;
    agent.wait_for_text("Waiting (1)").await;
    agent.press("Join").await;
    agent.press("End chat").await;
    customer.wait_for_text("The chat has ended.").await;
    agent.wait_for_text("The chat has ended.").await;
    agent.wait_for_text("Waiting (0)").await;
}

#[tokio::test]
async fn agents_use_the_keyboard_only() {
    let app = start_on_redis().await;
    start_chat(&app, "userDisplayName=Carl").await;
    let browser = open_agent(&app, ANN).await;
    browser.wait_for_text("Carl").await;
    let active = async |expected: &str| {
        for _ in 0..40 {
            let text = "const at = document.activeElement; return at === document.body ? '' : at.id + ' ' + at.textContent";
            let at = browser.run(text).await;
            if at.as_str().unwrap_or_default().contains(expected) {
                return;
            }
            browser.keys(&[Browser::TAB]).await;
        }
        panic!("{expected} is not reachable");
    };
    active("Carl").await;
    browser.keys(&[Browser::ENTER]).await;
    eventually("the name has the focus", async || {
        let id = browser.run("return document.activeElement.id").await;
        (id == "chat-name").then_some(())
    })
    .await;
    active("Join").await;
    browser.keys(&[Browser::ENTER]).await;
    eventually("the input has the focus", async || {
        let id = browser.run("return document.activeElement.id").await;
        (id == "message").then_some(())
    })
    .await;
    browser.keys(&["Hello", Browser::ENTER]).await;
    browser.wait_for_text("Hello").await;
    active("End chat").await;
    browser.keys(&[Browser::ENTER]).await;
    browser.wait_for_text("The chat has ended.").await;
}

/// Counts the tones instead of playing them.
const COUNT_TONES: &str = "window.tones = 0; window.AudioContext = class { \
    createOscillator() { window.tones += 1; return { frequency: {}, connect: () => ({ connect() {} }), start() {}, stop() {} }; } \
    createGain() { return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} } }; } }";

#[tokio::test]
async fn new_chats_are_announced_unless_it_is_switched_off() {
    let app = start_on_redis().await;
    let browser = open_agent(&app, ANN).await;
    browser.run(COUNT_TONES).await;
    start_chat(&app, "userDisplayName=First").await;
    browser.wait_for_text("Waiting (1)").await;
    assert_eq!(browser.run("return window.tones").await, 1);
    let announced = "return document.getElementById('list-announcement').textContent";
    assert_eq!(browser.run(announced).await, "New chat: First");
    browser.check("Sound").await;
    browser.check("Count in title").await;
    start_chat(&app, "userDisplayName=Second").await;
    browser.wait_for_text("Waiting (2)").await;
    assert_eq!(browser.run("return window.tones").await, 1);
    assert_eq!(title(&browser).await, "Chats · Switchboard");
    // The browser keeps the choice.
    browser.goto(&app.url(&format!("{HOME}/chats"))).await;
    browser.wait_for_text("Waiting (2)").await;
    let kept =
        "return ['sound', 'count', 'available'].map((id) => document.getElementById(id).checked)";
    assert_eq!(
        browser.run(kept).await,
        serde_json::json!([false, false, true])
    );
    assert_eq!(title(&browser).await, "Chats · Switchboard");
}

#[tokio::test]
async fn a_session_that_ends_is_shown() {
    let app = start_on_redis().await;
    let browser = open_agent(&app, ANN).await;
    let sign_out = "const form = document.querySelector('form.who'); \
                    fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });";
    browser.run(sign_out).await;
    browser.wait_for_text("your session has expired").await;
    browser.inspect("chats with an expired session").await;
    browser.follow("Sign in again").await;
    browser.field("Password").await;
}

#[tokio::test]
async fn other_pages_lead_an_agent_to_chats() {
    let app = start_on_redis().await;
    let browser = open_agent(&app, ANN).await;
    browser.goto(&app.url(&format!("{HOME}/audit-log"))).await;
    browser
        .wait_for_text("this page is for administrators")
        .await;
    browser.follow("Back to Chats").await;
    browser.wait_for_text("Waiting (0)").await;
}
