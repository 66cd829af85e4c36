//! *Import and export*: preview and confirmation of an import.

use reqwest::Method;
use serde_json::json;

use super::{
    fixture::{AdminSession, all_between, between, hidden_fields, page_html, redirect_target},
    import_form::{catalog_text, confirm, confirm_with, entries, preview, preview_section},
};
use crate::{
    api::admin::fixture::{
        audit_actions, create_entry, exclusive_group_options, get, get_json, import,
        request_interaction_options, start_admin, start_admin_with, store_options,
    },
    support::{TestApp, on_redis_only},
};

on_redis_only!(
    import_is_previewed_and_applied,
    preview_shows_changed_options_and_requires_the_number_of_deletions,
    preview_groups_changed_options_by_entry,
    preview_of_an_older_catalog_is_not_applied,
    invalid_catalog_is_shown_again_with_the_error,
    import_without_changes_has_no_import_button,
    import_submitted_twice_is_applied_once_without_a_conflict,
    changed_input_is_previewed_again,
    empty_input_is_not_imported,
);

const CATALOG: &str = "# \"quoted\", 'twice'\n[services.cart]\n_type = 'builtin'\n_service = 'store'\n\
                         _ttl = 60\n[services.\"<new>\"]\n_type = 'builtin'\n_service = 'store'\n";

/// Creates a definition that the import changes, and a definition and a group that it deletes.
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

async fn import_is_previewed_and_applied(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let (session, before) = (AdminSession::sign_in(&app).await, audit_actions(&app).await);
    for (mode, deleted, button) in [
        (
            "replace",
            &["resource group pool", "service definition call"][..],
            "Import and delete 2",
        ),
        ("merge", &[], "Import"),
    ] {
        let response = preview(&session, mode, CATALOG).await;
        assert_eq!(response.status, 200, "{}", response.text());
        let page = page_html(&response);
        assert_eq!(entries(page, "Deleted"), deleted);
        assert_eq!(entries(page, "Changed"), ["service definition cart"]);
        assert_eq!(entries(page, "New"), ["service definition <new>"]);
        let counts = format!("1 new, 1 changed, {} deleted, 0 unchanged", deleted.len());
        assert!(preview_section(page).contains(&counts), "{page}");
        assert_eq!(
            between(preview_section(page), "<button", "</button>")
                .split('>')
                .nth(1),
            Some(button)
        );
        assert_eq!(
            audit_actions(&app).await,
            before,
            "the preview changes nothing"
        );
    }
    let page = preview(&session, "replace", CATALOG).await;
    let target = redirect_target(&confirm(&session, page_html(&page)).await).to_owned();
    let imported = "Imported: 1 new, 1 changed, 2 deleted. Active on this replica.";
    assert!(session.page(&target).await.contains(imported), "{target}");
    assert_eq!(
        get_json(&app, "services/cart").await["options"]["_ttl"],
        "60"
    );
    let history = audit_actions(&app).await;
    let actions = &history[..history.len() - before.len()];
    assert_eq!(
        actions,
        [
            "delete service call",
            "delete resource group pool",
            "replace service cart",
            "create service <new>",
        ]
    );
}

/// Submits a preview of an older catalog. Returns the page with the conflict.
async fn assert_conflict_shown(session: &AdminSession<'_>, previewed: &str) -> String {
    let refused = confirm(session, previewed).await;
    assert_eq!(refused.status, 412);
    let page = page_html(&refused);
    assert!(
        page.contains("The catalog was changed by someone else after the preview. Last change by <bdi>admin</bdi>"),
        "{page}"
    );
    page.to_owned()
}

