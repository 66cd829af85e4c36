//! The form of a configured service or a resource group: what is typed is saved as it is, or shown again.

use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    fixture::{AdminSession, escaped, page_html, redirect_target},
    form_fields::{add, error_message, form_fields, rows, set, submit},
};
use crate::{
    admin::fixture::{
        create_entry, create_service, exclusive_group_options, get, get_json, import, put,
        replace_entry, start_admin, start_admin_with, start_replica, store_options,
    },
    support::{TestApp, TestRedis, on_every_kind_of_store},
};

on_every_kind_of_store!(
    what_is_saved_without_being_changed_keeps_its_names,
    of_two_options_of_one_name_none_is_lost,
    a_value_without_a_name_is_shown_again,
    a_name_that_no_page_could_have_is_refused,
    a_name_that_no_field_could_have_is_refused_however_it_comes,
);

async fn what_is_saved_without_being_changed_keeps_its_names(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
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
        let fields = form_fields(&desk.page(&page).await);
        redirect_target(&submit(&desk, &page, &fields).await);
        let after = get_json(&app, path).await;
        assert_eq!(after["options"], before["options"]);
        assert_ne!(after["etag"], before["etag"]);
    }
    // Blanks that somebody types around a name are a slip.
    let mut fields = form_fields(&desk.page("/services/odd").await);
    add(&mut fields, " new ", " value ");
    redirect_target(&submit(&desk, "/services/odd", &fields).await);
    let after = get_json(&app, "services/odd").await;
    assert_eq!(after["options"]["new"], " value ");
    assert_eq!(after["options"][" led"], "< led>");
}

async fn of_two_options_of_one_name_none_is_lost(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let mut options = store_options();
    options["colour"] = json!("blue");
    options["_ttl"] = json!(60);
    create_entry(&app, "services/cart", &options).await;
    for (name, value) in [
        ("colour", "red"),
        ("_ttl", "90"),
        ("_ttl", ""),
        (" colour", "\"<b>"),
    ] {
        let before = get_json(&app, "services/cart").await;
        let mut fields = form_fields(&desk.page("/services/cart").await);
        add(&mut fields, name, value);
        add(&mut fields, "size", "large");
        let answer = submit(&desk, "/services/cart", &fields).await;
        assert_eq!(answer.status, 400, "{name:?}");
        let page = page_html(&answer);
        let expected = format!("option {}: is there twice", name.trim());
        assert!(
            error_message(page).contains(&expected),
            "{}",
            error_message(page)
        );
        let mut kept = form_fields(page);
        let expected = [("colour", "blue"), (name.trim(), value), ("size", "large")];
        assert_eq!(rows(&kept), expected);
        assert!(kept.contains(&("option:_ttl".to_owned(), "60".to_owned())));
        assert!(page.contains("aria-invalid=\"true\""), "{page}");
        assert_eq!(get_json(&app, "services/cart").await, before);
        // One of the two is taken away, and the rest is as it was.
        if name == "_ttl" {
            set(&mut kept, "option:_ttl", "");
        } else {
            set(&mut kept, "other_name", "hue");
        }
        redirect_target(&submit(&desk, "/services/cart", &kept).await);
        let after = get_json(&app, "services/cart").await;
        assert_eq!(after["options"]["size"], "large");
        if name != "_ttl" {
            assert_eq!(after["options"]["hue"], "blue");
            assert_eq!(after["options"]["colour"], value);
        }
        replace_entry(&app, "services/cart", &options).await;
    }
}

async fn a_value_without_a_name_is_shown_again(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let path = "/new/services?template=store";
    let mut fields = form_fields(&desk.page(path).await);
    set(&mut fields, "name", "notes");
    set(&mut fields, "option:_ttl", "600");
    add(&mut fields, "colour", "blue");
    add(&mut fields, " ", "lost\r\n&found");
    let answer = submit(&desk, "/new/services", &fields).await;
    assert_eq!(answer.status, 400);
    let page = page_html(&answer);
    let told_so = format!(
        "the option with the value {} has no name",
        escaped("\"lost\\n&found\"")
    );
    assert!(
        error_message(page).contains(&told_so),
        "{}",
        error_message(page)
    );
    let mut kept = form_fields(page);
    assert_eq!(rows(&kept), [("colour", "blue"), ("", "lost\r\n&found")]);
    for field in [
        ("name", "notes"),
        ("option:_ttl", "600"),
        ("option:_service", "store"),
    ] {
        let field = (field.0.to_owned(), field.1.to_owned());
        assert!(kept.contains(&field), "{field:?} in {kept:?}");
    }
    let mut names = kept.iter_mut().filter(|(field, _)| field == "other_name");
    "lost".clone_into(&mut names.nth(1).unwrap().1);
    redirect_target(&submit(&desk, "/new/services", &kept).await);
    let made = get_json(&app, "services/notes").await;
    assert_eq!(made["options"]["lost"], "lost\n&found");
    assert_eq!(made["options"]["_ttl"], "600");
}

