//! Reads and edits the fields of the form of an entry.

use super::fixture::{AdminSession, between, unescaped};
use crate::support::TestResponse;

/// Names and values, in order.
pub(super) type Fields = Vec<(String, String)>;

/// All fields of the form, as a browser submits them.
pub(super) fn form_fields(page: &str) -> Fields {
    let form = between(page, "<form class=\"card\"", "</form>");
    let mut fields = Fields::new();
    for field in form.split("<input ").skip(1) {
        let field = field.split_once('>').unwrap().0;
        let text = between(field, "value=\"", "\"");
        fields.push((between(field, "name=\"", "\"").to_owned(), unescaped(text)));
    }
    for field in form.split("<select ").skip(1) {
        let (head, rest) = field.split_once('>').unwrap();
        let chosen = rest.split_once("</select>").unwrap().0;
        let chosen = chosen.split_once("\" selected>");
        let chosen = chosen.map_or("", |(before, _)| before.rsplit('"').next().unwrap());
        fields.push((between(head, "name=\"", "\"").to_owned(), unescaped(chosen)));
    }
    for field in form.split("<textarea ").skip(1) {
        let (head, rest) = field.split_once(">\n").unwrap();
        let text = unescaped(rest.split_once("</textarea>").unwrap().0);
        let name = between(head, "name=\"", "\"").to_owned();
        fields.push((name, text.replace('\n', "\r\n")));
    }
    fields
}

/// Submits the form.
pub(super) async fn submit(
    session: &AdminSession<'_>,
    path: &str,
    fields: &Fields,
) -> TestResponse {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    session.submit_fields(path, &fields).await
}

/// The custom options in the form.
pub(super) fn rows(fields: &Fields) -> Vec<(&str, &str)> {
    let all = |wanted: &'static str| {
        let named = fields.iter().filter(move |(name, _)| name == wanted);
        named.map(|(_, text)| text.as_str())
    };
    let rows = all("other_name").zip(all("other_value"));
    rows.filter(|(name, value)| !name.is_empty() || !value.is_empty())
        .collect()
}

/// Fills the first empty row.
pub(super) fn add(fields: &mut Fields, name: &str, value: &str) {
    let free = rows(fields).len();
    let mut set = |wanted: &str, text: &str| {
        let mut named = fields.iter_mut().filter(|(name, _)| name == wanted);
        text.clone_into(&mut named.nth(free).unwrap().1);
    };
    set("other_name", name);
    set("other_value", value);
}

/// Sets the first field of this name.
pub(super) fn set(fields: &mut Fields, field: &str, text: &str) {
    let found = fields.iter_mut().find(|(name, _)| name == field);
    text.clone_into(&mut found.unwrap().1);
}

/// The error message of the page.
pub(super) fn error_message(page: &str) -> &str {
    between(page, "class=\"problem\" role=\"alert\">", "</p>")
}