async fn preview_shows_changed_options_and_requires_the_number_of_deletions(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let locked =
        "[services.cart]\n_type = 'builtin'\n_service = 'store'\n_ttl = 60\npassword = 's3cret'\n";
    let session = AdminSession::sign_in(&app).await;
    let response = preview(&session, "replace", locked).await;
    let page = page_html(&response);
    let changes = between(
        preview_section(page),
        "<h3>Changed options</h3>",
        "</table>",
    );
    for part in [
        "<h4>service definition <bdi>cart</bdi></h4>",
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
    assert!(preview_section(page).contains("href=\"/genesys/1/admin/ui/catalog/export\""));

    for wrong in ["", "1", "3", "two"] {
        let response = confirm_with(&session, page, &[("deletions", wrong)]).await;
        let again = page_html(&response);
        assert!(
            again.contains("Nothing was imported. Type 2"),
            "{wrong:?}: {again}"
        );
    }
    assert_eq!(get(&app, "services/call").await.status, 200);
    redirect_target(&confirm_with(&session, page, &[("deletions", " 2 ")]).await);
    assert_eq!(get(&app, "services/call").await.status, 404);
}

/// The current and the new value of each option in the preview of a changed entry.
fn changed_values(page: &str, entry: &str) -> Vec<String> {
    let table = between(preview_section(page), entry, "</table>");
    let body = between(table, "<tbody>", "</tbody>");
    let rows = all_between(body, "<tr>", "</tr>").into_iter();
    let text = |cell: &&str| cell.split(['<', '>']).nth(2).unwrap_or(cell).to_owned();
    rows.map(|row| {
        let option = between(row, "<bdi class=\"mono\">", "</bdi>");
        let values = all_between(row, "<td>", "</td>");
        let values: Vec<String> = values.iter().map(text).collect();
        format!("{option}: {}", values.join(" to "))
    })
    .collect()
}

async fn preview_groups_changed_options_by_entry(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let text = "[services.cart]\n_type='builtin'\n_service='store'\n_ttl=60\n_note='new'\n\
                [resources.pool]\n_allocation_strategy='RANDOM'\n\
                numbers=['8005550001','8005550003','8005550002']\n";
    let session = AdminSession::sign_in(&app).await;
    let response = preview(&session, "merge", text).await;
    let page = page_html(&response);
    let entry = "<h4>service definition <bdi>cart</bdi></h4>";
    assert_eq!(
        changed_values(page, entry),
        ["_note: – to new", "_ttl: – to 60"]
    );
    // A changed secret is marked.
    let text = |password: &str| {
        format!("[services.cart]\n_type='builtin'\n_service='store'\npassword='{password}'\n")
    };
    let first = preview(&session, "merge", &text("first")).await;
    redirect_target(&confirm(&session, page_html(&first)).await);
    let second = preview(&session, "merge", &text("second")).await;
    assert_eq!(
        changed_values(page_html(&second), entry),
        ["password: ******** to ******** (changed)"]
    );
    let entry = "<h4>resource group <bdi>pool</bdi></h4>";
    assert_eq!(
        changed_values(page, entry),
        [
            "_allocation_strategy: LOCAL to RANDOM",
            "numbers: – to 8005550003, 8005550002"
        ]
    );
    assert_eq!(preview_section(page).matches("<h4>").count(), 2, "{page}");
}

async fn preview_of_an_older_catalog_is_not_applied(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let previewed = preview(&session, "replace", CATALOG).await;
    // A new entry that the preview does not contain, and that the import would delete.
    create_entry(&app, "services/late", &store_options()).await;
    let before = audit_actions(&app).await;
    let page = assert_conflict_shown(&session, page_html(&previewed)).await;
    assert_eq!(catalog_text(&page), CATALOG);
    assert_eq!(
        audit_actions(&app).await,
        before,
        "the conflict changes nothing"
    );
    // The new preview is for the current catalog and can be confirmed.
    assert!(entries(&page, "Deleted").contains(&"service definition late".to_owned()));
    assert_eq!(confirm(&session, &page).await.status, 303);
    assert_eq!(get(&app, "services/late").await.status, 404);
    // If the import is invalid for the current catalog, the page shows the error and keeps the input.
    let text = "[services.new]\n_type='builtin'\n_service='store'\n_resource_group='pool'\n";
    create_entry(
        &app,
        "groups/pool",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    let previewed = preview(&session, "merge", text).await;
    assert_eq!(
        entries(page_html(&previewed), "New"),
        ["service definition new"]
    );
    let version = get(&app, "catalog").await.header("etag").to_owned();
    let replaced = import(&app, Method::PUT, &version, CATALOG).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text());
    let page = assert_conflict_shown(&session, page_html(&previewed)).await;
    let problem = between(&page, "class=\"problem\" role=\"alert\">", "</p>");
    assert!(problem.contains("expected a resource group"), "{problem}");
    assert_eq!(catalog_text(&page), text);
    assert!(!page.contains("id=\"preview\""), "{page}");
}

async fn import_submitted_twice_is_applied_once_without_a_conflict(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let session = AdminSession::sign_in(&app).await;
    for mode in ["merge", "replace"] {
        let previewed = preview(&session, mode, CATALOG).await;
        redirect_target(&confirm(&session, page_html(&previewed)).await);
        let actions = audit_actions(&app).await;
        let again = confirm(&session, page_html(&previewed)).await;
        assert_eq!(again.status, 200);
        let page = page_html(&again);
        assert!(!page.contains("someone else"), "{page}");
        assert!(
            preview_section(page)
                .contains("Nothing to import: the catalog already has this content.")
        );
        assert!(!preview_section(page).contains("<button"), "{page}");
        assert_eq!(audit_actions(&app).await, actions);
    }
}

async fn changed_input_is_previewed_again(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let before = audit_actions(&app).await;
    let previewed = preview(&session, "merge", CATALOG).await;
    let page = page_html(&previewed);
    let occurrences = page.matches("&#60;new&#62;").count();
    assert_eq!(occurrences, 2, "in the input and as a new entry: {page}");
    let other = format!("{CATALOG}[services.more]\n_type = 'builtin'\n_service = 'store'\n");
    let digest = hidden_fields(page)
        .into_iter()
        .find(|(name, _)| name == "digest");
    assert!(digest.is_some_and(|(_, digest)| digest.len() >= 43));
    for (changed, deleted) in [
        (("catalog", other.as_str()), 0),
        (("mode", "replace"), 2),
        (("digest", ""), 0),
    ] {
        let response = confirm_with(&session, page, &[changed]).await;
        assert_eq!(response.status, 200, "{changed:?}");
        let again = page_html(&response);
        assert!(
            preview_section(again)
                .contains("The input changed after the preview. Nothing was imported.")
        );
        assert!(preview_section(again).contains(&format!("{deleted} deleted")));
        assert_eq!(audit_actions(&app).await, before);
    }
    // Changed input that is invalid is shown with the error.
    let response = confirm_with(&session, page, &[("catalog", "[services")]).await;
    assert_eq!(response.status, 400);
    let again = page_html(&response);
    assert!(again.contains("The input changed after the preview. Nothing was imported."));
    assert_eq!(catalog_text(again), "[services");
    // The changed input can be confirmed after its preview.
    let response = confirm_with(&session, page, &[("catalog", &other)]).await;
    let again = page_html(&response);
    assert_eq!(entries(again, "New").len(), 2);
    redirect_target(&confirm(&session, again).await);
    get_json(&app, "services/more").await;
}

async fn empty_input_is_not_imported(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let before = audit_actions(&app).await;
    let version = get(&app, "catalog").await.header("etag").replace('"', "");
    for text in ["", " \r\n"] {
        let fields = [
            ("action", "import"),
            ("version", &version),
            ("mode", "replace"),
            ("catalog", text),
        ];
        let response = session.submit_form("/catalog", &fields).await;
        assert_eq!(response.status, 400);
        let page = page_html(&response);
        assert!(page.contains("nothing to import"), "{page}");
        assert_eq!(audit_actions(&app).await, before);
    }
}

async fn invalid_catalog_is_shown_again_with_the_error(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
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
            "a name must have 1 to 64 bytes",
            400,
        ),
        ("[services", "line 1", 400),
        (
            "[services.store]\n_type = 'builtin'\n_service = 'store'\n_ttl = 5\n",
            "the catalog file",
            409,
        ),
        (" \n", "nothing to import", 400),
    ] {
        let response = preview(&session, "replace", text).await;
        assert_eq!(response.status, status, "{text}");
        let page = page_html(&response);
        let problem = between(page, "class=\"problem\" role=\"alert\">", "</p>");
        assert!(problem.contains(expected), "{problem}");
        assert_eq!(catalog_text(page), text);
        let replace = between(page, "value=\"replace\"", ">");
        assert_eq!(replace, " checked");
        assert!(!page.contains("id=\"preview\""), "{page}");
    }
    assert!(audit_actions(&app).await.is_empty());
}

