//! The HTTP client for the identity provider.

use std::{future::Future, pin::Pin, sync::OnceLock, time::Duration};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Client, Request};
use thiserror::Error;
use tokio::time::timeout;

use super::SingleSignOnError;
use crate::{
    http_client::{self, BodyError, SystemAuthorities, read_response_body},
    settings::{self, VERSION},
    tls_errors,
};

/// The maximum time from the start of a request to the end of its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum size of a response. Keys and ID tokens have some KiB.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
/// The setting of additional CA certificates.
const CA_FILE_SETTING: &str = "single_sign_on.ca_file";

/// Why there is no usable response.
#[derive(Debug, Error)]
pub(super) enum HttpError {
    #[error("{0}")]
    Request(String),
    #[error("no response within {} s", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    #[error("response {0}")]
    Status(u16),
    #[error("the response has over {MAX_RESPONSE_BYTES} bytes")]
    TooLarge,
    #[error("the connection was closed")]
    Closed,
    #[error("a URL of the discovery document is not https")]
    NotEncrypted,
}

impl From<HttpError> for SingleSignOnError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NotEncrypted | HttpError::TooLarge => {
                Self::InvalidResponse(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// The client. It follows no redirects and sends each request once.
pub(super) struct ProviderHttp {
    /// Created at the first sign-in, because the CA certificates of the system take a MiB.
    client: OnceLock<Client>,
    /// Whether all URLs must be https: unless the issuer is a loopback address with http.
    is_encrypted: bool,
    authorities: Option<String>,
}

impl ProviderHttp {
    pub(super) fn new(settings: &settings::SingleSignOn) -> Self {
        Self {
            client: OnceLock::new(),
            is_encrypted: settings.issuer.starts_with("https:"),
            authorities: settings.ca_certificates.clone(),
        }
    }

    /// Checks the scheme of a URL of the provider.
    ///
    /// # Errors
    /// [`HttpError::NotEncrypted`].
    pub(super) fn check_scheme(&self, scheme: &str) -> Result<(), HttpError> {
        let is_allowed = scheme == "https" || (scheme == "http" && !self.is_encrypted);
        is_allowed.then_some(()).ok_or(HttpError::NotEncrypted)
    }

    fn client(&self) -> Result<&Client, HttpError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let system = if self.is_encrypted {
            SystemAuthorities::Trusted
        } else {
            SystemAuthorities::Ignored
        };
        let client = http_client::build_with_authorities(
            http_client::builder().user_agent(format!("switchboard/{VERSION}")),
            CA_FILE_SETTING,
            self.authorities.as_deref(),
            system,
        );
        let client = client.map_err(HttpError::Request)?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.check_scheme(request.uri().scheme_str().unwrap_or_default())?;
        let request = Request::try_from(request).map_err(|error| request_error(&error))?;
        let response = self.client()?.execute(request).await;
        let mut response = response.map_err(|error| request_error(&error.without_url()))?;
        let status = response.status();
        if status.is_server_error() {
            return Err(HttpError::Status(status.as_u16()));
        }
        let body = read_response_body(&mut response, MAX_RESPONSE_BYTES).await;
        let body = body.map_err(|error| match error {
            BodyError::TooLarge => HttpError::TooLarge,
            BodyError::Connection => HttpError::Closed,
        })?;
        let mut result = HttpResponse::new(body.to_vec());
        *result.status_mut() = status;
        *result.headers_mut() = response.headers().clone();
        Ok(result)
    }
}

fn request_error(error: &reqwest::Error) -> HttpError {
    HttpError::Request(tls_errors::with_advice(tls_errors::error_chain(error)))
}

impl<'c> AsyncHttpClient<'c> for ProviderHttp {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = timeout(REQUEST_TIMEOUT, self.send(request)).await;
            response.unwrap_or(Err(HttpError::TimedOut))
        })
    }
}
