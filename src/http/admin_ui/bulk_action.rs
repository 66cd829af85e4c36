//! Actions on several rows of a list: a page that asks for a confirmation, and one with the results.

use actix_web::http::StatusCode;
use askama::Template;

use super::{
    Layout, PageResult, form::Form, ok_page, redirect_targets::is_safe_redirect, render,
    signed_in::SignedIn,
};
use crate::{
    http::ApiError,
    service::{BulkResult, MAX_SELECTED},
};

/// The field with the value of each selected row.
const SELECTED_FIELD: &str = "selected";

/// An action on several rows, as its pages describe it.
pub(super) struct BulkAction {
    /// The value of the field `action`.
    pub(super) name: &'static str,
    /// What is done, in an imperative without its objects.
    pub(super) verb: &'static str,
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
pub(super) struct SelectedRow {
    /// The value of its field.
    pub(super) value: String,
    pub(super) label: String,
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

/// The results.
#[derive(Template)]
#[template(path = "bulk_result.html")]
struct ResultPage {
    layout: Layout,
    done: usize,
    gone: Vec<SelectedRow>,
    /// Each with the error.
    failed: Vec<(SelectedRow, String)>,
    back: String,
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

    /// The page with the results.
    pub(super) fn result_page<T>(
        &self,
        session: &SignedIn,
        form: &Form,
        result: BulkResult<T>,
        to_row: impl Fn(&T) -> SelectedRow,
    ) -> PageResult {
        let failed = result.failed.into_iter().map(|(object, error)| {
            // The texts of errors of the store are for the log.
            let error = ApiError::from(error).to_string();
            (to_row(&object), error)
        });
        ok_page(&ResultPage {
            layout: Layout::new(session, self.section, format!("{}: result", self.verb)),
            done: result.done.len(),
            failed: failed.collect(),
            gone: result.gone.iter().map(&to_row).collect(),
            back: back_url(form),
        })
    }
}

impl ConfirmPage<'_> {
    /// The page with an error of its form.
    pub(super) fn with_problem(mut self, error: &ApiError, status: StatusCode) -> PageResult {
        self.problem = error.to_string();
        render(status, &self)
    }
}

/// Whether the form is that of the confirmation.
pub(super) fn is_confirmed(form: &Form) -> bool {
    form.text("confirmed") == "yes"
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

/// The error of an unknown action.
pub(super) fn unknown_action() -> ApiError {
    let message = "the field \"action\" is missing or unknown; no changes were made";
    ApiError::InvalidParameter(message.to_owned())
}

/// The URL of the list; the console if the form has no valid one.
fn back_url(form: &Form) -> String {
    let back = form.text("back");
    let is_safe = is_safe_redirect(back);
    if is_safe { back } else { super::HOME }.to_owned()
}
