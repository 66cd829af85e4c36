//! Sends the requests of webhooks.

use std::{
    error::Error,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{
    Client, Method, Request, Response, StatusCode, Url,
    dns::Resolve,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};
use tokio::time::{Instant, timeout_at};
use url::Host;

use super::config::HTTP_NOT_ALLOWED;
use crate::{
    http_client::{
        self, AddressNotAllowed, AddressPolicy, PolicyResolver, SystemAuthorities, SystemResolver,
    },
    settings::{self, VERSION},
    telemetry::metrics::DeliveryResult,
    tls_errors,
};

/// The maximum time from the start of a request to the head of its response.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The maximum time to read the content of a response, so that an endless one does not delay other events.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum size of a response that is read, so that the connection can be reused. The content does not matter.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// The maximum number of characters of an error.
const MAX_ERROR_CHARACTERS: usize = 500;
/// The setting of additional CA certificates.
const CA_FILE_SETTING: &str = "webhooks.ca_file";

/// The headers and the body of a request.
pub(super) struct SignedBody<'a> {
    pub(super) id: &'a str,
    pub(super) timestamp: i64,
    pub(super) signature: &'a str,
    pub(super) body: Vec<u8>,
}

/// Why an event was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeliveryError {
    pub(super) result: DeliveryResult,
    /// The reason, for operators.
    pub(super) text: String,
}

impl DeliveryError {
    fn new(result: DeliveryResult, text: &str) -> Self {
        let text = text.chars().take(MAX_ERROR_CHARACTERS).collect();
        Self { result, text }
    }
}

/// The clients of all webhooks. Requests to one host share no connection at the same time, so a slow webhook delays no
/// other.
pub(super) struct WebhookClient {
    policy: Arc<AddressPolicy>,
    resolver: Arc<dyn Resolve>,
    authorities: Option<String>,
    /// Whether URLs can have the scheme `http`. Stored entries may have such URLs from before the setting was changed.
    allow_http: bool,
    plain: Client,
    /// The client for TLS. Its CA certificates take a MiB, so it is created for the first URL with TLS.
    tls: OnceLock<Client>,
    /// [`REQUEST_TIMEOUT`], except in tests.
    timeout: Duration,
}

impl WebhookClient {
    /// Creates the client.
    ///
    /// # Errors
    /// The configured certificates are invalid.
    pub(super) fn new(settings: &settings::Webhooks) -> Result<Self, String> {
        Self::with_resolver(settings, SystemResolver::default())
    }

    /// As [`new`](Self::new), with this resolver, whose addresses are checked.
    fn with_resolver(
        settings: &settings::Webhooks,
        resolver: impl Resolve + 'static,
    ) -> Result<Self, String> {
        let policy = Arc::new(AddressPolicy::new(settings.allowed_networks.clone()));
        let resolver = Arc::new(PolicyResolver::new(resolver, Arc::clone(&policy)));
        let authorities = settings.ca_certificates.clone();
        let resolver: Arc<dyn Resolve> = resolver;
        let system = SystemAuthorities::Ignored;
        let plain = build_client(&resolver, authorities.as_deref(), system)?;
        Ok(Self {
            policy,
            resolver,
            authorities,
            allow_http: settings.allow_http,
            plain,
            tls: OnceLock::new(),
            timeout: REQUEST_TIMEOUT,
        })
    }

    fn client_for(&self, url: &Url) -> Result<&Client, DeliveryError> {
        if url.scheme() != "https" {
            let denied = || DeliveryError::new(DeliveryResult::AddressNotAllowed, HTTP_NOT_ALLOWED);
            return self.allow_http.then_some(&self.plain).ok_or_else(denied);
        }
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let authorities = self.authorities.as_deref();
        let client = build_client(&self.resolver, authorities, SystemAuthorities::Trusted);
        let failed = |error: String| DeliveryError::new(DeliveryResult::ConnectionError, &error);
        let client = client.map_err(failed)?;
        Ok(self.tls.get_or_init(|| client))
    }

