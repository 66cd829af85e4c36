//! *Duplicate*: a new entry with the options of another one.

use serde_json::json;

use super::{
    fixture::{AdminSession, between, redirect_target},
    form_fields::{Fields, error_message, form_fields, rows, set, submit},
};
use crate::{
    api::admin::fixture::{create_entry, exclusive_group_options, get, get_json, start_admin},
    support::{TestApp, on_redis_only},
};

on_redis_only!(
    a_copy_has_the_options_and_is_saved_under_another_name,
    secrets_are_entered_again_or_omitted,
    numbers_of_exclusive_groups_are_not_copied,
);

async fn a_copy_has_the_options_and_is_saved_under_another_name(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let options = json!({
        "_type": "http", "_service": "http://127.0.0.1:9/make", "_ttl": "77", "color": "red & blue",
    });
    create_entry(&app, "services/one & two", &options).await;
    let page = session.page("/services/one%20%26%20two").await;
    let link = between(
        &page,
        "<a class=\"button\" href=\"/genesys/1/admin/ui/new",
        "\">Duplicate",
    );
    assert_eq!(link, "/services?copy=one%20%26%20two");
    let page = session.page("/new/services?copy=one%20%26%20two").await;
    assert!(page.contains(">Cancel</a>"), "{page}");
    let mut fields = form_fields(&page);
    assert_eq!(
        fields.iter().find(|(name, _)| name == "name").unwrap().1,
        "one & two-copy"
    );
    set(&mut fields, "name", "three");
    redirect_target(&submit(&session, "/new/services", &fields).await);
    assert_eq!(get_json(&app, "services/three").await["options"], options);
    let missing = session.get("/new/services?copy=none").await;
    assert_eq!(missing.status, 404);
}

async fn secrets_are_entered_again_or_omitted(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let options = json!({
        "_type": "http", "_service": "http://127.0.0.1:9/make", "_ttl": "77",
        "password": "first", "_header.X-Key": "second",
    });
    create_entry(&app, "services/one", &options).await;
    let path = "/new/services?copy=one";
    let page = session.page(path).await;
    assert!(page.contains("Secrets are not copied."), "{page}");
    assert!(!page.contains("********"), "{page}");
    let omit = |fields: &mut Fields, omitted: &[&str]| {
        fields.retain(|(name, _)| name != "omitted_secret");
        let omitted = omitted.iter().map(|secret| (*secret).to_owned());
        fields.extend(omitted.map(|secret| ("omitted_secret".to_owned(), secret)));
    };
    let mut fields = form_fields(&page);
    assert_eq!(rows(&fields), [("_header.X-Key", "")]);
    set(&mut fields, "name", "two");
    for (omitted, missing) in [
        (&[][..], "option _header.X-Key: the secret was not copied"),
        (
            &["password"],
            "option _header.X-Key: the secret was not copied",
        ),
        (
            &["_header.X-Key"],
            "option password: the secret was not copied",
        ),
    ] {
        omit(&mut fields, omitted);
        let refused = submit(&session, "/new/services", &fields).await;
        assert_eq!(refused.status, 400, "{omitted:?}");
        let page = refused.text();
        assert!(error_message(page).contains(missing), "{page}");
        assert_eq!(
            page.matches(" checked> No ").count(),
            omitted.len(),
            "{page}"
        );
        assert_eq!(get(&app, "services/two").await.status, 404);
    }
    omit(&mut fields, &["_header.X-Key"]);
    set(&mut fields, "option:password", "third");
    redirect_target(&submit(&session, "/new/services", &fields).await);
    let copy = get_json(&app, "services/two").await["options"].clone();
    assert_eq!(copy["password"], "********");
    assert_eq!(copy.get("_header.X-Key"), None);
}

async fn numbers_of_exclusive_groups_are_not_copied(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    create_entry(
        &app,
        "groups/one",
        &exclusive_group_options(&["8005550100"]),
    )
    .await;
    let shared = json!({"_allocation_strategy": "RANDOM", "numbers": ["8005550200"]});
    create_entry(&app, "groups/shared", &shared).await;
    let numbers = async |group: &str| {
        let fields = form_fields(&session.page(&format!("/new/groups?copy={group}")).await);
        let numbers = fields.iter().find(|(name, _)| name == "option:numbers");
        numbers.unwrap().1.clone()
    };
    assert_eq!(numbers("shared").await, "8005550200");
    assert_eq!(numbers("one").await, "");
    let mut fields = form_fields(&session.page("/new/groups?copy=one").await);
    set(&mut fields, "numbers_add", "8005550101");
    redirect_target(&submit(&session, "/new/groups", &fields).await);
}
