//! *Duplicate*: a new entry with the options of another one.

use serde_json::json;

use super::{
    fixture::{AdminSession, between, redirect_target},
    form_fields::{form_fields, set, submit},
};
use crate::{
    api::admin::fixture::{create_entry, get_json, start_admin},
    support::{TestApp, on_redis_only},
};

on_redis_only!(a_copy_has_the_options_without_secrets_and_is_saved_under_another_name);

async fn a_copy_has_the_options_without_secrets_and_is_saved_under_another_name(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut options = json!({
        "_type": "http", "_service": "http://127.0.0.1:9/make", "_ttl": "77", "color": "red & blue",
    });
    let copied = options.clone();
    options["_header.X-Key"] = json!("secret");
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
    assert_eq!(get_json(&app, "services/three").await["options"], copied);
    let missing = session.get("/new/services?copy=none").await;
    assert_eq!(missing.status, 404);
}