#[tokio::test]
async fn import_has_the_size_limit_of_the_api() {
    let small = [("limits.form_bytes", "2000")];
    let app = start_admin_with(&TestApp::on_memory().await, &small).await;
    let session = AdminSession::sign_in(&app).await;
    // Form encoding expands line ends most.
    let long = |bytes| format!("{CATALOG}#{}", "\n".repeat(bytes - CATALOG.len() - 1));
    let response = preview(&session, "replace", &long(2_001)).await;
    assert_eq!(response.status, 413);
    assert!(page_html(&response).contains("exceeds 2000 bytes (limits.form_bytes)"));
    let version = get(&app, "catalog").await.header("etag").to_owned();
    let response = import(&app, Method::POST, &version, &long(2_001)).await;
    response.error_message("TooLarge", 413);
    let response = preview(&session, "replace", &long(2_000).replace('\n', "\r\n")).await;
    assert_eq!(response.status, 200);
    redirect_target(&confirm(&session, page_html(&response)).await);
    get_json(&app, "services/cart").await;
}

async fn import_without_changes_has_no_import_button(app: TestApp) {
    let app = start_admin(&app).await;
    create_sample_entries(&app).await;
    let mut vault = store_options();
    vault["password"] = json!("hunter2");
    create_entry(&app, "services/vault", &vault).await;
    let session = AdminSession::sign_in(&app).await;
    let exported = get(&app, "catalog").await.text().to_owned();
    let response = preview(&session, "replace", &exported).await;
    let page = page_html(&response);
    assert!(
        preview_section(page).contains("0 new, 0 changed, 0 deleted"),
        "{page}"
    );
    assert!(!preview_section(page).contains("<button"), "{page}");
}
