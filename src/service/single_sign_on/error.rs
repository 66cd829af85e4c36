//! Errors of single sign-on.

use thiserror::Error;

use crate::service::ServiceError;

/// The maximum number of characters of an error code that is shown.
const MAX_CODE_CHARACTERS: usize = 64;

/// Why a sign-in failed. The text is for the log; [`SingleSignOnError::message`] is for the user.
#[derive(Debug, Error)]
pub enum SingleSignOnError {
    /// The provider is unreachable, slow or overloaded.
    #[error("identity provider unavailable: {0}")]
    Unavailable(String),
    /// A response of the provider, or its ID token, is not valid.
    #[error("invalid response of the identity provider: {0}")]
    InvalidResponse(String),
    /// The provider does not offer to sign out.
    #[error("the discovery document of the identity provider has no valid end_session_endpoint")]
    NoSignOut,
    /// The callback does not belong to a pending sign-in of the browser.
    #[error("{0}")]
    UnexpectedCallback(&'static str),
    /// The provider returned an error instead of a code. Both texts can be from anyone.
    #[error("error of the identity provider: {error:?}: {description:?}")]
    Rejected {
        /// The error code.
        error: String,
        /// Its description.
        description: String,
    },
    /// The provider has authenticated the user, who has no role here.
    #[error("{0}")]
    NotPermitted(String),
    /// An error that other sign-ins can also have.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl SingleSignOnError {
    /// The text for the user. It contains no detail that only the log should have.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unavailable(_) => {
                "The identity provider is not available. Try again later.".to_owned()
            }
            Self::InvalidResponse(_) => {
                "The response of the identity provider is not valid, so you are not signed in. The log of Switchboard \
                 contains the reason."
                    .to_owned()
            }
            Self::NoSignOut => "The identity provider does not offer to sign out.".to_owned(),
            Self::UnexpectedCallback(_) => {
                "This sign-in was not begun in this browser, was completed before, or has expired. Sign in again."
                    .to_owned()
            }
            Self::Rejected { error, .. } => {
                let is_shown = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                let code = error.chars().take(MAX_CODE_CHARACTERS).filter(is_shown);
                let code: String = code.collect();
                format!("The identity provider has rejected the sign-in: {code}.")
            }
            Self::NotPermitted(text) => text.clone(),
            Self::Service(error) => error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_a_callback_cannot_forge_log_lines() {
        let error = SingleSignOnError::Rejected {
            error: "denied\nINFO operator signed in".to_owned(),
            description: "\u{1b}[31m".to_owned(),
        };
        assert!(!error.to_string().contains(char::is_control), "{error}");
        assert!(!error.message().contains(char::is_control));
    }
}
