//! The form of a service definition or a resource group: input is saved as typed, or shown again with an error.

use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    fixture::{AdminSession, escaped, page_html, redirect_target},
    form_fields::{add, error_message, form_fields, rows, set, submit},
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, get, get_json, import, put,
        replace_entry, start_admin, start_admin_with, start_replica, store_options,
    },
    support::{TestApp, TestRedis, on_redis_only},
};

on_redis_only!(
    saving_without_edits_keeps_option_names,
    duplicate_option_is_rejected_and_both_values_stay_in_the_form,
    value_without_a_name_is_rejected_and_stays_in_the_form,
    names_of_dots_are_rejected,
    invalid_option_names_are_rejected_in_form_api_and_import,
);

async fn saving_without_edits_keeps_option_names(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut options = store_options();
    for name in [" led", "trailed ", "  ", " both ", "led"] {
        options[name] = json!(format!("<{name}>"));
    }
    create_entry(&app, "services/odd", &options).await;
    create_entry(
        &app,
        "groups/odd",
        &exclusive_group_options(&[" 8005550001", "8005550002 "]),
    )
    .await;
    for path in ["services/odd", "groups/odd"] {
        let before = get_json(&app, path).await;
        let page = format!("/{path}");
        let fields = form_fields(&session.page(&page).await);
        redirect_target(&submit(&session, &page, &fields).await);
        let after = get_json(&app, path).await;
        assert_eq!(after["options"], before["options"]);
        assert_ne!(after["etag"], before["etag"]);
    }
    // Typed blanks around a name are removed.
    let mut fields = form_fields(&session.page("/services/odd").await);
    add(&mut fields, " new ", " value ");
    redirect_target(&submit(&session, "/services/odd", &fields).await);
    let after = get_json(&app, "services/odd").await;
    assert_eq!(after["options"]["new"], " value ");
    assert_eq!(after["options"][" led"], "< led>");
}

async fn duplicate_option_is_rejected_and_both_values_stay_in_the_form(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut options = store_options();
    options["color"] = json!("blue");
    options["_ttl"] = json!(60);
    create_entry(&app, "services/cart", &options).await;
    for (name, value) in [
        ("color", "red"),
        ("_ttl", "90"),
        ("_ttl", ""),
        (" color", "\"<b>"),
    ] {
        let before = get_json(&app, "services/cart").await;
        let mut fields = form_fields(&session.page("/services/cart").await);
        add(&mut fields, name, value);
        add(&mut fields, "size", "large");
        let response = submit(&session, "/services/cart", &fields).await;
        assert_eq!(response.status, 400, "{name:?}");
        let page = page_html(&response);
        let expected = format!("option {}: duplicate", name.trim());
        assert!(
            error_message(page).contains(&expected),
            "{}",
            error_message(page)
        );
        let mut submitted = form_fields(page);
        let expected = [("color", "blue"), (name.trim(), value), ("size", "large")];
        assert_eq!(rows(&submitted), expected);
        assert!(submitted.contains(&("option:_ttl".to_owned(), "60".to_owned())));
        assert!(page.contains("aria-invalid=\"true\""), "{page}");
        assert_eq!(get_json(&app, "services/cart").await, before);
        // After removing one of the two, the form can be saved.
        if name == "_ttl" {
            set(&mut submitted, "option:_ttl", "");
        } else {
            set(&mut submitted, "other_name", "hue");
        }
        redirect_target(&submit(&session, "/services/cart", &submitted).await);
        let after = get_json(&app, "services/cart").await;
        assert_eq!(after["options"]["size"], "large");
        if name != "_ttl" {
            assert_eq!(after["options"]["hue"], "blue");
            assert_eq!(after["options"]["color"], value);
        }
        replace_entry(&app, "services/cart", &options).await;
    }
}

async fn value_without_a_name_is_rejected_and_stays_in_the_form(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let path = "/new/services?preset=store";
    let mut fields = form_fields(&session.page(path).await);
    set(&mut fields, "name", "notes");
    set(&mut fields, "option:_ttl", "600");
    add(&mut fields, "color", "blue");
    add(&mut fields, " ", "lost\r\n&found");
    let response = submit(&session, "/new/services", &fields).await;
    assert_eq!(response.status, 400);
    let page = page_html(&response);
    let expected = format!(
        "the option with the value {} has no name",
        escaped("\"lost\\n&found\"")
    );
    assert!(
        error_message(page).contains(&expected),
        "{}",
        error_message(page)
    );
    let mut submitted = form_fields(page);
    assert_eq!(
        rows(&submitted),
        [("color", "blue"), ("", "lost\r\n&found")]
    );
    for field in [
        ("name", "notes"),
        ("option:_ttl", "600"),
        ("option:_service", "store"),
    ] {
        let field = (field.0.to_owned(), field.1.to_owned());
        assert!(submitted.contains(&field), "{field:?} in {submitted:?}");
    }
    let mut names = submitted
        .iter_mut()
        .filter(|(field, _)| field == "other_name");
    "lost".clone_into(&mut names.nth(1).unwrap().1);
    redirect_target(&submit(&session, "/new/services", &submitted).await);
    let created = get_json(&app, "services/notes").await;
    assert_eq!(created["options"]["lost"], "lost\n&found");
    assert_eq!(created["options"]["_ttl"], "600");
}

