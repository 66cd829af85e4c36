//! Storage areas: on the pages, in the API explorer, and written by pages of other origins.

use serde_json::{Value, json};

use super::{
    browser_fixture::{BrowserFixture, HOME, in_a_browser},
    fixture::{AdminSession, between, listed_ids, redirect_target},
};
use crate::{
    api::{admin::fixture::start_admin, storage_areas::STORAGE},
    support::{Bodies, Multipart, TestApp, TestResponse, browser::Browser, encode, on_redis_only},
};

on_redis_only!(
    areas_are_listed_with_their_type_custom_id_and_user,
    an_area_is_found_by_its_custom_id,
    the_page_of_an_area_describes_an_area,
    an_area_is_extended_and_deleted_on_its_page,
);

in_a_browser!(
    explorer_creates_writes_reads_and_deletes_an_area,
    page_of_an_area_passes_the_accessibility_checks,
);

/// Writes a form under a custom id of a user.
async fn write_custom(app: &TestApp, user: &str, id: &str, form: &str) {
    let request = app.post(&format!("{STORAGE}/{}/600", encode(id)));
    let request = request.header("gms_user", user).form_body(form);
    let written = TestResponse::send(request).await;
    assert_eq!(written.json(), json!({"id": id}));
}

/// Creates a storage area; returns its id.
async fn create_area(app: &TestApp, form: &str) -> String {
    let request = app.post(&format!("{STORAGE}/600")).form_body(form);
    let created = TestResponse::send(request).await.json();
    created["id"].as_str().unwrap().to_owned()
}

/// The page of the storage area with a custom id, below [`HOME`].
fn custom_page(internal: &str) -> String {
    format!("/active-services/{internal}")
}

async fn areas_are_listed_with_their_type_custom_id_and_user(app: TestApp) {
    let app = start_admin(&app).await;
    write_custom(&app, "ann", "a/<b> session", "a=1").await;
    let area = create_area(&app, "a=1").await;
    let service = app.create("a=1&_ttl=900").await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page("/active-services").await;
    let row = |text: &str| {
        let rows = page.split("<tr>").filter(|row| row.contains(text));
        rows.collect::<Vec<_>>().join("")
    };
    let custom = row("a/&#60;b&#62; session</bdi>");
    for text in [
        "Storage area</span> with a custom ID",
        "<bdi>ann</bdi>",
        "href=\"/genesys/1/admin/ui/active-services/custom%2Fann%2Fa%252F%253Cb%253E%2520session\"",
    ] {
        assert!(custom.contains(text), "no {text} in {custom}");
    }
    let generated = row(&format!("<bdi>{area}</bdi>"));
    assert!(
        generated.contains("Storage area</span></td>"),
        "{generated}"
    );
    let service = row(service.rsplit('/').next().unwrap());
    assert!(service.contains("<bdi>store</bdi>"), "{service}");
    assert!(!service.contains("Storage area"), "{service}");
    assert!(!page.contains("_storage"), "{page}");
    for link in listed_ids(&page) {
        assert_eq!(
            session
                .get(&format!("/active-services/{link}"))
                .await
                .status,
            200
        );
    }
}

async fn an_area_is_found_by_its_custom_id(app: TestApp) {
    let app = start_admin(&app).await;
    write_custom(&app, "ann", "session1", "a=1").await;
    let page = custom_page("custom%2Fann%2Fsession1");
    let session = AdminSession::sign_in(&app).await;
    for typed in ["session1", "SESS", "custom/ann/session1", "custom/ann/se"] {
        let found = session
            .get(&format!("/active-services?id={}", encode(typed)))
            .await;
        assert_eq!(redirect_target(&found), page, "{typed}");
    }
    // With equal ones, the list shows whose they are.
    write_custom(&app, "bob", "session1", "a=1").await;
    let list = session.page("/active-services?id=session1").await;
    assert_eq!(listed_ids(&list).len(), 2);
    assert!(
        list.contains("<bdi>ann</bdi>") && list.contains("<bdi>bob</bdi>"),
        "{list}"
    );
    let missing = session
        .get("/active-services?id=custom%2Fann%2Fsession2")
        .await;
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("<h1>Storage area not found</h1>"));
}

