//! A form that was rejected because its session has ended. The page with the error has its fields, so that the operator
//! can submit them again.

use actix_web::HttpRequest;

use super::form_fields::{
    BASE_FIELD, CATALOG_FIELD, OPTION_PREFIX, OTHER_FIELDS, PRESET_FIELD, REVISION_FIELD,
    TOKEN_FIELD,
};
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

/// The input of a rejected form.
#[derive(Debug, Default)]
pub(super) enum RejectedInput {
    /// There is none, or it is not known that a page of the console submitted it: no other page may prepare a form that the
    /// operator then confirms.
    #[default]
    None,
    /// It is too large to be kept.
    TooLarge,
    Kept(RejectedForm),
}

/// A rejected form, without its token.
#[derive(Debug)]
pub(super) struct RejectedForm {
    /// The URL that it was submitted to.
    pub(super) action: String,
    pub(super) fields: Vec<(String, String)>,
}

impl RejectedInput {
    /// The input of the form of a request.
    pub(super) fn new(request: &HttpRequest, mut fields: Vec<(String, String)>) -> Self {
        fields.retain(|(name, _)| name != TOKEN_FIELD);
        let uri = request.uri();
        let action = uri
            .path_and_query()
            .map_or(uri.path(), |path| path.as_str());
        let bytes: usize = fields
            .iter()
            .map(|(name, text)| name.len() + text.len())
            .sum();
        match bytes {
            _ if !is_from_own_page(request) => Self::None,
            0 => Self::None,
            1..=MAX_KEPT_BYTES => Self::Kept(RejectedForm {
                action: action.to_owned(),
                fields,
            }),
            _ => Self::TooLarge,
        }
    }
}

impl RejectedForm {
    /// The fields that have a value, as they are shown: without those that the form does not show, without secrets, and
    /// without long texts.
    pub(super) fn shown_fields(&self) -> Vec<(&str, String)> {
        let [other_name, other_value] = OTHER_FIELDS;
        let (mut shown, mut custom_option) = (Vec::new(), "");
        for (name, text) in &self.fields {
            if name == other_name {
                custom_option = text;
            }
            let is_hidden = [BASE_FIELD, REVISION_FIELD, PRESET_FIELD].contains(&name.as_str());
            if is_hidden || text.is_empty() {
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
