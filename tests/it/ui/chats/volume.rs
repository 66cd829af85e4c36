//! 200 waiting chats, and a transcript of 5,000 events.

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::{open_agent, start_on_redis};
use crate::{
    api::chat::agents::fixture::{ANN, client, start_chat},
    support::{TestApp, browser::Browser, eventually},
    ui::browser_fixture::HOME,
};

const CHATS: usize = 200;
const EVENTS: usize = 4_990;

/// Sends messages to a chat until its transcript has this many events.
async fn fill_transcript(app: &TestApp, id: &str, events: usize) {
    let sends = stream::iter(1..events).map(async |number| {
        client(app, id, "send", &format!("message=Number+{number}")).await;
    });
    sends.buffer_unordered(16).collect::<Vec<()>>().await;
}

/// The number of rows in the document.
async fn row_count(browser: &Browser) -> u64 {
    let rows = "return document.querySelectorAll('.chat-rows li').length";
    browser.run(rows).await.as_u64().unwrap()
}

#[tokio::test]
async fn many_chats_are_listed_and_changed_in_place() {
    let app = start_on_redis().await;
    let starts = stream::iter(0..CHATS)
        .map(async |number| start_chat(&app, &format!("userDisplayName=Carl+{number}")).await);
    let ids: Vec<String> = starts.buffer_unordered(8).collect().await;
    let browser = open_agent(&app, ANN).await;
    browser.wait_for_text("Waiting (200)").await;
    // Counts the elements that change from now on.
    let observe = "window.changed = 0; new MutationObserver((records) => { \
                   for (const record of records) window.changed += record.addedNodes.length; \
                   }).observe(document.getElementById('lists'), { childList: true, subtree: true }); \
                   window.kept = document.querySelector('#waiting li')";
    browser.run(observe).await;
    start_chat(&app, "userDisplayName=Another").await;
    browser.wait_for_text("Waiting (201)").await;
    client(&app, &ids[7], "disconnect", "").await;
    browser.wait_for_text("Waiting (200)").await;
    let result = "return [window.kept.isConnected, window.changed]";
    let result = browser.run(result).await;
    assert_eq!(result[0], true, "the page was not replaced");
    // One entry, and the texts of the counts.
    assert!(result[1].as_u64().unwrap() <= 10, "{result}");
    for width in [360, 1280] {
        browser.resize(width, 740).await;
        browser.inspect("many chats").await;
    }
    // The search hides the others, and stands in the URL.
    browser.fill("Search", "CARL 19").await;
    browser.wait_for_text("Waiting (11 of 200)").await;
    start_chat(&app, "userDisplayName=Carl+1999").await;
    browser.wait_for_text("Waiting (12 of 201)").await;
    let query = browser.run("return location.search").await;
    assert_eq!(query, "?q=CARL+19");
    browser.run("location.reload()").await;
    browser.wait_for_text("Waiting (12 of 201)").await;
    let clear = "const search = document.getElementById('chat-search'); \
                 search.value = ''; search.dispatchEvent(new Event('input'))";
    browser.run(clear).await;
    browser.wait_for_text("Waiting (201)").await;
    assert_eq!(browser.run("return location.search").await, "");
}

#[tokio::test]
async fn a_long_transcript_is_loaded_in_parts_and_appended_to() {
    let app = start_on_redis().await;
    let id = start_chat(&app, "userDisplayName=Carl").await;
    fill_transcript(&app, &id, EVENTS).await;
    let browser = open_agent(&app, ANN).await;
    browser.wait_for_text("Carl").await;
    let open = "document.querySelector('.chat-list button').click()";
    browser.run(open).await;
    browser.press("Load earlier").await;
    eventually("300 of the rows", async || {
        (row_count(&browser).await == 300).then_some(())
    })
    .await;
    // A new message is one new row; the others stay, and the end stays in view.
    let mark = "window.kept = document.querySelector('.chat-rows li'); \
                const rows = document.querySelector('.chat-rows'); rows.scrollTop = rows.scrollHeight";
    browser.run(mark).await;
    let before = row_count(&browser).await;
    client(&app, &id, "send", "message=The+last+one").await;
    browser.wait_for_text("The last one").await;
    assert_eq!(row_count(&browser).await, before + 1);
    let at_end = "const rows = document.querySelector('.chat-rows'); \
                  return [window.kept.isConnected, rows.scrollHeight - rows.scrollTop - rows.clientHeight < 5]";
    eventually("the end stays in view", async || {
        (browser.run(at_end).await == json!([true, true])).then_some(())
    })
    .await;
    // Above the end, the view stays and a button leads to the new messages.
    let scroll = "const rows = document.querySelector('.chat-rows'); rows.scrollTop = 300; return rows.scrollTop";
    assert_eq!(browser.run(scroll).await, 300);
    client(&app, &id, "send", "message=Below").await;
    browser.wait_for_text("New messages").await;
    let top = "return document.querySelector('.chat-rows').scrollTop";
    assert_eq!(browser.run(top).await, 300);
    browser.press("New messages").await;
    eventually("the end is in view", async || {
        (browser.run(at_end).await[1] == true).then_some(())
    })
    .await;
    let navigations = "return performance.getEntriesByType('navigation').length";
    assert_eq!(browser.run(navigations).await, 1);
}

#[tokio::test]
async fn the_number_of_rows_in_the_document_is_limited() {
    let app = start_on_redis().await;
    let id = start_chat(&app, "userDisplayName=Carl").await;
    fill_transcript(&app, &id, 1_000).await;
    let browser = open_agent(&app, ANN).await;
    // Without an entry in the list the page begins with the first event.
    browser
        .goto(&app.url(&format!("{HOME}/chats?id={id}")))
        .await;
    eventually("the last event", async || {
        let last =
            "return document.querySelector('.chat-rows li:last-child')?.dataset.position ?? ''";
        (browser.run(last).await == "1000").then_some(())
    })
    .await;
    assert_eq!(row_count(&browser).await, 400);
    browser.press("Load earlier").await;
    eventually("earlier rows", async || {
        let first = "return document.querySelector('.chat-rows li').dataset.position";
        (browser.run(first).await == "401").then_some(())
    })
    .await;
    assert_eq!(row_count(&browser).await, 600);
}
