//! The results of an action on several rows, as the URL of their page contains them. So a reload of the page repeats
//! nothing, and every replica can show it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    PageResult,
    bulk_action::{BulkAction, SelectedRow, back_url, submitted_texts},
    form::Form,
    redirect_see_other,
    signed_in::SignedIn,
};
use crate::{
    http::ApiError,
    model::Timestamp,
    service::{BulkResult, FormData},
};

/// The path of the page with the results.
const PATH: &str = "/genesys/1/admin/ui/selected/result";
/// The maximum size of the rows of a list in the URL: proxies limit the size of response headers, often to 4 KiB.
const MAX_ROW_BYTES: usize = 1_000;

/// The results of an action.
#[derive(Serialize, Deserialize)]
pub(super) struct BulkOutcome {
    /// The name of the action.
    pub(super) action: String,
    pub(super) done: usize,
    pub(super) unchanged: usize,
    pub(super) gone: OutcomeRows,
    pub(super) failed: OutcomeRows,
    /// The new expiry, if the action sets one.
    pub(super) expiry: Option<String>,
    /// The URL of the list.
    pub(super) back: String,
}

/// Rows with the same result.
#[derive(Serialize, Deserialize)]
pub(super) struct OutcomeRows {
    pub(super) count: usize,
    /// The first ones, at least one, each with the error; empty without one.
    pub(super) rows: Vec<(SelectedRow, String)>,
}

impl OutcomeRows {
    fn new(mut rows: Vec<(SelectedRow, String)>) -> Self {
        let count = rows.len();
        let mut bytes = 0;
        let fits = |entry: &(SelectedRow, String)| {
            bytes += serde_json::to_string(entry).map_or(MAX_ROW_BYTES, |json| json.len());
            bytes <= MAX_ROW_BYTES
        };
        let shown = rows.iter().map(fits).take_while(|fits| *fits).count();
        rows.truncate(shown.max(1));
        Self { count, rows }
    }

    /// The number of rows that are not listed.
    pub(super) fn others(&self) -> usize {
        self.count.saturating_sub(self.rows.len())
    }
}

impl BulkOutcome {
    pub(super) fn new<T>(
        action: &BulkAction,
        form: &Form,
        result: BulkResult<T>,
        to_row: impl Fn(&T) -> SelectedRow,
    ) -> Self {
        let texts = submitted_texts(form);
        let describe = |object: &T| to_row(object).with_texts(&texts);
        let gone = result
            .gone
            .iter()
            .map(|object| (describe(object), String::new()));
        let failed = result.failed.into_iter().map(|(object, error)| {
            // The texts of errors of the store are for the log.
            let error = ApiError::from(error).to_string();
            (describe(&object), error)
        });
        Self {
            action: action.name.to_owned(),
            done: result.done.len(),
            unchanged: result.unchanged.len(),
            gone: OutcomeRows::new(gone.collect()),
            failed: OutcomeRows::new(failed.collect()),
            expiry: None,
            back: back_url(form),
        }
    }

    pub(super) fn with_expiry(self, expiry: Timestamp) -> Self {
        let expiry = Some(expiry.to_string());
        Self { expiry, ..self }
    }

    /// The results in a query.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameter`] for results that are not signed by the session.
    pub(super) fn from_query(session: &SignedIn, query: &FormData) -> Result<Self, ApiError> {
        let text = query.text("result").unwrap_or_default();
        let signature = query.text("signature").unwrap_or_default();
        let is_signed = session.verify_signature(text, signature);
        let json = URL_SAFE_NO_PAD.decode(text).ok().filter(|_| is_signed);
        let outcome = json.and_then(|json| serde_json::from_slice(&json).ok());
        outcome.ok_or_else(|| {
            let message = "the result is not one of this session; the audit log has the changes";
            ApiError::InvalidParameter(message.to_owned())
        })
    }

    /// The redirect to the page with the results.
    pub(super) fn redirect(&self, session: &SignedIn) -> PageResult {
        Ok(redirect_see_other(&self.url(session)?))
    }

    /// The URL of the page with the results.
    fn url(&self, session: &SignedIn) -> Result<String, ApiError> {
        let json = serde_json::to_vec(self).map_err(|_error| ApiError::Internal)?;
        let text = URL_SAFE_NO_PAD.encode(json);
        let signature = session.sign(&text);
        Ok(format!("{PATH}?result={text}&signature={signature}"))
    }
}

/// The redirect to the page with the results of an action without an expiry.
pub(super) fn redirect_to_result<T>(
    action: &BulkAction,
    session: &SignedIn,
    form: &Form,
    result: BulkResult<T>,
    to_row: impl Fn(&T) -> SelectedRow,
) -> PageResult {
    BulkOutcome::new(action, form, result, to_row).redirect(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, label_bytes: usize) -> Vec<(SelectedRow, String)> {
        let row = |_| SelectedRow {
            value: "x".repeat(2 * MAX_ROW_BYTES),
            label: "x".repeat(label_bytes),
            details: String::new(),
            url: String::new(),
        };
        (0..count).map(|n| (row(n), String::new())).collect()
    }

    #[test]
    fn the_first_rows_are_listed_and_at_least_one() {
        for (count, label_bytes, listed) in [
            (0, 0, 0),
            (1, 10, 1),
            (100, 200, 4),
            (2, 2 * MAX_ROW_BYTES, 1),
        ] {
            let rows = OutcomeRows::new(rows(count, label_bytes));
            assert_eq!((rows.rows.len(), rows.others()), (listed, count - listed));
        }
    }
}
