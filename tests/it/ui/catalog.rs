//! Service definitions, resource groups and imports in a browser.

use reqwest::StatusCode;

use serde_json::json;

use super::browser_fixture::{BrowserFixture, HOME, in_a_browser, sign_in};
use crate::{
    api::admin::fixture::{create_entry, get_json},
    support::{Bodies, TestApp, TestResponse, browser::Browser, encode, eventually},
};

in_a_browser!(
    service_definition_is_created_from_a_template_and_used,
    concurrent_edit_is_shown_as_a_conflict,
    catalog_is_imported_and_an_invalid_one_rejected_as_a_whole,
    concurrent_import_is_shown_as_a_conflict_with_a_new_preview,
    invalid_value_is_rejected_with_option_and_allowed_values,
    hostile_names_and_values_are_shown_as_text,
);

/// Creates an exclusive group of one number.
async fn make_group(browser: &Browser, app: &TestApp, name: &str, number: &str) {
    browser.goto(&app.url(&format!("{HOME}/groups"))).await;
    browser.follow("New resource group").await;
    browser.fill("Name", name).await;
    browser.choose("_allocation_strategy", "CLUSTER").await;
    browser.fill("numbers", number).await;
    browser.press("Save").await;
    browser.wait_for_text("Saved").await;
}

/// Opens the form for a new service definition from a template.
async fn open_new_service_form(browser: &Browser, app: &TestApp, template: &str, name: &str) {
    browser.goto(&app.url(&format!("{HOME}/services"))).await;
    browser.expand("New service definition").await;
    browser.follow(template).await;
    browser.fill("Name", name).await;
}

async fn create_service(app: &TestApp, service: &str) -> TestResponse {
    TestResponse::send(app.post(&format!("/genesys/1/service/{service}"))).await
}

async fn service_definition_is_created_from_a_template_and_used(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    make_group(&browser, &fixture.app, "hotline", "+1 650 253 0000").await;
    browser.wait_for_text("0 / 1 in use (0 %)").await;
    open_new_service_form(&browser, &fixture.app, "Request access number", "call-us").await;
    let fixed = browser.field("_service").await;
    assert_eq!(
        fixed.attr("readonly").await.unwrap().as_deref(),
        Some("true")
    );
    browser.fill("_resource_group", "hotline").await;
    browser.choose("_provide_code", "true").await;
    browser.press("Save").await;
    browser.wait_for_text("Saved").await;

    let response = eventually("the other replica has the entry", async || {
        let response = create_service(fixture.other(), "call-us").await;
        (response.status == StatusCode::OK).then_some(response)
    })
    .await;
    let body = response.json();
    assert_eq!(body["_access_number"], "+1 650 253 0000");
    assert_eq!(create_service(&fixture.app, "call-us").await.status, 503);

    browser
        .goto(&fixture.app.url(&format!("{HOME}/groups/hotline")))
        .await;
    browser.wait_for_text("1 / 1 in use (100 %)").await;
    let id = body["_id"].as_str().unwrap();
    browser.follow(id).await;
    browser.wait_for_text("call-us").await;
    browser.expand("Delete").await;
    browser.press("Delete").await;
    browser.wait_for_text("Service deleted").await;
    eventually("the number is free", async || {
        browser
            .goto(&fixture.app.url(&format!("{HOME}/groups/hotline")))
            .await;
        browser
            .text()
            .await
            .contains("0 / 1 in use (0 %)")
            .then_some(())
    })
    .await;
    assert_eq!(create_service(&fixture.app, "call-us").await.status, 200);
}

async fn concurrent_edit_is_shown_as_a_conflict(fixture: BrowserFixture) {
    let first = fixture.open_signed_in().await;
    open_new_service_form(&first, &fixture.app, "Storage", "notes").await;
    first.fill("_ttl", "600").await;
    first.press("Save").await;
    first.wait_for_text("Saved").await;
    let second = Browser::open().await;
    sign_in(&second, fixture.other()).await;
    second
        .goto(&fixture.other().url(&format!("{HOME}/services/notes")))
        .await;
    first.fill("_ttl", "601").await;
    first.press("Save").await;
    // The page of the earlier save has the same message.
    eventually("the change is saved", async || {
        let saved = get_json(&fixture.app, "services/notes").await;
        (saved["options"]["_ttl"] == "601").then_some(())
    })
    .await;
    second.fill("_ttl", "602").await;
    second.press("Save").await;
    second
        .wait_for_text("This entry was changed by someone else.")
        .await;
    let field = second.field("_ttl").await.prop("value").await.unwrap();
    assert_eq!(field.as_deref(), Some("602"), "the input is kept");
    let differences = second
        .run("return document.querySelector('[aria-label=Differences] tbody').innerText")
        .await;
    assert_eq!(differences, "_ttl\t601\t602");
    second.wait_for_text("Last change by admin").await;
    second.resize(390, 844).await;
    second.inspect("a conflict").await;
    second.follow("Take theirs").await;
    eventually("the form shows the latest version", async || {
        let now = second.field("_ttl").await.prop("value").await.ok()?;
        (now.as_deref() == Some("601")).then_some(())
    })
    .await;
    second.expand("Delete").await;
    second.press("Delete").await;
    second.wait_for_text("Deleted").await;
    assert_eq!(
        TestResponse::send(fixture.other().post("/genesys/1/service/notes"))
            .await
            .status,
        404
    );
}

