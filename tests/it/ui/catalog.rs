//! What operators do with configured services and resource groups, in a browser.

use reqwest::StatusCode;

use serde_json::json;

use super::browser_fixture::{BrowserFixture, HOME, in_a_browser, sign_in};
use crate::{
    admin::fixture,
    support::{Bodies, TestApp, TestResponse, browser::Browser, encode, eventually},
};

in_a_browser!(
    a_service_is_made_from_a_template_called_seen_and_its_number_comes_back,
    of_two_windows_the_second_one_is_told_that_the_first_one_saved,
    a_catalogue_is_imported_and_a_wrong_one_refused_as_a_whole,
    of_two_who_import_the_second_one_is_shown_what_there_is_now,
    what_is_not_allowed_is_refused_with_the_option_and_what_is_allowed,
    what_is_hostile_is_shown_as_it_is_written,
);

/// Makes a group of one number, for one service at a time.
async fn make_group(browser: &Browser, app: &TestApp, name: &str, number: &str) {
    browser.goto(&app.url(&format!("{HOME}/groups"))).await;
    browser.follow("New resource group").await;
    browser.fill("Name", name).await;
    browser.choose("_allocation_strategy", "CLUSTER").await;
    browser.fill("numbers", number).await;
    browser.press("Save").await;
    browser.wait_for_text("It is saved").await;
}

/// Begins to make a configured service from a template.
async fn open_new_service_form(browser: &Browser, app: &TestApp, template: &str, name: &str) {
    browser.goto(&app.url(&format!("{HOME}/services"))).await;
    browser.expand("New configured service").await;
    browser.follow(template).await;
    browser.fill("Name", name).await;
}

async fn create_service(app: &TestApp, service: &str) -> TestResponse {
    TestResponse::send(app.post(&format!("/genesys/1/service/{service}"))).await
}

async fn a_service_is_made_from_a_template_called_seen_and_its_number_comes_back(
    pair: BrowserFixture,
) {
    let browser = pair.open_signed_in().await;
    make_group(&browser, &pair.app, "hotline", "+1 650 253 0000").await;
    browser.wait_for_text("0 of 1 held").await;
    open_new_service_form(&browser, &pair.app, "Number to dial", "call-us").await;
    let settled = browser.field("_service").await;
    assert_eq!(
        settled.attr("readonly").await.unwrap().as_deref(),
        Some("true")
    );
    browser.fill("_resource_group", "hotline").await;
    browser.choose("_provide_code", "true").await;
    browser.press("Save").await;
    browser.wait_for_text("It is saved").await;

    let answer = eventually("the other replica knows it", async || {
        let answer = create_service(pair.other(), "call-us").await;
        (answer.status == StatusCode::OK).then_some(answer)
    })
    .await;
    let told = answer.json();
    assert_eq!(told["_access_number"], "+1 650 253 0000");
    assert_eq!(create_service(&pair.app, "call-us").await.status, 503);

    browser
        .goto(&pair.app.url(&format!("{HOME}/groups/hotline")))
        .await;
    browser.wait_for_text("1 of 1 held").await;
    let id = told["_id"].as_str().unwrap();
    browser.follow(id).await;
    browser.wait_for_text("call-us").await;
    browser.expand("Delete").await;
    browser.press("Delete it").await;
    browser.wait_for_text("The service is deleted").await;
    eventually("the number is free", async || {
        browser
            .goto(&pair.app.url(&format!("{HOME}/groups/hotline")))
            .await;
        browser.text().await.contains("0 of 1 held").then_some(())
    })
    .await;
    assert_eq!(create_service(&pair.app, "call-us").await.status, 200);
}

async fn of_two_windows_the_second_one_is_told_that_the_first_one_saved(pair: BrowserFixture) {
    let first = pair.open_signed_in().await;
    open_new_service_form(&first, &pair.app, "Storage", "notes").await;
    first.fill("_ttl", "600").await;
    first.press("Save").await;
    first.wait_for_text("It is saved").await;
    let second = Browser::open().await;
    sign_in(&second, pair.other()).await;
    second
        .goto(&pair.other().url(&format!("{HOME}/services/notes")))
        .await;
    first.fill("_ttl", "601").await;
    first.press("Save").await;
    first.wait_for_text("It is saved").await;
    second.fill("_ttl", "602").await;
    second.press("Save").await;
    second
        .wait_for_text("Somebody else has changed it meanwhile")
        .await;
    let kept = second.field("_ttl").await.prop("value").await.unwrap();
    assert_eq!(kept.as_deref(), Some("602"), "what was written is not lost");
    second.follow("Open it as it is now").await;
    eventually("what the first one saved", async || {
        let now = second.field("_ttl").await.prop("value").await.unwrap();
        (now.as_deref() == Some("601")).then_some(())
    })
    .await;
    second.expand("Delete").await;
    second.press("Delete it").await;
    second.wait_for_text("It is deleted").await;
    assert_eq!(
        TestResponse::send(pair.other().post("/genesys/1/service/notes"))
            .await
            .status,
        404
    );
}

