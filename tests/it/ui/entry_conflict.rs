//! An entry that someone else saved or deleted while it was edited; known names, units and defaults in its form.

use serde_json::json;

use super::{
    fixture::{AdminSession, all_between, between, redirect_target, unescaped},
    form_fields::{Fields, form_fields, set, submit},
};
use crate::{
    api::admin::fixture::{
        create_entry, delete_entry, exclusive_group_options, get_json, replace_entry, start_admin,
    },
    support::{TestApp, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_conflict_shows_both_and_can_be_overwritten,
    a_deleted_entry_can_be_created_again,
    forms_have_known_names_units_and_defaults,
);

const PAGE: &str = "/groups/desk";
const ENTRY: &str = "groups/desk";

/// The form of a group with the number 1, to which the number 300 is added.
async fn edit_numbers(app: &TestApp, session: &AdminSession<'_>) -> Fields {
    create_entry(app, ENTRY, &exclusive_group_options(&["1"])).await;
    let mut fields = form_fields(&session.page(PAGE).await);
    set(&mut fields, "numbers_add", "300");
    fields
}

async fn a_conflict_shows_both_and_can_be_overwritten(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = edit_numbers(&app, &session).await;
    replace_entry(&app, ENTRY, &exclusive_group_options(&["1", "2"])).await;
    let conflict = submit(&session, PAGE, &fields).await;
    assert_eq!(conflict.status, 412);
    let page = conflict.text();
    assert!(
        page.contains("This entry was changed by someone else."),
        "{page}"
    );
    assert!(
        page.contains("Last change by <bdi>admin</bdi>, <time"),
        "{page}"
    );
    let table = between(page, "aria-label=\"Differences\"", "</table>");
    let texts = all_between(table, "<bdi", "</bdi>");
    assert_eq!(
        texts,
        [
            " class=\"mono\">numbers",
            " class=\"value\">2",
            " class=\"value\">300"
        ]
    );
    assert!(
        page.contains(&format!(
            "href=\"/genesys/1/admin/ui{PAGE}\">Take theirs</a>"
        )),
        "{page}"
    );
    // Another change in the meantime is another conflict.
    replace_entry(&app, ENTRY, &exclusive_group_options(&["1", "4"])).await;
    let overwrite = |page: &str| between(page, "name=\"overwrite\" value=\"", "\"").to_owned();
    fields.push(("overwrite".to_owned(), overwrite(page)));
    let conflict = submit(&session, PAGE, &fields).await;
    assert_eq!(conflict.status, 412);
    set(&mut fields, "overwrite", &overwrite(conflict.text()));
    redirect_target(&submit(&session, PAGE, &fields).await);
    let numbers = get_json(&app, ENTRY).await["options"]["numbers"].clone();
    assert_eq!(numbers, json!(["1", "300"]));
}

async fn a_deleted_entry_can_be_created_again(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = edit_numbers(&app, &session).await;
    delete_entry(&app, ENTRY).await;
    let conflict = submit(&session, PAGE, &fields).await;
    assert_eq!(conflict.status, 412);
    let page = conflict.text();
    assert!(
        page.contains("This entry was deleted by someone else."),
        "{page}"
    );
    fields.push(("overwrite".to_owned(), "deleted".to_owned()));
    redirect_target(&submit(&session, PAGE, &fields).await);
    let numbers = get_json(&app, ENTRY).await["options"]["numbers"].clone();
    assert_eq!(numbers, json!(["1", "300"]));
}

async fn forms_have_known_names_units_and_defaults(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let service = json!({"_type": "builtin", "_service": "request-interaction"});
    create_entry(&app, "services/call & talk", &service).await;
    create_entry(&app, ENTRY, &exclusive_group_options(&["1"])).await;
    let page = session.page(PAGE).await;
    let known = between(&page, "<datalist id=\"services\">", "</datalist>");
    assert!(
        unescaped(known).contains("<option value=\"call & talk\">"),
        "{known}"
    );
    let field = between(&page, "id=\"option-_services\"", ">");
    assert!(field.contains("list=\"services\" data-names"), "{field}");
    let timeout = between(&page, "id=\"option-_booking_expiration_timeout\"", "</div>");
    assert!(
        timeout.contains("placeholder=\"30\"") && timeout.contains(">seconds</span>"),
        "{timeout}"
    );
    let page = session.page("/services/call%20%26%20talk").await;
    let group = between(&page, "id=\"option-_resource_group\"", ">");
    assert!(
        group.contains("list=\"groups\" placeholder=\"DNIS\""),
        "{group}"
    );
    let code = between(&page, "id=\"option-_provide_code\"", "</select>");
    assert!(
        code.contains("<option value=\"\">Default: false</option>"),
        "{code}"
    );
}
