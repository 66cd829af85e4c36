//! Warnings about misspelled options.

use super::{
    fixture::{AdminSession, between, redirect_target},
    form_fields::{add, form_fields, submit},
};
use crate::{
    admin::fixture::{create_entry, get_json, start_admin, store_options},
    support::{TestApp, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_misspelled_option_is_saved_and_the_page_warns_of_it,
    a_preview_warns_of_misspelled_options,
);

async fn a_misspelled_option_is_saved_and_the_page_warns_of_it(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    assert!(!desk.page("/services/cart").await.contains("did you mean"));
    let mut fields = form_fields(&desk.page("/services/cart").await);
    add(&mut fields, "_tll", "60");
    redirect_target(&submit(&desk, "/services/cart", &fields).await);
    let page = desk.page("/services/cart?done=saved").await;
    assert!(page.contains("did you mean _ttl?"), "{page}");
    let entry = get_json(&app, "services/cart").await;
    assert_eq!(entry["options"]["_tll"], "60");
}

async fn a_preview_warns_of_misspelled_options(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    for (option, warns) in [("_tll", true), ("_ttl", false)] {
        let text =
            format!("[services.cart]\n_type = 'builtin'\n_service = 'store'\n{option} = 60\n");
        let fields = [("mode", "merge"), ("catalogue", text.as_str())];
        let page = desk.submit_form("/catalog", &fields).await;
        assert_eq!(page.status, 200);
        let preview = between(page.text(), "id=\"preview\"", "</section>");
        assert_eq!(preview.contains("did you mean _ttl?"), warns, "{preview}");
    }
}
