//! Actions on several rows of a list: the page that asks for a confirmation, and the rows that it submits.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{
    Layout, PageResult, form::Form, redirect_targets::is_safe_redirect, render, signed_in::SignedIn,
};
use crate::{http::ApiError, service::MAX_SELECTED};

/// The fields of each selected row: its value and, in the confirmation, the texts that describe it. The URL of the
/// confirmation has the name for each row, so it is short.
const SELECTED_FIELD: &str = "row";
const LABEL_FIELD: &str = "label";
const DETAILS_FIELD: &str = "details";

/// An action on several rows, as its pages describe it.
pub(super) struct BulkAction {
    /// The value of the field `action`.
    pub(super) name: &'static str,
    /// What is done, in an imperative without its objects.
    pub(super) verb: &'static str,
    /// The title of the results.
    pub(super) result_title: &'static str,
    /// How the results describe rows that were in the requested state already.
    pub(super) unchanged: &'static str,
    /// The singular and the plural of the rows.
    pub(super) objects: [&'static str; 2],
    /// The effect.
    pub(super) effect: &'static str,
    /// Whether data is lost.
    pub(super) is_danger: bool,
    /// The section of the menu.
    pub(super) section: &'static str,
}

/// A selected row.
#[derive(Serialize, Deserialize)]
pub(super) struct SelectedRow {
    /// The value of its field. The results do not have it.
    #[serde(skip)]
    pub(super) value: String,
    pub(super) label: String,
    /// What else identifies it to an operator; may be empty.
    pub(super) details: String,
    pub(super) url: String,
}

/// The confirmation.
#[derive(Template)]
#[template(path = "bulk_confirm.html")]
pub(super) struct ConfirmPage<'a> {
    layout: Layout,
    action: &'a BulkAction,
    url: String,
    rows: Vec<SelectedRow>,
    back: String,
    pub(super) problem: String,
    /// The maximum TTL, and the submitted one, if the action has one.
    pub(super) ttl: Option<(u64, String)>,
}

impl BulkAction {
    /// The action and the number of its objects, such as `Delete 2 services`.
    fn describe(&self, count: usize) -> String {
        let [one, many] = self.objects;
        format!(
            "{} {count} {}",
            self.verb,
            if count == 1 { one } else { many }
        )
    }

    /// The page that asks for a confirmation and submits it to `url`.
    pub(super) fn confirm_page<'a>(
        &'a self,
        session: &SignedIn,
        form: &Form,
        url: &str,
        rows: Vec<SelectedRow>,
    ) -> ConfirmPage<'a> {
        ConfirmPage {
            layout: Layout::new(session, self.section, self.describe(rows.len())),
            action: self,
            url: url.to_owned(),
            back: back_url(form),
            rows,
            problem: String::new(),
            ttl: None,
        }
    }
}

impl ConfirmPage<'_> {
    /// The page with an error of its form.
    pub(super) fn with_problem(mut self, error: &ApiError, status: StatusCode) -> PageResult {
        self.problem = error.to_string();
        render(status, &self)
    }
}

/// The values of the selected rows.
///
/// # Errors
/// [`ApiError::InvalidParameter`] if none or too many are selected.
pub(super) fn selected(form: &Form) -> Result<Vec<String>, ApiError> {
    let fields = form.fields().filter(|(name, _)| *name == SELECTED_FIELD);
    let mut values: Vec<String> = fields.map(|(_, value)| value.to_owned()).collect();
    values.sort();
    values.dedup();
    if (1..=MAX_SELECTED).contains(&values.len()) {
        return Ok(values);
    }
    let count = values.len();
    Err(ApiError::InvalidParameter(format!(
        "{count} rows are selected, expected 1 to {MAX_SELECTED}; no changes were made"
    )))
}

/// The texts of the rows by value, as the confirmation submits them: a row that is gone cannot be described any more.
pub(super) fn submitted_texts(form: &Form) -> HashMap<&str, [String; 2]> {
    let mut texts: HashMap<&str, [String; 2]> = HashMap::new();
    let mut value = "";
    for (name, text) in form.fields() {
        match name {
            SELECTED_FIELD => value = text,
            LABEL_FIELD => text.clone_into(&mut texts.entry(value).or_default()[0]),
            DETAILS_FIELD => text.clone_into(&mut texts.entry(value).or_default()[1]),
            _ => {}
        }
    }
    texts
}

impl SelectedRow {
    /// The row with the texts that the confirmation submitted.
    pub(super) fn with_texts(mut self, texts: &HashMap<&str, [String; 2]>) -> Self {
        if let Some([label, details]) = texts.get(self.value.as_str()) {
            self.label.clone_from(label);
            self.details.clone_from(details);
        }
        self
    }
}

/// The error of an unknown action.
pub(super) fn unknown_action() -> ApiError {
    let message = "the field \"action\" is missing or unknown; no changes were made";
    ApiError::InvalidParameter(message.to_owned())
}

/// The URL of the list; the console if the form has no valid one.
pub(super) fn back_url(form: &Form) -> String {
    let back = form.text("back");
    let is_safe = is_safe_redirect(back);
    if is_safe { back } else { super::HOME }.to_owned()
}
