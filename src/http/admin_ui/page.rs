//! Responses of pages: rendered templates and errors.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER},
    },
};
use askama::Template;

use super::{
    Layout,
    rejected_form::{RejectedForm, RejectedInput},
};
use crate::http::{ApiError, response};

/// The result of a page handler.
pub(super) type PageResult = Result<HttpResponse, PageError>;

/// An error that is rendered as a page.
#[derive(Debug)]
pub(in crate::http) struct PageError {
    error: ApiError,
    /// The input of the form that was rejected.
    input: Box<RejectedInput>,
    /// The URL of the sign-in page, if the session has ended.
    sign_in_url: Option<String>,
}

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            input: Box::default(),
            sign_in_url: None,
        }
    }
}

impl PageError {
    /// Adds the input of a form, which can be submitted again if it was kept.
    pub(super) fn with_input(self, input: RejectedInput) -> Self {
        Self {
            input: Box::new(input),
            ..self
        }
    }

    /// Adds a link to the sign-in page.
    pub(super) fn with_sign_in(self, url: String) -> Self {
        Self {
            sign_in_url: Some(url),
            ..self
        }
    }

    /// The exception name, for telemetry.
    pub(in crate::http) fn exception(&self) -> &'static str {
        self.error.exception()
    }

    pub(super) fn title(&self) -> &'static str {
        self.status_code().canonical_reason().unwrap_or("Error")
    }

    /// The page with the error. `back` is the URL of the previous page.
    pub(super) fn page(&self, layout: Layout, back: Option<String>) -> ErrorPage<'_> {
        let (rejected_form, is_input_lost) = match &*self.input {
            RejectedInput::None => (None, false),
            RejectedInput::TooLarge => (None, true),
            RejectedInput::Kept(form) => (Some(form), false),
        };
        ErrorPage {
            layout,
            status: self.status_code(),
            message: self.error.to_string(),
            rejected_form,
            is_input_lost,
            sign_in_url: self.sign_in_url.as_deref(),
            back,
        }
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage<'a> {
    layout: Layout,
    status: StatusCode,
    message: String,
    rejected_form: Option<&'a RejectedForm>,
    /// Whether the input is too large to be kept.
    is_input_lost: bool,
    sign_in_url: Option<&'a str>,
    back: Option<String>,
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let status = self.status_code();
        let page = self.page(Layout::signed_out(self.title()), None);
        let error = self.error.error_response();
        let Ok(mut response) = render(status, &page) else {
            return error;
        };
        copy_error_headers(&mut response, &error);
        response
    }
}

/// Copies the headers of an API error to its page.
pub(super) fn copy_error_headers(page: &mut HttpResponse, error: &HttpResponse) {
    for name in [ALLOW, CONTENT_RANGE, RETRY_AFTER] {
        if let Some(value) = error.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
}

/// Renders a page.
pub(super) fn render(status: StatusCode, page: &impl Template) -> PageResult {
    let text = page.render().map_err(|error| {
        // Rendering into memory fails only because of a bug.
        tracing::error!(%error, "page rendering failed");
        ApiError::Internal
    })?;
    Ok(response::with_default_headers(status)
        .insert_header((CONTENT_TYPE, "text/html;charset=utf-8"))
        .body(text))
}

/// Renders a page with status 200.
pub(super) fn ok_page(page: &impl Template) -> PageResult {
    render(StatusCode::OK, page)
}
