//! Warnings about misspelled options.

use super::{
    fixture::{AdminSession, between, redirect_target},
    form_fields::{add, form_fields, submit},
};
use crate::{
    api::admin::fixture::{create_entry, get_json, start_admin, store_options},
    support::{TestApp, on_redis_only},
};

on_redis_only!(
    misspelled_option_is_saved_with_a_warning,
    import_preview_warns_about_misspelled_options,
);

async fn misspelled_option_is_saved_with_a_warning(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    assert!(
        !session
            .page("/services/cart")
            .await
            .contains("did you mean")
    );
    let mut fields = form_fields(&session.page("/services/cart").await);
    add(&mut fields, "_tll", "60");
    redirect_target(&submit(&session, "/services/cart", &fields).await);
    let page = session.page("/services/cart?message=saved").await;
    assert!(page.contains("did you mean _ttl?"), "{page}");
    let entry = get_json(&app, "services/cart").await;
    assert_eq!(entry["options"]["_tll"], "60");
}

async fn import_preview_warns_about_misspelled_options(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    for (option, warns) in [("_tll", true), ("_ttl", false)] {
        let text =
            format!("[services.cart]\n_type = 'builtin'\n_service = 'store'\n{option} = 60\n");
        let fields = [("mode", "merge"), ("catalog", text.as_str())];
        let page = session.submit_form("/catalog", &fields).await;
        assert_eq!(page.status, 200);
        let preview = between(page.text(), "id=\"preview\"", "</section>");
        assert_eq!(preview.contains("did you mean _ttl?"), warns, "{preview}");
    }
}
