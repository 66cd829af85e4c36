//! A form that was rejected because its session has ended. The page with the error has its fields, so that the operator
//! can submit them again.

use actix_web::HttpRequest;

use super::form_fields::{BASE_FIELD, CATALOG_FIELD, OPTION_PREFIX, OTHER_FIELDS, TOKEN_FIELD};
use crate::{
    http::middleware::csrf::is_from_own_page,
    service::{REDACTED, is_secret},
};

/// The maximum size of a form that is kept, in bytes.
pub(super) const MAX_KEPT_BYTES: usize = 256 * 1024;
/// The parameter of match explanations that is a secret of the caller.
const ACCESS_CODE: &str = "_access_code";
/// Characters of a value that are shown.
const MAX_SHOWN_CHARS: usize = 200;

/// A rejected form, without its token.
#[derive(Debug)]
pub(super) struct RejectedForm {
    /// The URL that it was submitted to.
    pub(super) action: String,
    pub(super) fields: Vec<(String, String)>,
}

impl RejectedForm {
    /// The form of a request. `None` if it has no input, if it is too large, or if it is not known that a page of the console submitted it:
    /// no other page may prepare a form that the operator then confirms.
    pub(super) fn new(request: &HttpRequest, mut fields: Vec<(String, String)>) -> Option<Self> {
        fields.retain(|(name, _)| name != TOKEN_FIELD);
        let uri = request.uri();
        let action = uri
            .path_and_query()
            .map_or(uri.path(), |path| path.as_str());
        let bytes: usize = fields
            .iter()
            .map(|(name, text)| name.len() + text.len())
            .sum();
        let has_valid_size = (1..=MAX_KEPT_BYTES).contains(&bytes);
        let is_confirmable = has_valid_size && is_from_own_page(request);
        is_confirmable.then(|| Self {
            action: action.to_owned(),
            fields,
        })
    }

    /// The fields that have a value, as they are shown: without secrets, and without long texts.
    pub(super) fn shown_fields(&self) -> Vec<(&str, String)> {
        let [other_name, other_value] = OTHER_FIELDS;
        let (mut shown, mut custom_option) = (Vec::new(), "");
        for (name, text) in &self.fields {
            if name == other_name {
                custom_option = text;
            }
            if name == BASE_FIELD || text.is_empty() {
                continue;
            }
            let option = name.strip_prefix(OPTION_PREFIX);
            let option = option.or((name == other_value).then_some(custom_option));
            let characters = text.chars().count();
            let text = if option.is_some_and(is_secret) || name == ACCESS_CODE {
                REDACTED.to_owned()
            } else if name == CATALOG_FIELD || characters > MAX_SHOWN_CHARS {
                format!("{characters} characters")
            } else {
                text.clone()
            };
            shown.push((option.unwrap_or(name), text));
        }
        shown
    }
}
