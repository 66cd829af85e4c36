//! What a form of a page sends.

use actix_web::{HttpRequest, web::Payload};

use super::{PageError, gate::Visitor};
use crate::http::{Api, ApiError, body};

/// The field that shows that a page of ours has sent it.
const TOKEN: &str = "form_token";

/// The fields of a form that was on a page of this visit.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] where it does not show the token of the visit; as
    /// [`body::fields`] for what is no form.
    pub(super) async fn read(
        api: &Api,
        visitor: &Visitor,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Self, PageError> {
        let form = Self::read_open(api, request, payload).await?;
        if visitor.gave(form.text(TOKEN)) {
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
    pub(super) async fn read_open(
        api: &Api,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Self, PageError> {
        Ok(Self(body::fields(api, request, payload).await?))
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