async fn the_page_of_an_area_describes_an_area(app: TestApp) {
    let app = start_admin(&app).await;
    write_custom(&app, "ann", "session1", "language=french").await;
    let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let file = app
        .post(&format!("{STORAGE}/session1/600"))
        .header("gms_user", "ann");
    TestResponse::send(file.multipart_body(body)).await;
    let session = AdminSession::sign_in(&app).await;
    let path = custom_page("custom%2Fann%2Fsession1");
    let page = session.page(&path).await;
    for text in [
        "<title>Storage area session1",
        "<h1>Storage area <bdi class=\"mono\">session1</bdi></h1>",
        "<dt>Internal ID</dt><dd><bdi class=\"mono\">custom/ann/session1</bdi></dd>",
        "<bdi>ann</bdi>",
        "<bdi class=\"value\">french</bdi>",
        "<bdi>map.png</bdi>",
        "Applies to all data of the storage area.",
        "The storage area ends at once for all clients.",
    ] {
        assert!(page.contains(text), "no {text} in {page}");
    }
    let content = between(&page, "<h1>", "</main>");
    for wrong in [
        "Service definition",
        "_storage",
        "of the service",
        "The service",
    ] {
        assert!(!content.contains(wrong), "{wrong} in {content}");
    }
    let download = between(&page, "/binaries/", "\"");
    let binary = session.get(&format!("{path}/binaries/{download}")).await;
    assert_eq!(binary.body, b"bytes");
    // A generated id has no other form.
    let area = create_area(&app, "").await;
    let page = session.page(&format!("/active-services/{area}")).await;
    assert!(page.contains(&format!(
        "<h1>Storage area <bdi class=\"mono\">{area}</bdi>"
    )));
    assert!(!page.contains("Internal ID"), "{page}");
    assert!(page.contains("Clients add data with POST to the storage area."));
}

async fn an_area_is_extended_and_deleted_on_its_page(app: TestApp) {
    let app = start_admin(&app).await;
    write_custom(&app, "ann", "session1", "a=1").await;
    let session = AdminSession::sign_in(&app).await;
    let path = custom_page("custom%2Fann%2Fsession1");
    let fields = [("action", "set_expiration"), ("ttl", "7200")];
    let extended = session.submit_form(&path, &fields).await;
    assert_eq!(
        redirect_target(&extended),
        format!("{path}?message=expiration_set")
    );
    assert!(session.page(&path).await.contains("1 h 59 min"));
    let deleted = session.submit_form(&path, &[("action", "delete")]).await;
    let target = redirect_target(&deleted);
    assert!(
        session.page(target).await.contains("Storage area deleted."),
        "{target}"
    );
    let read = app
        .get(&format!("{STORAGE}/session1"))
        .header("gms_user", "ann");
    TestResponse::send(read)
        .await
        .error_message("ServiceNotFound", 404);
    // The audit log links to where the page was, which says what is missing.
    let log = session.page("/audit-log").await;
    let link = between(&log, "href=\"/genesys/1/admin/ui/active-services/", "\"");
    assert_eq!(format!("/active-services/{link}"), path);
    assert_eq!(session.get(&path).await.status, 404);
}

async fn displayed(browser: &Browser, id: &str) -> String {
    let text = format!("return document.getElementById({id:?}).textContent");
    browser.run(&text).await.as_str().unwrap().to_owned()
}

/// Opens the form of an operation.
async fn open_operation(browser: &Browser, app: &TestApp, operation: &str, id: &str) {
    let page = format!("{HOME}/try?operation={operation}&id={id}");
    browser.goto(&app.url(&page)).await;
    browser.wait_for_text("No request sent yet").await;
}

/// Sends the form and returns the body of the response.
async fn send(browser: &Browser) -> String {
    browser.press("Send").await;
    browser.wait_for_text("200 OK").await;
    displayed(browser, "response-body").await
}