async fn a_catalogue_is_imported_and_a_wrong_one_refused_as_a_whole(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    let import = async |text: &str| {
        browser
            .goto(&pair.app.url(&format!("{HOME}/catalog")))
            .await;
        browser.fill("Catalogue, as TOML", text).await;
        browser.press("Preview").await;
    };
    let good = "[services.one]\n_type = 'builtin'\n_service = 'store'\n";
    let wrong =
        "[services.two]\n_type = 'builtin'\n_service = 'store'\n[services.three]\n_type = 'soap'\n";
    import(wrong).await;
    browser
        .wait_for_text("service \"three\", option _type: is \"soap\"")
        .await;
    let kept = browser
        .field("Catalogue, as TOML")
        .await
        .prop("value")
        .await
        .unwrap();
    assert!(
        kept.unwrap().contains("soap"),
        "what was written is not lost"
    );
    import("[services").await;
    browser.wait_for_text("TOML").await;
    import(" ").await;
    browser.wait_for_text("there is nothing to import").await;
    import(good).await;
    browser.wait_for_text("1 new, 0 changed, 0 deleted").await;
    assert_eq!(
        create_service(&pair.app, "one").await.status,
        404,
        "not yet"
    );
    browser.press("Import").await;
    browser.wait_for_text("It is imported").await;
    eventually("the other replica knows it", async || {
        (create_service(pair.other(), "one").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(create_service(&pair.app, "two").await.status, 404);
}

/// Where the number of deletions is confirmed.
const DELETIONS: &str = "To confirm, type how many entries are deleted";

async fn of_two_who_import_the_second_one_is_shown_what_there_is_now(pair: BrowserFixture) {
    let first = pair.open_signed_in().await;
    open_new_service_form(&first, &pair.app, "Storage", "early").await;
    first.press("Save").await;
    first.wait_for_text("It is saved").await;
    let second = Browser::open().await;
    sign_in(&second, pair.other()).await;
    second
        .goto(&pair.other().url(&format!("{HOME}/catalog")))
        .await;
    let text = "# 'one' & \u{20ac}\n[services.one]\n_type = 'builtin'\n_service = 'store'\n";
    second.fill("Catalogue, as TOML", text).await;
    second.check("is deleted, where it was made here").await;
    second.press("Preview").await;
    second.wait_for_text("1 new, 0 changed, 1 deleted").await;
    open_new_service_form(&first, &pair.app, "Storage", "late").await;
    first.press("Save").await;
    first.wait_for_text("It is saved").await;
    second.fill(DELETIONS, "1").await;
    second.press("Import, and delete 1").await;
    second
        .wait_for_text("Somebody else has changed the catalogue")
        .await;
    assert_eq!(create_service(pair.other(), "early").await.status, 200);
    second.wait_for_text("1 new, 0 changed, 2 deleted").await;
    let kept = second.field("Catalogue, as TOML").await;
    let kept = kept.prop("value").await.unwrap();
    assert_eq!(kept.as_deref(), Some(text), "what was written is not lost");
    second.fill(DELETIONS, "2").await;
    second.press("Import, and delete 2").await;
    second.wait_for_text("It is imported").await;
    assert_eq!(create_service(pair.other(), "one").await.status, 200);
    for gone in ["early", "late"] {
        assert_eq!(create_service(pair.other(), gone).await.status, 404);
    }
}

async fn what_is_not_allowed_is_refused_with_the_option_and_what_is_allowed(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    open_new_service_form(&browser, &pair.app, "Storage", "brief").await;
    browser.fill("_ttl", "0").await;
    browser.press("Save").await;
    browser.wait_for_text("option _ttl").await;
    browser.wait_for_text("from 1 to").await;
    let wrong = browser
        .field("_ttl")
        .await
        .attr("aria-invalid")
        .await
        .unwrap();
    assert_eq!(wrong.as_deref(), Some("true"));
    assert_eq!(
        create_service(&pair.app, "brief").await.status,
        404,
        "nothing was made"
    );
    browser.fill("_ttl", "60").await;
    browser.press("Save").await;
    browser.wait_for_text("It is saved").await;
    // What the file defines is shown, and cannot be changed.
    browser
        .goto(&pair.app.url(&format!("{HOME}/services/store")))
        .await;
    browser.wait_for_text("The catalogue file defines it").await;
    let buttons =
        "return [...document.querySelectorAll('main button')].map((one) => one.textContent)";
    assert_eq!(browser.run(buttons).await, serde_json::json!([]));
}

/// What would run, break out, or turn the text around, if it were taken for more than text.
const HOSTILE: &str =
    "<img src=x onerror=\"ran=1\">'\"`&amp;\u{202e}</td></textarea><script>ran=1</script>";

async fn what_is_hostile_is_shown_as_it_is_written(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    let name = HOSTILE.replace('/', "|");
    open_new_service_form(&browser, &pair.app, "Storage", &name).await;
    browser.expand("Other options").await;
    browser.fill("Option 1", HOSTILE).await;
    browser.fill("Value 1", HOSTILE).await;
    browser.press("Save").await;
    browser.wait_for_text("It is saved").await;
    browser.inspect("a configured service").await;
    assert!(browser.text().await.contains(&name));
    for place in ["services", "history", "catalog"] {
        browser
            .goto(&pair.app.url(&format!("{HOME}/{place}")))
            .await;
        browser.inspect(place).await;
    }
    let form = "_phone_number=%3Cimg+src%3Dx+onerror%3Dran%3D1%3E";
    let made = pair.app.post("/genesys/1/service/request-interaction");
    let made = TestResponse::send(
        made.form_body(form)
            .header("gms_user", "<img src=x onerror=ran=1>"),
    )
    .await;
    assert_eq!(made.status, 200, "{}", made.text());
    let id = made.json()["_id"].as_str().unwrap().to_owned();
    let long = encode(&HOSTILE.repeat(10_000));
    let write = pair
        .app
        .post(&format!("/genesys/1/service/{id}/storage"))
        .form_body(&format!("{}={long}", encode(HOSTILE)));
    TestResponse::send(write).await.assert_empty();
    let one = format!("live/{id}");
    for place in ["groups/DNIS", "live", &one, ""] {
        browser
            .goto(&pair.app.url(&format!("{HOME}/{place}")))
            .await;
        browser.inspect(place).await;
    }
}

#[tokio::test]
async fn the_fill_of_a_group_over_time_is_drawn() {
    let pair = BrowserFixture::on_redis().await;
    let browser = pair.open_signed_in().await;
    let made = pair.app.post("/genesys/1/service/request-interaction");
    assert_eq!(TestResponse::send(made).await.status, 200);
    eventually("the replica has looked", async || {
        browser
            .goto(&pair.app.url(&format!("{HOME}/groups/DNIS")))
            .await;
        let lines = browser.run("return document.querySelectorAll('svg.trend polyline').length");
        (lines.await == 1).then_some(())
    })
    .await;
    browser.inspect("a group with its fill").await;
}

#[tokio::test]
async fn what_is_saved_without_being_changed_is_what_it_was() {
    let pair = BrowserFixture::on_memory().await;
    let options = json!({
        "_type": "http", "_service": "http://127.0.0.1:9/make", "_header.X-Key": "secret",
        "_terminate": "/gone?id={id}", "_ors": "http://127.0.0.1:9",
        "lines": "\n one\n\ntwo \n", "quoted": "'\"<&>", "_overwritable_options": "_ttl,\n_code",
    });
    let etag = fixture::create_entry(&pair.app, "services/odd", &options).await;
    let numbers =
        json!({"_allocation_strategy": "RANDOM", "numbers": ["+1 650 253 0000", "8005550100"]});
    fixture::create_entry(&pair.app, "groups/odd", &numbers).await;
    let browser = pair.open_signed_in().await;
    for entry in ["services/odd", "groups/odd"] {
        let before = fixture::get_json(&pair.app, entry).await;
        browser
            .goto(&pair.app.url(&format!("{HOME}/{entry}")))
            .await;
        browser.press("Save").await;
        browser.wait_for_text("It is saved").await;
        let after = fixture::get_json(&pair.app, entry).await;
        assert_eq!(after["options"], before["options"]);
        assert_ne!(after["etag"], etag);
    }
}
