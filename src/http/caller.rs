//! Who asks: what a request shows, and from which address it comes.

use std::net::{IpAddr, SocketAddr};

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{AUTHORIZATION, HeaderValue},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::{ApiError, AppState, path, propagation};
use crate::service::{BasicCredentials, IdempotencyHead, ServiceError};

/// Lets a request pass that shows what is asked for: an API key, where there are any, and what the
/// configured service wants that its id came from. A create asks by itself.
///
/// # Errors
/// [`ApiError::ApiKeyRequired`], [`ApiError::Unauthorized`].
pub(super) async fn authorize(api: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    check_api_key(api, request).await?;
    if !api.services.requires_auth() {
        return Ok(());
    }
    if let Some(name) = path::bare_service_name(request)? {
        let creates = match *request.method() {
            Method::POST => true,
            // The handler refuses HEAD.
            Method::GET | Method::HEAD => api.services.is_configured(&name),
            _ => false,
        };
        if creates {
            return Ok(());
        }
    }
    let id = path::service_id(request)?;
    Ok(api
        .services
        .authorize(
            &id,
            &basic_credentials(request),
            client_address(request, &api.trusted_proxies),
        )
        .await?)
}

/// Compares with all keys whatever is found, so that the time it takes tells nothing of them.
async fn check_api_key(api: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    if api.api_keys.is_empty() {
        return Ok(());
    }
    let key = api_key(request).ok_or(ApiError::ApiKeyRequired(
        "an API key is missing: expected the header x-api-key or apikey",
    ))?;
    let found = api.api_keys.iter().fold(Choice::from(0), |found, known| {
        found | known.expose_secret().as_bytes().ct_eq(key)
    });
    let address = client_address(request, &api.trusted_proxies);
    let wrong = "there is no such API key";
    let admitted = api
        .services
        .authorize_api_key(bool::from(found), address, wrong);
    admitted.await.map_err(|error| match error {
        ServiceError::Unauthorized(reason) => ApiError::ApiKeyRequired(reason),
        other => other.into(),
    })
}

/// The API key of a request: the first header that is not empty.
fn api_key(request: &HttpRequest) -> Option<&[u8]> {
    let headers = request.headers();
    let keys = headers
        .get_all("x-api-key")
        .chain(headers.get_all("apikey"));
    let mut keys = keys.map(|key| key.as_bytes().trim_ascii());
    keys.find(|key| !key.is_empty())
}

/// What the head of a create says about repeats; `None` without an `Idempotency-Key`.
pub(super) fn idempotency_head(request: &HttpRequest) -> Option<IdempotencyHead> {
    let headers = request.headers();
    let keys: Vec<&[u8]> = headers
        .get_all("idempotency-key")
        .map(HeaderValue::as_bytes)
        .collect();
    let raw = |name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
    (!keys.is_empty()).then(|| IdempotencyHead {
        // Several headers are no key: a blank is not allowed in one.
        key: keys.join(b" ".as_slice()),
        method: request.method().to_string(),
        identity: [
            api_key(request).map(<[u8]>::to_vec),
            raw(AUTHORIZATION.as_str()),
            raw(propagation::GMS_USER),
        ],
    })
}

/// The user name and password of a request, by HTTP Basic. What is malformed shows nothing.
pub(super) fn basic_credentials(request: &HttpRequest) -> BasicCredentials {
    let read = || {
        let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, coded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(coded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (username, password) = text.split_once(':')?;
        Some((username.to_owned(), SecretString::from(password)))
    };
    BasicCredentials(read())
}

/// The client's address: who made the connection or, where that is one of the proxies that are
/// trusted, the last one in `X-Forwarded-For` that is none of them. What comes before that may be
/// anybody's invention.
pub(super) fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut address = request.peer_addr()?.ip().to_canonical();
    let told = request.headers().get_all("x-forwarded-for");
    let told: Vec<&str> = told.filter_map(|value| value.to_str().ok()).collect();
    let hops = told.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
        let Some(next) = parse_hop_address(hop.trim()) else {
            break;
        };
        address = next.to_canonical();
    }
    Some(address)
}

/// An address, which some proxies write with its port.
fn parse_hop_address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client_address_of(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let peer: IpAddr = peer.parse().unwrap();
        let mut request = TestRequest::default().peer_addr(SocketAddr::new(peer, 4242));
        for line in forwarded {
            request = request.append_header(("X-Forwarded-For", *line));
        }
        let address = client_address(&request.to_http_request(), &trusted);
        address.unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_set_the_client_address() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            // What the client itself claims comes first and does not count.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9,10.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.7:5050"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::7]:5050"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
        ] {
            let found = client_address_of(peer, forwarded);
            assert_eq!(found, expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn malformed_basic_credentials_are_ignored() {
        for (header, expected) in [
            ("Basic dTpw", Some(("u", "p"))),
            ("basic  dTpw", Some(("u", "p"))),
            ("Basic dTpwOnA=", Some(("u", "p:p"))),
            ("Basic OnA=", Some(("", "p"))),
            ("Basic dXA=", None),
            ("Basic dTpw!", None),
            ("Bearer dTpw", None),
            ("Basic", None),
            ("", None),
        ] {
            let request = TestRequest::default().insert_header(("Authorization", header));
            let shown = basic_credentials(&request.to_http_request()).0;
            let shown = shown.as_ref();
            let shown = shown.map(|(user, password)| (user.as_str(), password.expose_secret()));
            assert_eq!(shown, expected, "{header}");
        }
    }
}
