//! Warnings about misspelled options.

use super::{
    desk::{Desk, between, leads_to},
    fields::{add, save, typed},
};
use crate::{
    admin::desk::{administered, make, store, told},
    support::{TestApp, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_misspelled_option_is_saved_and_the_page_warns_of_it,
    a_preview_warns_of_misspelled_options,
);

async fn a_misspelled_option_is_saved_and_the_page_warns_of_it(app: TestApp) {
    let app = administered(&app).await;
    let desk = Desk::at(&app).await;
    make(&app, "services/cart", &store()).await;
    assert!(!desk.page("/services/cart").await.contains("did you mean"));
    let mut fields = typed(&desk.page("/services/cart").await);
    add(&mut fields, "_tll", "60");
    leads_to(&save(&desk, "/services/cart", &fields).await);
    let page = desk.page("/services/cart?done=saved").await;
    assert!(page.contains("did you mean _ttl?"), "{page}");
    let entry = told(&app, "services/cart").await;
    assert_eq!(entry["options"]["_tll"], "60");
}

async fn a_preview_warns_of_misspelled_options(app: TestApp) {
    let app = administered(&app).await;
    let desk = Desk::at(&app).await;
    for (option, warns) in [("_tll", true), ("_ttl", false)] {
        let text =
            format!("[services.cart]\n_type = 'builtin'\n_service = 'store'\n{option} = 60\n");
        let fields = [("mode", "merge"), ("catalogue", text.as_str())];
        let page = desk.send("/catalog", &fields).await;
        assert_eq!(page.status, 200);
        let preview = between(page.text(), "id=\"preview\"", "</section>");
        assert_eq!(preview.contains("did you mean _ttl?"), warns, "{preview}");
    }
}
