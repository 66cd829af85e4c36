//! An entry that someone else saved or deleted while it was edited; known names, units and defaults in its form.

use serde_json::json;

use super::{
    fixture::{AdminSession, all_between, between, hidden_fields, redirect_target, unescaped},
    form_fields::{Fields, form_fields, set, submit},
};
use crate::{
    api::admin::fixture::{
        create_entry, delete_entry, exclusive_group_options, get_json, replace_entry, start_admin,
    },
    support::{TestApp, TestResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(
    changes_of_one_editor_are_merged,
    numbers_that_both_editors_change_alike_are_no_conflict,
    changes_of_both_are_shown_and_can_be_overwritten,
    a_changed_entry_is_shown_instead_of_deleted,
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

/// The section of the page with the conflict.
fn conflict_section(response: &TestResponse) -> &str {
    assert_eq!(response.status, 412, "{}", response.text());
    let page = response.text();
    assert!(!page.contains("ETag"), "{page}");
    between(page, "aria-labelledby=\"conflict\"", "</section>")
}

/// The label of the button that Enter presses: the first one of the form.
fn default_button(section: &str) -> &str {
    let button = between(section, "<button", "/button>");
    between(button, ">", "<")
}

/// Options, saved and entered values in the table of differences.
fn differences(section: &str) -> Vec<&str> {
    let table = between(section, "<tbody>", "</tbody>");
    let texts = all_between(table, "<bdi", "</bdi>").into_iter();
    texts.map(|text| text.split_once('>').unwrap().1).collect()
}

async fn changes_of_one_editor_are_merged(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let fields = edit_numbers(&app, &session).await;
    let mut theirs = exclusive_group_options(&["1", "2"]);
    theirs["_booking_expiration_timeout"] = json!("77");
    replace_entry(&app, ENTRY, &theirs).await;
    let conflict = submit(&session, PAGE, &fields).await;
    let section = conflict_section(&conflict);
    for part in [
        "This entry was changed by someone else.",
        "Last change by <bdi>admin</bdi>, <time",
        "Your changes and theirs are merged",
        "href=\"/genesys/1/admin/ui/groups/desk\">Take theirs</a>",
    ] {
        assert!(section.contains(part), "no {part} in {section}");
    }
    assert_eq!(differences(section), ["numbers", "300"]);
    assert_eq!(default_button(section), "Save");
    assert!(!conflict.text().contains("Overwrite"), "{section}");
    let merged = form_fields(conflict.text());
    redirect_target(&submit(&session, PAGE, &merged).await);
    let options = get_json(&app, ENTRY).await["options"].clone();
    assert_eq!(options["numbers"], json!(["1", "2", "300"]));
    assert_eq!(options["_booking_expiration_timeout"], "77");
}

async fn numbers_that_both_editors_change_alike_are_no_conflict(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let before = exclusive_group_options(&["100", "101", "102", "103"]);
    create_entry(&app, ENTRY, &before).await;
    let mut fields = form_fields(&session.page(PAGE).await);
    set(&mut fields, "numbers_remove", "100-102");
    set(&mut fields, "numbers_add", "200-201");
    let theirs = exclusive_group_options(&["100", "103", "200"]);
    replace_entry(&app, ENTRY, &theirs).await;
    let conflict = submit(&session, PAGE, &fields).await;
    let section = conflict_section(&conflict);
    assert!(
        section.contains("Numbers to remove that they removed already: 2."),
        "{section}"
    );
    assert!(!section.contains("no longer apply"), "{section}");
    assert_eq!(default_button(section), "Save");
    let merged = form_fields(conflict.text());
    let removed = ("numbers_remove".to_owned(), "100".to_owned());
    assert!(merged.contains(&removed), "{merged:?}");
    let saved = submit(&session, PAGE, &merged).await;
    let target = "/groups/desk?message=saved&added=1&removed=1&present=1";
    assert_eq!(redirect_target(&saved), target);
    let numbers = get_json(&app, ENTRY).await["options"]["numbers"].clone();
    assert_eq!(numbers, json!(["103", "200", "201"]));
    // All of the changes are made already.
    let mut fields = form_fields(&session.page(PAGE).await);
    set(&mut fields, "numbers_remove", "103");
    let theirs = exclusive_group_options(&["200", "201"]);
    replace_entry(&app, ENTRY, &theirs).await;
    let conflict = submit(&session, PAGE, &fields).await;
    let section = conflict_section(&conflict);
    assert!(
        section.contains("The saved entry has the same options"),
        "{section}"
    );
}

async fn changes_of_both_are_shown_and_can_be_overwritten(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = edit_numbers(&app, &session).await;
    set(&mut fields, "option:_booking_expiration_timeout", "40");
    let theirs = |timeout: &str| {
        let mut options = exclusive_group_options(&["1", "2"]);
        options["_booking_expiration_timeout"] = json!(timeout);
        options
    };
    replace_entry(&app, ENTRY, &theirs("50")).await;
    let conflict = submit(&session, PAGE, &fields).await;
    let section = conflict_section(&conflict);
    let expected = ["_booking_expiration_timeout", "50", "40", "numbers", "300"];
    assert_eq!(differences(section), expected);
    // Enter only compares again.
    assert_eq!(default_button(section), "Compare again");
    let mut fields = form_fields(conflict.text());
    let conflict = submit(&session, PAGE, &fields).await;
    assert_eq!(differences(conflict_section(&conflict)), expected);
    // Another change in the meantime is another conflict.
    replace_entry(&app, ENTRY, &theirs("60")).await;
    let overwrite = |section: &str| {
        let revision = between(section, "name=\"overwrite\" value=\"", "\"");
        revision.to_owned()
    };
    fields.push(("overwrite".to_owned(), overwrite(section)));
    let conflict = submit(&session, PAGE, &fields).await;
    let section = conflict_section(&conflict);
    set(&mut fields, "overwrite", &overwrite(section));
    redirect_target(&submit(&session, PAGE, &fields).await);
    let options = get_json(&app, ENTRY).await["options"].clone();
    assert_eq!(options["numbers"], json!(["1", "2", "300"]));
    assert_eq!(options["_booking_expiration_timeout"], "40");
}

async fn a_changed_entry_is_shown_instead_of_deleted(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    create_entry(&app, ENTRY, &exclusive_group_options(&["1"])).await;
    let path = "/groups/desk/delete";
    let delete_fields =
        |page: &str| hidden_fields(between(page, "/groups/desk/delete\"", "</form>"));
    let fields = delete_fields(&session.page(PAGE).await);
    replace_entry(&app, ENTRY, &exclusive_group_options(&["1", "2"])).await;
    let conflict = submit(&session, path, &fields).await;
    let section = conflict_section(&conflict);
    for part in [
        "Last change by <bdi>admin</bdi>, <time",
        "It was not deleted.",
        "Changed options: <bdi class=\"mono\">numbers</bdi></p>",
    ] {
        assert!(section.contains(part), "no {part} in {section}");
    }
    let again = submit(&session, path, &delete_fields(conflict.text())).await;
    assert_eq!(redirect_target(&again), "/groups?message=deleted");
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