    /// Sends an event to `url`.
    ///
    /// # Errors
    /// [`DeliveryError`] unless the status of the response is from 200 to 299.
    pub(super) async fn send(
        &self,
        url: &Url,
        signed: SignedBody<'_>,
    ) -> Result<(), DeliveryError> {
        // The client resolves names by the resolver that checks addresses, but connects to addresses as they are.
        let literal = literal_address(url);
        let allowed = literal.map_or(Ok(()), |address| self.policy.check(address));
        allowed.map_err(|error| connection_error(&error))?;
        let client = self.client_for(url)?;
        let deadline = Instant::now() + self.timeout;
        let response = timeout_at(deadline, client.execute(build_request(url, signed))).await;
        let response = response.map_err(|_elapsed| {
            let text = format!("timeout after {} s", self.timeout.as_secs());
            DeliveryError::new(DeliveryResult::Timeout, &text)
        })?;
        let response = response.map_err(|error| connection_error(&error.without_url()))?;
        let result = check_status(&response);
        // The status is the result, whatever becomes of the content.
        let deadline = deadline.min(Instant::now() + DRAIN_TIMEOUT);
        drop(timeout_at(deadline, drain(response)).await);
        result
    }
}

fn build_client(
    resolver: &Arc<dyn Resolve>,
    authorities: Option<&str>,
    system: SystemAuthorities,
) -> Result<Client, String> {
    let builder = http_client::builder()
        .user_agent(format!("switchboard/{VERSION}"))
        .dns_resolver(Arc::clone(resolver));
    http_client::build_with_authorities(builder, CA_FILE_SETTING, authorities, system)
}

fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn build_request(url: &Url, signed: SignedBody<'_>) -> Request {
    let mut request = Request::new(Method::POST, url.clone());
    add_headers(request.headers_mut(), &signed);
    *request.body_mut() = Some(signed.body.into());
    request
}

fn add_headers(headers: &mut HeaderMap, signed: &SignedBody<'_>) {
    headers.reserve(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let timestamp = signed.timestamp.to_string();
    for (name, value) in [
        (HEADER_WEBHOOK_ID, signed.id),
        (HEADER_WEBHOOK_TIMESTAMP, &timestamp),
        (HEADER_WEBHOOK_SIGNATURE, signed.signature),
    ] {
        // Ids, numbers and base64 are valid.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

fn check_status(response: &Response) -> Result<(), DeliveryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let code = status.as_u16();
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        let text = format!(
            "response {code}: redirect to {} not followed",
            location(response)
        );
        return Err(DeliveryError::new(DeliveryResult::Redirect, &text));
    }
    let result = if status == StatusCode::GONE {
        DeliveryResult::Gone
    } else {
        DeliveryResult::HttpError
    };
    Err(DeliveryError::new(result, &format!("response {code}")))
}

/// The target of a redirect, without credentials and query.
fn location(response: &Response) -> String {
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| response.url().join(location).ok());
    let Some(mut target) = target else {
        return "an invalid URL".to_owned();
    };
    target.set_query(None);
    target.set_fragment(None);
    if target.set_username("").is_err() || target.set_password(None).is_err() {
        return format!("{}:", target.scheme());
    }
    target.into()
}

/// Reads a response of at most [`MAX_RESPONSE_BYTES`]. The connection is closed if it is longer, or if the caller does not
/// wait for its end.
async fn drain(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes += chunk.len();
        if bytes > MAX_RESPONSE_BYTES {
            break;
        }
    }
}

/// The error of a request without a response.
fn connection_error(error: &(dyn Error + 'static)) -> DeliveryError {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    if let Some(denied) = root.downcast_ref::<AddressNotAllowed>() {
        return DeliveryError::new(DeliveryResult::AddressNotAllowed, &denied.to_string());
    }
    // The texts of the sources before are general, such as "error sending request".
    let text = tls_errors::with_advice(root.to_string());
    DeliveryError::new(DeliveryResult::ConnectionError, &text)
}

#[cfg(test)]
mod tests;