async fn names_of_dots_are_rejected(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    for (path, max_bytes) in [("/new/services?preset=store", 128), ("/new/groups", 64)] {
        for name in [".", ".."] {
            let mut fields = form_fields(&session.page(path).await);
            set(&mut fields, "name", name);
            if max_bytes == 64 {
                set(&mut fields, "option:_allocation_strategy", "LOCAL");
                set(&mut fields, "option:numbers", "8005550001");
            }
            let action = path.split('?').next().unwrap();
            let response = submit(&session, action, &fields).await;
            assert_eq!(response.status, 400, "{path} {name}");
            let page = page_html(&response);
            let allowed = format!("a name must have 1 to {max_bytes} bytes");
            assert!(
                error_message(page).contains(&allowed),
                "{}",
                error_message(page)
            );
            let dots = escaped("must not be \".\" or \"..\"");
            assert!(
                error_message(page).contains(&dots),
                "{}",
                error_message(page)
            );
            let submitted = form_fields(page);
            assert!(submitted.contains(&("name".to_owned(), name.to_owned())));
        }
    }
    // Three dots are a valid name.
    create_entry(
        &app,
        "groups/...",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    session.page("/groups/...").await;
}

async fn invalid_option_names_are_rejected_in_form_api_and_import(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let version = get(&app, "catalog").await.header("etag").to_owned();
    for name in ["", "\n", "\r\n", "two\nlines", "both\t", "\u{85}"] {
        let expected = format!("service \"new\", option {name:?}: the name of an option must have");
        // Even with an empty value.
        for value in ["x", ""] {
            let mut options = store_options();
            options[name] = json!(value);
            let response = put(&app, "services/new", &options).await;
            let message = response.error_message("InvalidDefinition", 400);
            assert!(message.contains(&expected), "{message}");
        }
        let quoted = json!(name);
        let text =
            format!("[services.new]\n_type = 'builtin'\n_service = 'store'\n{quoted} = 'x'\n");
        let response = import(&app, Method::POST, &version, &text).await;
        let message = response.error_message("InvalidDefinition", 400);
        assert!(message.contains(&expected), "{message}");
        let mut group = exclusive_group_options(&["8005550001"]);
        group[name] = json!("");
        let response = put(&app, "groups/new", &group).await;
        response.error_message("InvalidDefinition", 400);
    }
    // A tab around a name is trimmed; within a name it is rejected.
    let mut fields = form_fields(&session.page("/services/cart").await);
    add(&mut fields, "two\tparts", "&value");
    let response = submit(&session, "/services/cart", &fields).await;
    assert_eq!(response.status, 400);
    let page = page_html(&response);
    let expected = escaped("option \"two\\tparts\": the name of an option must have");
    assert!(
        error_message(page).contains(&expected),
        "{}",
        error_message(page)
    );
    assert_eq!(rows(&form_fields(page)), [("two\tparts", "&value")]);
    assert!(page.contains("value=\"two\tparts\" spellcheck=\"false\" aria-invalid=\"true\""));
}

#[tokio::test]
async fn stored_entry_with_invalid_option_names_can_be_viewed_repaired_and_deleted() {
    let app = start_admin(&TestApp::on_redis().await).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let stored =
        json!({"_type": "builtin", "_service": "store", "\r\n": "lost", "two\nlines": "2"});
    for name in ["mended", "deleted"] {
        store_raw_entry(&app, "services", name, &format!("9-old\n{stored}")).await;
    }
    let replica = start_replica(&app, &[]).await;
    let session = AdminSession::sign_in(&replica).await;
    let list = session.page("/services").await;
    let expected = "Invalid: service &#34;mended&#34;, option &#34;";
    assert!(list.contains(expected), "{list}");
    let page = session.page("/services/mended").await;
    let expected = "must have at least one character and no control characters";
    assert!(
        error_message(&page).contains(expected),
        "{}",
        error_message(&page)
    );
    assert_eq!(
        get_json(&replica, "services/mended").await["options"],
        stored
    );
    // Browsers remove line breaks from single-line inputs.
    let fields = form_fields(&page).into_iter();
    let fields = fields.map(|(field, text)| match field.as_str() {
        "other_name" => (field, text.replace(['\r', '\n'], "")),
        _ => (field, text),
    });
    let response = submit(&session, "/services/mended", &fields.collect()).await;
    assert_eq!(response.status, 400);
    let page = page_html(&response);
    assert!(
        error_message(page).contains("has no name"),
        "{}",
        error_message(page)
    );
    let mut fields = form_fields(page);
    assert_eq!(rows(&fields), [("", "lost"), ("twolines", "2")]);
    set(&mut fields, "other_name", "found");
    redirect_target(&submit(&session, "/services/mended", &fields).await);
    let mended = get_json(&replica, "services/mended").await;
    assert_eq!(mended["options"]["found"], "lost");
    assert_eq!(mended.get("problem"), None);
    create_service(&replica, "mended").await.service_id();
    let fields = form_fields(&session.page("/services/deleted").await);
    let target = submit(&session, "/services/deleted/delete", &fields).await;
    assert_eq!(redirect_target(&target), "/services?message=deleted");
}

#[tokio::test]
async fn save_fails_if_the_current_entry_cannot_be_read() {
    let app = start_admin(&TestApp::on_redis().await).await;
    let session = AdminSession::sign_in(&app).await;
    let mut options = store_options();
    options[" led"] = json!("value");
    create_entry(&app, "services/odd", &options).await;
    let fields = form_fields(&session.page("/services/odd").await);
    let mut connection = TestRedis::shared().connection().await;
    let entries = format!("{}{{catalog}}:services", app.prefix);
    let mut set = cmd("SET");
    set.arg(&entries).arg("not a hash");
    set.exec_async(&mut connection).await.unwrap();
    let response = submit(&session, "/services/odd", &fields).await;
    assert_eq!(response.status, 500);
    let page = page_html(&response);
    assert!(!page.contains("other_name"), "no name is changed: {page}");
}

/// Writes an entry to Redis that the admin API would reject.
async fn store_raw_entry(app: &TestApp, table: &str, name: &str, entry: &str) {
    let mut connection = TestRedis::shared().connection().await;
    let key = |part: &str| format!("{}{{catalog}}:{part}", app.prefix);
    let mut set = cmd("HSET");
    set.arg(key(table)).arg(name).arg(entry);
    set.exec_async(&mut connection).await.unwrap();
    let mut set = cmd("SET");
    set.arg(key("version")).arg("9-old");
    set.exec_async(&mut connection).await.unwrap();
}

/// Options of a service with `count` additional options.
fn options_with_fields(count: usize) -> Value {
    let mut options = store_options();
    for n in 0..count {
        options[format!("option {n}")] = json!(format!("{n}"));
    }
    options
}

#[tokio::test]
async fn form_has_the_limits_of_the_api() {
    let small = [("limits.fields", "10"), ("limits.form_bytes", "200000")];
    let app = start_admin_with(&TestApp::on_memory().await, &small).await;
    let session = AdminSession::sign_in(&app).await;
    // The maximum number of options; and a maximum length text of characters that form encoding expands most.
    let mut long = store_options();
    long["\u{20ac}"] = json!("\u{20ac}&\n".repeat(30_000));
    for (name, options) in [("many", options_with_fields(4_998)), ("long", long)] {
        let (path, page) = (format!("services/{name}"), format!("/services/{name}"));
        create_entry(&app, &path, &options).await;
        let mut fields = form_fields(&session.page(&page).await);
        set(&mut fields, "option:_service", "app-to-connect-basic");
        redirect_target(&submit(&session, &page, &fields).await);
        let mut expected = options;
        expected["_service"] = json!("app-to-connect-basic");
        assert!(get_json(&app, &path).await["options"] == expected, "{name}");
    }
    // One more option is rejected by form and API, and the input is shown again.
    let mut fields = form_fields(&session.page("/services/many").await);
    add(&mut fields, "one", "more");
    let response = submit(&session, "/services/many", &fields).await;
    assert_eq!(response.status, 400);
    let page = page_html(&response);
    let expected = "has 5001 options, the maximum is 5000";
    assert!(
        error_message(page).contains(expected),
        "{}",
        error_message(page)
    );
    assert_eq!(rows(&form_fields(page)).len(), 4_999);
    let response = put(&app, "services/more", &options_with_fields(4_999)).await;
    let message = response.error_message("InvalidDefinition", 400);
    assert!(message.contains(expected), "{message}");
    // The limit of the form counts the bytes of all names and values, and nothing else.
    let mut fields = form_fields(&session.page("/services/long").await);
    let options = get_json(&app, "services/long").await["options"].clone();
    let options = options.as_object().unwrap().iter();
    let other_bytes = options.filter(|(name, _)| name.starts_with('_'));
    let other_bytes: usize = other_bytes
        .map(|(name, value)| name.len() + value.as_str().unwrap().len())
        .sum();
    let max_bytes = 200_000 - other_bytes - "\u{20ac}".len();
    set(&mut fields, "other_value", &"x".repeat(max_bytes + 1));
    let response = submit(&session, "/services/long", &fields).await;
    assert_eq!(response.status, 413);
    assert!(page_html(&response).contains("exceeds 200000 bytes (limits.form_bytes)"));
    set(&mut fields, "other_value", &"x".repeat(max_bytes));
    redirect_target(&submit(&session, "/services/long", &fields).await);
    // A body larger than any valid form is rejected as such.
    set(&mut fields, "other_value", &"x".repeat(2_000_000));
    let response = submit(&session, "/services/long", &fields).await;
    assert_eq!(response.status, 413);
    let page = page_html(&response);
    assert!(
        page.contains("the body is over") && !page.contains("limits."),
        "{page}"
    );
}
