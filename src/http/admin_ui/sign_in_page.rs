//! The sign-in page.

use actix_web::ResponseError;
use askama::Template;

use super::{
    Layout, PageResult, copy_error_headers, percent_encode, redirect_targets::SIGN_IN_PATH, render,
};
use crate::{
    http::ApiError,
    service::{Admin, SingleSignOn},
};

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    layout: Layout,
    to: String,
    name: String,
    problem: String,
    /// Whether any user has a password.
    has_passwords: bool,
    /// Whether the user can sign out at the identity provider too.
    has_provider_sign_out: bool,
    /// `None` if single sign-on is disabled.
    button: Option<SignInButton>,
}

/// The button for single sign-on: a link, because forms can only be submitted to this site.
struct SignInButton {
    url: String,
    text: String,
}

impl SignInPage {
    /// The page, which leads to the page `to`.
    pub(super) fn new(admin: &Admin, to: &str) -> Self {
        Self {
            layout: Layout::signed_out("Sign in"),
            to: to.to_owned(),
            name: String::new(),
            problem: String::new(),
            has_passwords: admin.has_passwords(),
            has_provider_sign_out: false,
            button: admin
                .single_sign_on()
                .map(|single_sign_on| SignInButton::new(single_sign_on, to)),
        }
    }

    /// The page after a sign-out, with a link to sign out at the identity provider too.
    pub(super) fn with_provider_sign_out(self) -> Self {
        Self {
            has_provider_sign_out: true,
            ..self
        }
    }

    /// The page after a failed sign-in of the user `name`.
    pub(super) fn with_problem(self, problem: String, name: String) -> Self {
        Self {
            name,
            problem,
            ..self
        }
    }

    /// The response with the status and the headers of an error.
    pub(super) fn error_response(&self, error: &ApiError) -> PageResult {
        let mut response = render(error.status_code(), self)?;
        copy_error_headers(&mut response, &error.error_response());
        Ok(response)
    }
}

impl SignInButton {
    /// The button that leads to the page `to`. Its URL has the host of the callback, so that the browser sends the cookie
    /// of the pending sign-in to the callback.
    fn new(single_sign_on: &SingleSignOn, to: &str) -> Self {
        let base = single_sign_on.public_url();
        let query = match to {
            "" => String::new(),
            to => format!("?to={}", percent_encode(to)),
        };
        Self {
            url: format!("{base}{SIGN_IN_PATH}/single-sign-on{query}"),
            text: single_sign_on.button().to_owned(),
        }
    }
}
