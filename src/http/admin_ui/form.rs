//! Reads submitted forms and checks their token.

use actix_web::{HttpRequest, ResponseError, http::StatusCode, web::Payload};

use super::{
    PageError,
    form_fields::{CATALOG_FIELD, OPTION_PREFIX, OTHER_FIELDS, TOKEN_FIELD},
    rejected_form::{MAX_KEPT_BYTES, RejectedInput},
    signed_in::SignedIn,
};
use crate::{
    http::{
        ApiError, AppState,
        body::{self, FormLimits},
        middleware::csrf::is_cross_site,
    },
    service::MAX_OPTIONS,
};

/// Maximum number of fields: two for each option of an entry, and others.
const MAX_FIELDS: usize = 2 * MAX_OPTIONS + 100;
/// Bytes allowed for the name of a field.
const MAX_FIELD_NAME_BYTES: usize = 32;
/// Maximum growth by form encoding: a line feed becomes `%0D%0A`.
const MAX_ENCODING_FACTOR: usize = 6;

/// The maximum length of the path and the query of a confirmation: many proxies refuse request lines of more than 8 KiB.
const MAX_URL_BYTES: usize = 8_000;

/// The fields of a submitted form.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form. The limit of the options or the catalog in it is that of the admin API, so that every entry can be
    /// edited on its page; other fields do not count. Line ends (CR LF in forms) become line feeds.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] if the token is not that of the session, [`ApiError::TooLarge`], errors of
    /// [`body::read_form_fields`].
    pub(super) async fn read(
        state: &AppState,
        session: &SignedIn,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Self, PageError> {
        let form = Self::read_unverified(state, request, payload, state.limits.form_bytes).await?;
        if session.verify_form_token(form.text(TOKEN_FIELD)) {
            return Ok(form);
        }
        let input = RejectedInput::new(request, form.0);
        let message = match input {
            RejectedInput::None => "the form token is invalid; no changes were made",
            _ => "this form was opened before you signed in again; no changes were made yet",
        };
        Err(PageError::from(ApiError::Forbidden(message)).with_input(input))
    }

    /// Reads the input of a request without a session, at most as much as is kept.
    pub(super) async fn read_rejected(
        state: &AppState,
        request: &HttpRequest,
        payload: Payload,
    ) -> RejectedInput {
        let max_bytes = state.limits.form_bytes.min(MAX_KEPT_BYTES);
        match Self::read_unverified(state, request, payload, max_bytes).await {
            Ok(form) => RejectedInput::new(request, form.0),
            Err(error) if error.status_code() == StatusCode::PAYLOAD_TOO_LARGE => {
                RejectedInput::TooLarge
            }
            Err(_) => RejectedInput::None,
        }
    }

    async fn read_unverified(
        state: &AppState,
        request: &HttpRequest,
        payload: Payload,
        max_bytes: usize,
    ) -> Result<Self, PageError> {
        let name_bytes = MAX_FIELDS * MAX_FIELD_NAME_BYTES;
        let limits = FormLimits {
            max_bytes: max_bytes
                .saturating_mul(MAX_ENCODING_FACTOR)
                .saturating_add(name_bytes),
            max_fields: MAX_FIELDS,
        };
        let mut fields = body::read_form_fields(state, request, payload, limits).await?;
        for (_, text) in &mut fields {
            *text = text.replace("\r\n", "\n");
        }
        let bytes: usize = fields
            .iter()
            .map(|(field, text)| option_bytes(field, text))
            .sum();
        if bytes > max_bytes {
            let message = format!("the form exceeds {max_bytes} bytes (limits.form_bytes)");
            return Err(ApiError::TooLarge(message).into());
        }
        Ok(Self(fields))
    }

    /// Reads the form of a confirmation, submitted in the query. It needs no token, because it changes nothing.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] if another site links to it: no other page may prepare what the operator then confirms.
    /// [`ApiError::InvalidParameter`], also for a URL of more than [`MAX_URL_BYTES`]: whether it works must not depend on
    /// the proxies.
    pub(super) fn from_query(request: &HttpRequest) -> Result<Self, ApiError> {
        if is_cross_site(request) {
            return Err(ApiError::Forbidden(
                "a page of another site links to this confirmation; no changes were made",
            ));
        }
        let url = request.uri().path_and_query();
        let bytes = url.map_or(0, |url| url.as_str().len());
        if bytes > MAX_URL_BYTES {
            return Err(ApiError::InvalidParameter(format!(
                "the URL with the selected rows has {bytes} bytes, the maximum is {MAX_URL_BYTES}; select fewer rows; \
                 no changes were made"
            )));
        }
        body::parse_query_fields(request, MAX_FIELDS).map(Self)
    }

    /// Reads a form without a token: the sign-in form.
    ///
    /// # Errors
    /// Errors of [`body::read_form_fields`].
    pub(super) async fn read_public(
        state: &AppState,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Self, PageError> {
        let limits = FormLimits {
            max_bytes: state.limits.form_bytes,
            max_fields: state.limits.fields,
        };
        Ok(Self(
            body::read_form_fields(state, request, payload, limits).await?,
        ))
    }

    /// All fields in order, each with its value.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.0.iter();
        fields.map(|(field, text)| (field.as_str(), text.as_str()))
    }

    /// All values of a field.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(field, _)| field == name);
        named.map(|(_, text)| text.clone()).collect()
    }

    /// The last value of a field; empty if the field is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        let mut named = self.0.iter().filter(|(field, _)| field == name);
        named.next_back().map_or("", |(_, text)| text.as_str())
    }
}

/// Bytes of a field that count against the limit of the API: name and value of an option, or the catalog.
fn option_bytes(field: &str, text: &str) -> usize {
    match field.strip_prefix(OPTION_PREFIX) {
        Some(option) if !text.is_empty() => option.len() + text.len(),
        None if field == CATALOG_FIELD || OTHER_FIELDS.contains(&field) => text.len(),
        _ => 0,
    }
}