async fn catalog_is_imported_and_an_invalid_one_rejected_as_a_whole(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    let import = async |text: &str| {
        browser
            .goto(&fixture.app.url(&format!("{HOME}/catalog")))
            .await;
        browser.fill("Catalog (TOML)", text).await;
        browser.press("Preview").await;
    };
    let good = "[services.one]\n_type = 'builtin'\n_service = 'store'\n";
    let invalid =
        "[services.two]\n_type = 'builtin'\n_service = 'store'\n[services.three]\n_type = 'soap'\n";
    import(invalid).await;
    browser
        .wait_for_text("service \"three\", option _type: is \"soap\"")
        .await;
    let field = browser
        .field("Catalog (TOML)")
        .await
        .prop("value")
        .await
        .unwrap();
    assert!(field.unwrap().contains("soap"), "the input is kept");
    import("[services").await;
    browser.wait_for_text("TOML").await;
    import(" ").await;
    browser.wait_for_text("nothing to import").await;
    import(good).await;
    browser.wait_for_text("1 new, 0 changed, 0 deleted").await;
    assert_eq!(
        create_service(&fixture.app, "one").await.status,
        404,
        "not yet"
    );
    browser.press("Import").await;
    browser.wait_for_text("Imported").await;
    eventually("the other replica has the entry", async || {
        (create_service(fixture.other(), "one").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(create_service(&fixture.app, "two").await.status, 404);
}

/// The label of the field that confirms the number of deletions.
const DELETIONS: &str = "To confirm, type the number of deleted entries";

async fn concurrent_import_is_shown_as_a_conflict_with_a_new_preview(fixture: BrowserFixture) {
    let first = fixture.open_signed_in().await;
    open_new_service_form(&first, &fixture.app, "Storage", "early").await;
    first.press("Save").await;
    first.wait_for_text("Saved").await;
    let second = Browser::open().await;
    sign_in(&second, fixture.other()).await;
    second
        .goto(&fixture.other().url(&format!("{HOME}/catalog")))
        .await;
    let text = "# 'one' & \u{20ac}\n[services.one]\n_type = 'builtin'\n_service = 'store'\n";
    second.fill("Catalog (TOML)", text).await;
    second.check("Delete (console entries only)").await;
    second.press("Preview").await;
    second.wait_for_text("1 new, 0 changed, 1 deleted").await;
    open_new_service_form(&first, &fixture.app, "Storage", "late").await;
    first.press("Save").await;
    first.wait_for_text("Saved").await;
    second.fill(DELETIONS, "1").await;
    second.press("Import and delete 1").await;
    second
        .wait_for_text("The catalog was changed by someone else")
        .await;
    assert_eq!(create_service(fixture.other(), "early").await.status, 200);
    second.wait_for_text("1 new, 0 changed, 2 deleted").await;
    let field = second.field("Catalog (TOML)").await;
    let field = field.prop("value").await.unwrap();
    assert_eq!(field.as_deref(), Some(text), "the input is kept");
    second.fill(DELETIONS, "2").await;
    second.press("Import and delete 2").await;
    second.wait_for_text("Imported").await;
    assert_eq!(create_service(fixture.other(), "one").await.status, 200);
    for deleted in ["early", "late"] {
        assert_eq!(create_service(fixture.other(), deleted).await.status, 404);
    }
}

async fn invalid_value_is_rejected_with_option_and_allowed_values(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    open_new_service_form(&browser, &fixture.app, "Storage", "brief").await;
    browser.fill("_ttl", "0").await;
    browser.press("Save").await;
    browser.wait_for_text("option _ttl").await;
    browser.wait_for_text("from 1 to").await;
    let invalid = browser
        .field("_ttl")
        .await
        .attr("aria-invalid")
        .await
        .unwrap();
    assert_eq!(invalid.as_deref(), Some("true"));
    assert_eq!(
        create_service(&fixture.app, "brief").await.status,
        404,
        "no entry was created"
    );
    browser.fill("_ttl", "60").await;
    browser.press("Save").await;
    browser.wait_for_text("Saved").await;
    // Entries of the catalog file are read-only.
    browser
        .goto(&fixture.app.url(&format!("{HOME}/services/store")))
        .await;
    browser
        .wait_for_text("Read-only: this entry is defined in the catalog file.")
        .await;
    let buttons =
        "return [...document.querySelectorAll('main button')].map((button) => button.textContent)";
    assert_eq!(browser.run(buttons).await, serde_json::json!([]));
}

/// Would run a script, close elements, or reverse the text, if it were not escaped.
const HOSTILE: &str =
    "<img src=x onerror=\"ran=1\">'\"`&amp;\u{202e}</td></textarea><script>ran=1</script>";

async fn hostile_names_and_values_are_shown_as_text(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    let name = HOSTILE.replace('/', "|");
    open_new_service_form(&browser, &fixture.app, "Storage", &name).await;
    browser.expand("Custom options").await;
    browser.fill("Name 1", HOSTILE).await;
    browser.fill("Value 1", HOSTILE).await;
    browser.press("Save").await;
    browser.wait_for_text("Saved").await;
    browser.inspect("a configured service").await;
    let shown = name.replace('\u{202e}', "\\u{202e}");
    assert!(browser.text().await.contains(&shown));
    for path in ["services", "audit-log", "catalog"] {
        browser
            .goto(&fixture.app.url(&format!("{HOME}/{path}")))
            .await;
        browser.inspect(path).await;
    }
    let form = "_phone_number=%3Cimg+src%3Dx+onerror%3Dran%3D1%3E";
    let create = fixture.app.post("/genesys/1/service/request-interaction");
    let create = TestResponse::send(
        create
            .form_body(form)
            .header("gms_user", "<img src=x onerror=ran=1>"),
    )
    .await;
    assert_eq!(create.status, 200, "{}", create.text());
    let id = create.json()["_id"].as_str().unwrap().to_owned();
    let long = encode(&HOSTILE.repeat(10_000));
    let write = fixture
        .app
        .post(&format!("/genesys/1/service/{id}/storage"))
        .form_body(&format!("{}={long}", encode(HOSTILE)));
    TestResponse::send(write).await.assert_empty();
    let service_page = format!("active-services/{id}");
    for path in ["groups/DNIS", "active-services", &service_page, ""] {
        browser
            .goto(&fixture.app.url(&format!("{HOME}/{path}")))
            .await;
        browser.inspect(path).await;
    }
}

#[tokio::test]
async fn usage_chart_of_a_group_is_drawn() {
    let fixture = BrowserFixture::on_redis().await;
    let browser = fixture.open_signed_in().await;
    let create = fixture.app.post("/genesys/1/service/request-interaction");
    assert_eq!(TestResponse::send(create).await.status, 200);
    eventually("the replica has taken a sample", async || {
        browser
            .goto(&fixture.app.url(&format!("{HOME}/groups/DNIS")))
            .await;
        let lines = browser.run("return document.querySelectorAll('svg.trend polyline').length");
        (lines.await == 1).then_some(())
    })
    .await;
    browser.inspect("a group with its usage chart").await;
}

#[tokio::test]
async fn saving_without_edits_changes_nothing() {
    let fixture = BrowserFixture::on_memory().await;
    let options = json!({
        "_type": "http", "_service": "http://127.0.0.1:9/make", "_header.X-Key": "secret",
        "_terminate": "/deleted?id={id}", "_ors": "http://127.0.0.1:9",
        "lines": "\n one\n\ntwo \n", "quoted": "'\"<&>", "_overwritable_options": "_ttl,\n_code",
    });
    let etag = create_entry(&fixture.app, "services/odd", &options).await;
    let numbers =
        json!({"_allocation_strategy": "RANDOM", "numbers": ["+1 650 253 0000", "8005550100"]});
    create_entry(&fixture.app, "groups/odd", &numbers).await;
    let browser = fixture.open_signed_in().await;
    for entry in ["services/odd", "groups/odd"] {
        let before = get_json(&fixture.app, entry).await;
        browser
            .goto(&fixture.app.url(&format!("{HOME}/{entry}")))
            .await;
        browser.press("Save").await;
        browser.wait_for_text("Saved").await;
        let after = get_json(&fixture.app, entry).await;
        assert_eq!(after["options"], before["options"]);
        assert_ne!(after["etag"], etag);
    }
}