async fn explorer_creates_writes_reads_and_deletes_an_area(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    let app = &fixture.app;
    open_operation(&browser, app, "createStorageArea", "").await;
    let ttl = browser.field("idOrTtl").await.prop("value").await.unwrap();
    assert_eq!(ttl.as_deref(), Some("3600"));
    browser.fill("Name 1", "language").await;
    browser.fill("Value 1", "french").await;
    let created: Value = serde_json::from_str(&send(&browser).await).unwrap();
    let id = created["id"].as_str().unwrap().to_owned();

    browser.follow("Write to it").await;
    browser.wait_for_text("No request sent yet").await;
    for (label, expected) in [("idOrTtl", id.as_str()), ("keyOrTtl", "3600")] {
        let value = browser.field(label).await.prop("value").await.unwrap();
        assert_eq!(value.as_deref(), Some(expected));
    }
    browser.fill("Name 1", "reason").await;
    browser.fill("Value 1", "billing").await;
    send(&browser).await;
    browser.follow("View storage area").await;
    browser.wait_for_text("Storage area").await;
    browser.wait_for_text("billing").await;

    open_operation(&browser, app, "readStorageArea", &id).await;
    let read: Value = serde_json::from_str(&send(&browser).await).unwrap();
    assert_eq!(read, json!({"language": "french", "reason": "billing"}));
    open_operation(&browser, app, "readStorageAreaKey", &id).await;
    browser.fill("keyOrTtl", "reason").await;
    assert!(send(&browser).await.contains("billing"));
    open_operation(&browser, app, "deleteStorageArea", &id).await;
    assert_eq!(send(&browser).await, "OK");
    let read = fixture.other().get(&format!("{STORAGE}/{id}"));
    TestResponse::send(read)
        .await
        .error_message("ServiceNotFound", 404);

    open_operation(&browser, app, "writeCustomStorageArea", "session1").await;
    browser.expand("Headers and credentials").await;
    browser.fill("gms_user", "ann").await;
    browser.fill("Name 1", "a").await;
    let written: Value = serde_json::from_str(&send(&browser).await).unwrap();
    assert_eq!(written, json!({"id": "session1"}));
    browser.follow("View storage area").await;
    browser.wait_for_text("custom/ann/session1").await;
}

async fn page_of_an_area_passes_the_accessibility_checks(fixture: BrowserFixture) {
    write_custom(&fixture.app, "ann", &"x".repeat(256), "a=1").await;
    write_custom(&fixture.app, "<i>", "<script>ran=1</script>", "a=1").await;
    let browser = fixture.open_signed_in().await;
    for path in [
        "/active-services".to_owned(),
        format!("/active-services?id={}", "x".repeat(256)),
        format!("/active-services?id={}", encode("<script>")),
    ] {
        browser
            .goto(&fixture.app.url(&format!("{HOME}{path}")))
            .await;
        browser.wait_for_text("Storage area").await;
        for (width, height) in [(360, 740), (1280, 900)] {
            browser.resize(width, height).await;
            browser.inspect(&path).await;
        }
    }
}

/// The result of posting `data=<JSON>` from the page in the browser.
async fn post_data(browser: &Browser, url: &str) -> Value {
    let script = format!(
        "const data = JSON.stringify({{ language: 'fr', items: [1, '\u{fc}&=+'] }});
         const init = {{ method: 'POST', body: new URLSearchParams({{ data }}) }};
         return fetch({url:?}, init).then(async (response) => [response.status, await response.text()], (error) => error.name);"
    );
    browser.run(&script).await
}

#[tokio::test]
async fn a_page_of_a_listed_origin_writes_to_the_storage_of_its_service() {
    let page = TestApp::on_memory().await;
    let origin = format!("http://switchboard.test:{}", page.address.port());
    let browser = Browser::open().await;
    browser.goto(&format!("{origin}/livez")).await;
    let listed = page
        .start_sibling(&[("cors.allowed_origins", &origin)])
        .await;
    let other = [("cors.allowed_origins", "https://shop.example")];
    let other = page.start_sibling(&other).await;

    let service = listed.create("_ttl=600").await;
    let id = service.rsplit('/').next().unwrap();
    let before = listed.get_service(&service).await;
    let written = post_data(&browser, &listed.url(&format!("{STORAGE}/{id}/600"))).await;
    assert_eq!(written, json!([200, format!("{{\"id\":\"{id}\"}}")]));
    let data = "{\"language\":\"fr\",\"items\":[1,\"\u{fc}&=+\"]}";
    assert_eq!(listed.storage(&service).await, json!({"data": data}));
    let after = listed.get_service(&service).await;
    assert_eq!(after["_expiration_time"], before["_expiration_time"]);
    let url = listed.url(&format!("{STORAGE}/{id}"));
    let read = format!("return fetch({url:?}).then((response) => response.json())");
    assert_eq!(browser.run(&read).await, json!({"data": data}));

    let service = other.create("_ttl=600").await;
    let id = service.rsplit('/').next().unwrap();
    for path in [format!("{id}/600"), "600".to_owned()] {
        let refused = post_data(&browser, &other.url(&format!("{STORAGE}/{path}"))).await;
        assert_eq!(refused, json!("TypeError"));
    }
    assert_eq!(other.storage(&service).await, json!({}));
}
