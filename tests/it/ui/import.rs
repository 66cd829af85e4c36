//! *Import*: what would be done is shown before it is, and nothing else is done.

use reqwest::Method;
use serde_json::json;

use super::fixture::{
    AdminSession, all_between, between, hidden_fields, page_html, redirect_target, unescaped,
};
use crate::{
    admin::fixture::{
        audit_actions, create_entry, exclusive_group_options, get, get_json, import,
        request_interaction_options, start_admin, start_admin_with, store_options,
    },
    support::{TestApp, TestResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(
    what_an_import_would_do_is_shown_and_then_done,
    what_changes_is_shown_by_option_and_deletions_are_confirmed_by_their_number,
    what_was_shown_is_not_done_to_another_state,
    a_wrong_catalogue_is_shown_again_with_what_is_wrong,
    an_import_that_changes_nothing_has_nothing_to_confirm,
    what_is_sent_twice_is_done_once_and_nobody_else_is_blamed,
    what_was_changed_since_it_was_shown_is_shown_again,
    nothing_at_all_is_not_imported,
);

const CATALOG: &str = "# \"quoted\", 'twice'\n[services.cart]\n_type = 'builtin'\n_service = 'store'\n\
                         _ttl = 60\n[services.\"<new>\"]\n_type = 'builtin'\n_service = 'store'\n";

/// Asks for what an import would do.
async fn preview(desk: &AdminSession<'_>, mode: &str, text: &str) -> TestResponse {
    desk.submit_form("/catalog", &[("mode", mode), ("catalogue", text)])
        .await
}

/// The part of the page that tells it.
fn catalog_field(page: &str) -> &str {
    between(page, "id=\"preview\"", "</section>")
}

/// Entries of which this becomes.
fn entries(page: &str, what: &str) -> Vec<String> {
    let part = catalog_field(page).split_once(&format!("<h3>{what}</h3>"));
    let part = part.map_or("", |(_, part)| part.split_once("</ul>").unwrap().0);
    let entries = all_between(part, "<li>", "</li>").into_iter();
    entries
        .map(|entry| unescaped(&entry.replace("<bdi>", "").replace("</bdi>", "")))
        .collect()
}

/// What the text field has in it.
fn hidden_text(page: &str) -> String {
    let text = between(page, "<textarea id=\"catalogue\"", "</textarea>");
    unescaped(text.split_once(">\n").unwrap().1)
}

/// Presses the one button that is shown with it.
async fn confirm(desk: &AdminSession<'_>, page: &str) -> TestResponse {
    confirm_with(desk, page, &[]).await
}

/// The same where these fields have been changed since.
async fn confirm_with(
    desk: &AdminSession<'_>,
    page: &str,
    changed: &[(&str, &str)],
) -> TestResponse {
    let button = between(catalog_field(page), "<button ", ">");
    assert!(button.starts_with("form=\"import\" name=\"act\" value=\"import\""));
    assert_eq!(catalog_field(page).matches("<button").count(), 1, "{page}");
    let form = between(page, "<form id=\"import\"", "</form>");
    let mode = between(form, " checked", "label>");
    let mode = if mode.contains("stays") {
        "merge"
    } else {
        "replace"
    };
    let mut fields = hidden_fields(form);
    let text = hidden_text(page).replace('\n', "\r\n");
    for (name, text) in [
        ("catalogue", text.as_str()),
        ("mode", mode),
        ("act", "import"),
    ] {
        fields.push((name.to_owned(), text.to_owned()));
    }
    let deleted = between(catalog_field(page), "<button ", "/button>");
    if let Some((_, deleted)) = deleted.split_once("and delete ") {
        let deleted = deleted.trim_end_matches('<').to_owned();
        fields.push(("deletions".to_owned(), deleted));
    }
    for (name, text) in changed {
        let field = fields.iter_mut().find(|(field, _)| field == name);
        (*text).clone_into(&mut field.unwrap().1);
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    desk.submit_fields("/catalog", &fields).await
}

/// A service that will be changed, one that will be deleted, and a group of which the same becomes.
async fn create_sample_entries(app: &TestApp) {
    create_entry(app, "services/cart", &store_options()).await;
    create_entry(
        app,
        "groups/pool",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    create_entry(app, "services/call", &request_interaction_options("pool")).await;
}

async fn what_an_import_would_do_is_shown_and_then_done(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let (desk, before) = (AdminSession::sign_in(&app).await, audit_actions(&app).await);
    for (mode, deleted, button) in [
        (
            "replace",
            &["resource group pool", "configured service call"][..],
            "Import, and delete 2",
        ),
        ("merge", &[], "Import"),
    ] {
        let answer = preview(&desk, mode, CATALOG).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = page_html(&answer);
        assert_eq!(entries(page, "Deleted"), deleted);
        assert_eq!(entries(page, "Changed"), ["configured service cart"]);
        assert_eq!(entries(page, "New"), ["configured service <new>"]);
        let counts = format!("1 new, 1 changed, {} deleted, 0 as before", deleted.len());
        assert!(catalog_field(page).contains(&counts), "{page}");
        assert_eq!(
            between(catalog_field(page), "<button", "</button>")
                .split('>')
                .nth(1),
            Some(button)
        );
        assert_eq!(audit_actions(&app).await, before, "nothing is done yet");
    }
    let page = preview(&desk, "replace", CATALOG).await;
    let led = redirect_target(&confirm(&desk, page_html(&page)).await).to_owned();
    assert!(desk.page(&led).await.contains("It is imported"));
    assert_eq!(
        get_json(&app, "services/cart").await["options"]["_ttl"],
        "60"
    );
    let history = audit_actions(&app).await;
    let done = &history[..history.len() - before.len()];
    assert_eq!(
        done,
        [
            "delete service call",
            "delete resource group pool",
            "replace service cart",
            "create service <new>",
        ]
    );
}

/// Confirms what is shown, after others have changed the catalogue; gives the page that tells so.
async fn assert_conflict_shown(desk: &AdminSession<'_>, seen: &str) -> String {
    let refused = confirm(desk, seen).await;
    assert_eq!(refused.status, 412);
    let page = page_html(&refused);
    assert!(
        page.contains("Somebody else has changed the catalogue"),
        "{page}"
    );
    page.to_owned()
}

async fn what_changes_is_shown_by_option_and_deletions_are_confirmed_by_their_number(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let locked =
        "[services.cart]\n_type = 'builtin'\n_service = 'store'\n_ttl = 60\npassword = 's3cret'\n";
    let desk = AdminSession::sign_in(&app).await;
    let answer = preview(&desk, "replace", locked).await;
    let page = page_html(&answer);
    let changes = between(catalog_field(page), "<h3>Changed options</h3>", "</table>");
    for part in [
        "<td>configured service <bdi>cart</bdi></td>",
        "<bdi class=\"mono\">_ttl</bdi>",
        "<bdi class=\"value\">60</bdi>",
        "<bdi class=\"mono\">password</bdi>",
        "<bdi class=\"value\">********</bdi>",
    ] {
        assert!(changes.contains(part), "no {part} in {changes}");
    }
    assert!(
        !changes.contains("s3cret") && !changes.contains("_service"),
        "{changes}"
    );
    assert!(catalog_field(page).contains("href=\"/genesys/1/admin/ui/catalog/export\""));

    for wrong in ["", "1", "3", "two"] {
        let answer = confirm_with(&desk, page, &[("deletions", wrong)]).await;
        let again = page_html(&answer);
        assert!(
            again.contains("Nothing was imported: type 2"),
            "{wrong:?}: {again}"
        );
    }
    assert_eq!(get(&app, "services/call").await.status, 200);
    redirect_target(&confirm_with(&desk, page, &[("deletions", " 2 ")]).await);
    assert_eq!(get(&app, "services/call").await.status, 404);
}

async fn what_was_shown_is_not_done_to_another_state(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let seen = preview(&desk, "replace", CATALOG).await;
    // Somebody makes what would be deleted too, and nobody has seen that.
    create_entry(&app, "services/late", &store_options()).await;
    let before = audit_actions(&app).await;
    let page = assert_conflict_shown(&desk, page_html(&seen)).await;
    assert_eq!(hidden_text(&page), CATALOG);
    assert_eq!(audit_actions(&app).await, before, "nothing is done");
    // The next try is one on what there is now, as the page tells it.
    assert!(entries(&page, "Deleted").contains(&"configured service late".to_owned()));
    assert_eq!(confirm(&desk, &page).await.status, 303);
    assert_eq!(get(&app, "services/late").await.status, 404);
    // Where it cannot be done to what there is now, that is told, and what was written is kept.
    let needs = "[services.new]\n_type='builtin'\n_service='store'\n_resource_group='pool'\n";
    create_entry(
        &app,
        "groups/pool",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    let seen = preview(&desk, "merge", needs).await;
    assert_eq!(entries(page_html(&seen), "New"), ["configured service new"]);
    let version = get(&app, "catalog").await.header("etag").to_owned();
    let gone = import(&app, Method::PUT, &version, CATALOG).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    let page = assert_conflict_shown(&desk, page_html(&seen)).await;
    let problem = between(&page, "class=\"problem\" role=\"alert\">", "</p>");
    assert!(problem.contains("expected a resource group"), "{problem}");
    assert_eq!(hidden_text(&page), needs);
    assert!(!page.contains("id=\"preview\""), "{page}");
}

async fn what_is_sent_twice_is_done_once_and_nobody_else_is_blamed(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    for mode in ["merge", "replace"] {
        let seen = preview(&desk, mode, CATALOG).await;
        redirect_target(&confirm(&desk, page_html(&seen)).await);
        let done = audit_actions(&app).await;
        let again = confirm(&desk, page_html(&seen)).await;
        assert_eq!(again.status, 200);
        let page = page_html(&again);
        assert!(!page.contains("Somebody else"), "{page}");
        assert!(catalog_field(page).contains("All that the text says is so already."));
        assert!(!catalog_field(page).contains("<button"), "{page}");
        assert_eq!(audit_actions(&app).await, done);
    }
}

async fn what_was_changed_since_it_was_shown_is_shown_again(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let before = audit_actions(&app).await;
    let seen = preview(&desk, "merge", CATALOG).await;
    let page = page_html(&seen);
    let stands = page.matches("&#60;new&#62;").count();
    assert_eq!(stands, 2, "in the text, and as what is new: {page}");
    let other = format!("{CATALOG}[services.more]\n_type = 'builtin'\n_service = 'store'\n");
    let digest = hidden_fields(page)
        .into_iter()
        .find(|(name, _)| name == "digest");
    assert!(digest.is_some_and(|(_, digest)| digest.len() >= 43));
    for (changed, deleted) in [
        (("catalogue", other.as_str()), 0),
        (("mode", "replace"), 2),
        (("digest", ""), 0),
    ] {
        let answer = confirm_with(&desk, page, &[changed]).await;
        assert_eq!(answer.status, 200, "{changed:?}");
        let again = page_html(&answer);
        assert!(
            catalog_field(again).contains("was changed since you looked, and nothing was imported")
        );
        assert!(catalog_field(again).contains(&format!("{deleted} deleted")));
        assert_eq!(audit_actions(&app).await, before);
    }
    // What was changed into what is wrong is told with what is wrong.
    let answer = confirm_with(&desk, page, &[("catalogue", "[services")]).await;
    assert_eq!(answer.status, 400);
    let again = page_html(&answer);
    assert!(again.contains("was changed since you looked, and nothing was imported"));
    assert_eq!(hidden_text(again), "[services");
    // The change counts once it was looked at.
    let answer = confirm_with(&desk, page, &[("catalogue", &other)]).await;
    let again = page_html(&answer);
    assert_eq!(entries(again, "New").len(), 2);
    redirect_target(&confirm(&desk, again).await);
    get_json(&app, "services/more").await;
}

async fn nothing_at_all_is_not_imported(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let before = audit_actions(&app).await;
    let version = get(&app, "catalog").await.header("etag").replace('"', "");
    for text in ["", " \r\n"] {
        let fields = [
            ("act", "import"),
            ("version", &version),
            ("mode", "replace"),
            ("catalogue", text),
        ];
        let answer = desk.submit_form("/catalog", &fields).await;
        assert_eq!(answer.status, 400);
        let page = page_html(&answer);
        assert!(page.contains("there is nothing to import"), "{page}");
        assert_eq!(audit_actions(&app).await, before);
    }
}

async fn a_wrong_catalogue_is_shown_again_with_what_is_wrong(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let wrong = format!("{CATALOG}[services.chat]\n_type = 'soap'\n");
    for (text, expected, status) in [
        (wrong.as_str(), "option _type: is &#34;soap&#34;", 400),
        (
            "[services.'..']\n_type = 'builtin'\n_service = 'store'",
            "service &#34;..&#34;",
            400,
        ),
        (
            "[resources.'.']\n_allocation_strategy = 'LOCAL'\nnumbers = ['1']",
            "a name has 1 to 64 bytes",
            400,
        ),
        ("[services", "line 1", 400),
        (
            "[services.store]\n_type = 'builtin'\n_service = 'store'\n_ttl = 5\n",
            "the catalogue file",
            409,
        ),
        (" \n", "there is nothing to import", 400),
    ] {
        let answer = preview(&desk, "replace", text).await;
        assert_eq!(answer.status, status, "{text}");
        let page = page_html(&answer);
        let problem = between(page, "class=\"problem\" role=\"alert\">", "</p>");
        assert!(problem.contains(expected), "{problem}");
        assert_eq!(hidden_text(page), text);
        let replace = between(page, "value=\"replace\"", ">");
        assert_eq!(replace, " checked");
        assert!(!page.contains("id=\"preview\""), "{page}");
    }
    assert!(audit_actions(&app).await.is_empty());
}

#[tokio::test]
async fn of_many_groups_the_first_ones_are_told_how_full_they_are() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let group =
        |n| format!("[resources.\"{n:04}\"]\n_allocation_strategy = 'LOCAL'\nnumbers = []\n");
    let many: String = (0..1_001).map(group).collect();
    let version = get(&app, "catalog").await.header("etag").to_owned();
    let imported = import(&app, Method::POST, &version, &many).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    let page = AdminSession::sign_in(&app).await.page("/groups").await;
    let row = |group: &str| between(&page, &format!("<bdi>{group}</bdi>"), "</tr>");
    for (group, is_told) in [
        ("0000", true),
        ("0999", true),
        ("1000", false),
        ("DNIS", false),
    ] {
        let row = row(group);
        assert_eq!(row.contains(" held"), is_told, "{row}");
        assert_eq!(row.contains("<td>–</td>"), !is_told, "{row}");
    }
}

#[tokio::test]
async fn a_catalogue_is_as_long_as_the_api_takes() {
    let small = [("limits.form_bytes", "2000")];
    let app = start_admin_with(&TestApp::on_memory().await, &small).await;
    let desk = AdminSession::sign_in(&app).await;
    // The end of a line takes most room in a form.
    let long = |bytes| format!("{CATALOG}#{}", "\n".repeat(bytes - CATALOG.len() - 1));
    let answer = preview(&desk, "replace", &long(2_001)).await;
    assert_eq!(answer.status, 413);
    assert!(page_html(&answer).contains("over 2000 bytes (limits.form_bytes)"));
    let version = get(&app, "catalog").await.header("etag").to_owned();
    let answer = import(&app, Method::POST, &version, &long(2_001)).await;
    answer.error_message("TooLarge", 413);
    let answer = preview(&desk, "replace", &long(2_000).replace('\n', "\r\n")).await;
    assert_eq!(answer.status, 200);
    redirect_target(&confirm(&desk, page_html(&answer)).await);
    get_json(&app, "services/cart").await;
}

async fn an_import_that_changes_nothing_has_nothing_to_confirm(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let mut vault = store_options();
    vault["password"] = json!("hunter2");
    create_entry(&app, "services/vault", &vault).await;
    let desk = AdminSession::sign_in(&app).await;
    let exported = get(&app, "catalog").await.text().to_owned();
    let answer = preview(&desk, "replace", &exported).await;
    let page = page_html(&answer);
    assert!(
        catalog_field(page).contains("0 new, 0 changed, 0 deleted"),
        "{page}"
    );
    assert!(!catalog_field(page).contains("<button"), "{page}");
}
