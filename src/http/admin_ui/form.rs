//! What a form of a page sends.

use actix_web::{HttpRequest, web::Payload};

use super::{
    PageError,
    form_values::{OPTION_PREFIX, OTHER_FIELDS},
    session_middleware::SignedIn,
};
use crate::{
    http::{
        ApiError, AppState,
        body::{self, FormLimits},
    },
    service::MAX_OPTIONS,
};

/// Fields that a form may have: two for each option of an entry, and those beside.
const MAX_FIELDS: usize = 2 * MAX_OPTIONS + 100;
/// Bytes for what a field is called.
const MAX_FIELD_NAME_BYTES: usize = 32;
/// What percent-encoding makes of a byte at most: of the end of a line, `%0D%0A`.
const MAX_ENCODING_FACTOR: usize = 6;

/// The field of a whole catalogue.
pub(super) const CATALOG_FIELD: &str = "catalogue";
/// The field that shows that a page of ours has sent it.
const TOKEN_FIELD: &str = "form_token";

/// The fields of a form that was on a page of this visit.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form. The options or the catalogue in it may be as long as what the API takes, so that each entry
    /// can be changed on its page; what else is in it does not count. Lines end with a line feed, though browsers
    /// end them as forms do.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] where it does not show the token of the visit; [`ApiError::TooLarge`]; as
    /// [`body::fields`] for what is no form.
    pub(super) async fn read(
        api: &AppState,
        visitor: &SignedIn,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Self, PageError> {
        let (most, names) = (api.limits.form_bytes, MAX_FIELDS * MAX_FIELD_NAME_BYTES);
        let size = FormLimits {
            max_bytes: most
                .saturating_mul(MAX_ENCODING_FACTOR)
                .saturating_add(names),
            max_fields: MAX_FIELDS,
        };
        let mut fields = body::read_form_fields(api, request, payload, size).await?;
        for (_, text) in &mut fields {
            *text = text.replace("\r\n", "\n");
        }
        let said: usize = fields
            .iter()
            .map(|(field, text)| option_bytes(field, text))
            .sum();
        if said > most {
            let message = format!("the form says over {most} bytes (limits.form_bytes)");
            return Err(ApiError::TooLarge(message).into());
        }
        let form = Self(fields);
        if visitor.verify_form_token(form.text(TOKEN_FIELD)) {
            return Ok(form);
        }
        Err(PageError::from(ApiError::Forbidden(
            "the form is none of a page that you opened since you signed in; nothing was changed",
        )))
    }

    /// Reads a form that anybody may send: the one to sign in.
    ///
    /// # Errors
    /// As [`body::fields`].
    pub(super) async fn read_public(
        api: &AppState,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Self, PageError> {
        let size = FormLimits {
            max_bytes: api.limits.form_bytes,
            max_fields: api.limits.fields,
        };
        Ok(Self(
            body::read_form_fields(api, request, payload, size).await?,
        ))
    }

    /// All fields in their order, each with its text.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.0.iter();
        fields.map(|(field, text)| (field.as_str(), text.as_str()))
    }

    /// The field's text; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        let mut named = self.0.iter().filter(|(field, _)| field == name);
        named.next_back().map_or("", |(_, text)| text.as_str())
    }
}

/// Bytes that a field says of what the API takes: of an option its name and its value, or of a catalogue.
fn option_bytes(field: &str, text: &str) -> usize {
    match field.strip_prefix(OPTION_PREFIX) {
        Some(option) if !text.is_empty() => option.len() + text.len(),
        None if field == CATALOG_FIELD || OTHER_FIELDS.contains(&field) => text.len(),
        _ => 0,
    }
}