async fn a_name_that_no_page_could_have_is_refused(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    for (path, most) in [("/new/services?template=store", 128), ("/new/groups", 64)] {
        for name in [".", ".."] {
            let mut fields = form_fields(&desk.page(path).await);
            set(&mut fields, "name", name);
            if most == 64 {
                set(&mut fields, "option:_allocation_strategy", "LOCAL");
                set(&mut fields, "option:numbers", "8005550001");
            }
            let place = path.split('?').next().unwrap();
            let answer = submit(&desk, place, &fields).await;
            assert_eq!(answer.status, 400, "{path} {name}");
            let page = page_html(&answer);
            let allowed = format!("a name has 1 to {most} bytes");
            assert!(
                error_message(page).contains(&allowed),
                "{}",
                error_message(page)
            );
            let dots = escaped("is not \".\" or \"..\"");
            assert!(
                error_message(page).contains(&dots),
                "{}",
                error_message(page)
            );
            let kept = form_fields(page);
            assert!(kept.contains(&("name".to_owned(), name.to_owned())));
        }
    }
    // Three of them are a name like any other.
    create_entry(
        &app,
        "groups/...",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    desk.page("/groups/...").await;
}

async fn a_name_that_no_field_could_have_is_refused_however_it_comes(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let version = get(&app, "catalog").await.header("etag").to_owned();
    for name in ["", "\n", "\r\n", "two\nlines", "both\t", "\u{85}"] {
        let expected = format!("service \"new\", option {name:?}: the name of an option has");
        // Not even where its value is as good as absent.
        for value in ["x", ""] {
            let mut options = store_options();
            options[name] = json!(value);
            let answer = put(&app, "services/new", &options).await;
            let message = answer.error_message("InvalidDefinition", 400);
            assert!(message.contains(&expected), "{message}");
        }
        let quoted = json!(name);
        let text =
            format!("[services.new]\n_type = 'builtin'\n_service = 'store'\n{quoted} = 'x'\n");
        let answer = import(&app, Method::POST, &version, &text).await;
        let message = answer.error_message("InvalidDefinition", 400);
        assert!(message.contains(&expected), "{message}");
        let mut group = exclusive_group_options(&["8005550001"]);
        group[name] = json!("");
        let answer = put(&app, "groups/new", &group).await;
        answer.error_message("InvalidDefinition", 400);
    }
    // Blanks around a name go, and a tab is one; within a name it stays, and is refused.
    let mut fields = form_fields(&desk.page("/services/cart").await);
    add(&mut fields, "two\tparts", "&value");
    let answer = submit(&desk, "/services/cart", &fields).await;
    assert_eq!(answer.status, 400);
    let page = page_html(&answer);
    let expected = escaped("option \"two\\tparts\": the name of an option has");
    assert!(
        error_message(page).contains(&expected),
        "{}",
        error_message(page)
    );
    assert_eq!(rows(&form_fields(page)), [("two\tparts", "&value")]);
    assert!(page.contains("value=\"two\tparts\" spellcheck=\"false\" aria-invalid=\"true\""));
}

#[tokio::test]
async fn what_an_earlier_version_called_so_can_be_looked_at_mended_and_deleted() {
    let app = start_admin(&TestApp::on_redis().await).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let stored =
        json!({"_type": "builtin", "_service": "store", "\r\n": "lost", "two\nlines": "2"});
    for name in ["mended", "deleted"] {
        assert_save_keeps(&app, "services", name, &format!("9-old\n{stored}")).await;
    }
    let later = start_replica(&app, &[]).await;
    let desk = AdminSession::sign_in(&later).await;
    let list = desk.page("/services").await;
    let told_so = "cannot be used: service &#34;mended&#34;, option &#34;";
    assert!(list.contains(told_so), "{list}");
    let page = desk.page("/services/mended").await;
    let told_so = "has at least one character, and no control characters";
    assert!(
        error_message(&page).contains(told_so),
        "{}",
        error_message(&page)
    );
    assert_eq!(get_json(&later, "services/mended").await["options"], stored);
    // A browser leaves out ends of lines in a field of one line.
    let fields = form_fields(&page).into_iter();
    let fields = fields.map(|(field, text)| match field.as_str() {
        "other_name" => (field, text.replace(['\r', '\n'], "")),
        _ => (field, text),
    });
    let answer = submit(&desk, "/services/mended", &fields.collect()).await;
    assert_eq!(answer.status, 400);
    let page = page_html(&answer);
    assert!(
        error_message(page).contains("has no name"),
        "{}",
        error_message(page)
    );
    let mut fields = form_fields(page);
    assert_eq!(rows(&fields), [("", "lost"), ("twolines", "2")]);
    set(&mut fields, "other_name", "found");
    redirect_target(&submit(&desk, "/services/mended", &fields).await);
    let mended = get_json(&later, "services/mended").await;
    assert_eq!(mended["options"]["found"], "lost");
    assert_eq!(mended.get("problem"), None);
    create_service(&later, "mended").await.service_id();
    let fields = form_fields(&desk.page("/services/deleted").await);
    let led = submit(&desk, "/services/deleted/delete", &fields).await;
    assert_eq!(redirect_target(&led), "/services?done=deleted");
}

#[tokio::test]
async fn what_cannot_be_compared_with_what_there_is_is_not_taken_for_new() {
    let app = start_admin(&TestApp::on_redis().await).await;
    let desk = AdminSession::sign_in(&app).await;
    let mut options = store_options();
    options[" led"] = json!("value");
    create_entry(&app, "services/odd", &options).await;
    let fields = form_fields(&desk.page("/services/odd").await);
    let mut connection = TestRedis::shared().connection().await;
    let entries = format!("{}{{catalog}}:services", app.prefix);
    let mut set = cmd("SET");
    set.arg(&entries).arg("what no replica could have written");
    set.exec_async(&mut connection).await.unwrap();
    let answer = submit(&desk, "/services/odd", &fields).await;
    assert_eq!(answer.status, 500);
    let page = page_html(&answer);
    assert!(!page.contains("other_name"), "no name is changed: {page}");
}

/// Has the store keep what no operator could have made here.
async fn assert_save_keeps(app: &TestApp, table: &str, name: &str, entry: &str) {
    let mut connection = TestRedis::shared().connection().await;
    let key = |part: &str| format!("{}{{catalog}}:{part}", app.prefix);
    let mut set = cmd("HSET");
    set.arg(key(table)).arg(name).arg(entry);
    set.exec_async(&mut connection).await.unwrap();
    let mut set = cmd("SET");
    set.arg(key("version")).arg("9-old");
    set.exec_async(&mut connection).await.unwrap();
}

/// A service with so many options beside those it needs.
fn options_with_fields(many: usize) -> Value {
    let mut options = store_options();
    for n in 0..many {
        options[format!("option {n}")] = json!(format!("{n}"));
    }
    options
}

#[tokio::test]
async fn what_the_api_takes_can_be_changed_on_its_page() {
    let small = [("limits.fields", "10"), ("limits.form_bytes", "200000")];
    let app = start_admin_with(&TestApp::on_memory().await, &small).await;
    let desk = AdminSession::sign_in(&app).await;
    // As many options as there may be; and as long a text, of what takes most room in a form.
    let mut long = store_options();
    long["\u{20ac}"] = json!("\u{20ac}&\n".repeat(30_000));
    for (name, options) in [("many", options_with_fields(4_998)), ("long", long)] {
        let (path, page) = (format!("services/{name}"), format!("/services/{name}"));
        create_entry(&app, &path, &options).await;
        let mut fields = form_fields(&desk.page(&page).await);
        set(&mut fields, "option:_service", "app-to-connect-basic");
        redirect_target(&submit(&desk, &page, &fields).await);
        let mut expected = options;
        expected["_service"] = json!("app-to-connect-basic");
        assert!(get_json(&app, &path).await["options"] == expected, "{name}");
    }
    // One more is too many, here and there, and what was typed is shown again.
    let mut fields = form_fields(&desk.page("/services/many").await);
    add(&mut fields, "one", "more");
    let answer = submit(&desk, "/services/many", &fields).await;
    assert_eq!(answer.status, 400);
    let page = page_html(&answer);
    let expected = "has 5001 options, 5000 are allowed";
    assert!(
        error_message(page).contains(expected),
        "{}",
        error_message(page)
    );
    assert_eq!(rows(&form_fields(page)).len(), 4_999);
    let answer = put(&app, "services/more", &options_with_fields(4_999)).await;
    let message = answer.error_message("InvalidDefinition", 400);
    assert!(message.contains(expected), "{message}");
    // A form says no more than the API takes: all names and values, and nothing else, are so many bytes.
    let mut fields = form_fields(&desk.page("/services/long").await);
    let options = get_json(&app, "services/long").await["options"].clone();
    let options = options.as_object().unwrap().iter();
    let own = options.filter(|(name, _)| name.starts_with('_'));
    let own: usize = own
        .map(|(name, value)| name.len() + value.as_str().unwrap().len())
        .sum();
    let most = 200_000 - own - "\u{20ac}".len();
    set(&mut fields, "other_value", &"x".repeat(most + 1));
    let answer = submit(&desk, "/services/long", &fields).await;
    assert_eq!(answer.status, 413);
    assert!(page_html(&answer).contains("over 200000 bytes (limits.form_bytes)"));
    set(&mut fields, "other_value", &"x".repeat(most));
    redirect_target(&submit(&desk, "/services/long", &fields).await);
    // What is more than any form needs is told as what it is.
    set(&mut fields, "other_value", &"x".repeat(2_000_000));
    let answer = submit(&desk, "/services/long", &fields).await;
    assert_eq!(answer.status, 413);
    let page = page_html(&answer);
    assert!(
        page.contains("the body is over") && !page.contains("limits."),
        "{page}"
    );
}
