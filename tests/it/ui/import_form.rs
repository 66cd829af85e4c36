//! The import form: submits it, and reads its preview.

use super::fixture::{AdminSession, all_between, between, hidden_fields, unescaped};
use crate::support::TestResponse;

/// Submits the form for a preview.
pub(super) async fn preview(session: &AdminSession<'_>, mode: &str, text: &str) -> TestResponse {
    session
        .submit_form("/catalog", &[("mode", mode), ("catalog", text)])
        .await
}

/// The preview on the page.
pub(super) fn preview_section(page: &str) -> &str {
    between(page, "id=\"preview\"", "</section>")
}

/// Entries in a section of the preview.
pub(super) fn entries(page: &str, title: &str) -> Vec<String> {
    let part = preview_section(page).split_once(&format!("<h3>{title}</h3>"));
    let part = part.map_or("", |(_, part)| part.split_once("</ul>").unwrap().0);
    let entries = all_between(part, "<li>", "</li>").into_iter();
    entries
        .map(|entry| unescaped(&entry.replace("<bdi>", "").replace("</bdi>", "")))
        .collect()
}

/// The content of the catalog field.
pub(super) fn catalog_text(page: &str) -> String {
    let text = between(page, "<textarea id=\"catalog\"", "</textarea>");
    unescaped(text.split_once(">\n").unwrap().1)
}

/// Submits the import of a preview.
pub(super) async fn confirm(session: &AdminSession<'_>, page: &str) -> TestResponse {
    confirm_with(session, page, &[]).await
}

/// Submits the import of a preview, with changed fields.
pub(super) async fn confirm_with(
    session: &AdminSession<'_>,
    page: &str,
    changed: &[(&str, &str)],
) -> TestResponse {
    let button = between(preview_section(page), "<button ", ">");
    assert!(button.starts_with("form=\"import\" name=\"action\" value=\"import\""));
    assert_eq!(
        preview_section(page).matches("<button").count(),
        1,
        "{page}"
    );
    let form = between(page, "<form id=\"import\"", "</form>");
    let mode = between(form, " checked", "label>");
    let mode = if mode.contains("Keep") {
        "merge"
    } else {
        "replace"
    };
    let mut fields = hidden_fields(form);
    let text = catalog_text(page).replace('\n', "\r\n");
    for (name, text) in [
        ("catalog", text.as_str()),
        ("mode", mode),
        ("action", "import"),
    ] {
        fields.push((name.to_owned(), text.to_owned()));
    }
    let deleted = between(preview_section(page), "<button ", "/button>");
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
    session.submit_fields("/catalog", &fields).await
}
