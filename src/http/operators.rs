//! Who may administrate.
//!
//! A browser that has been told the credentials sends them with every request, also where a page of
//! another site makes it send one. So requests that come from other pages are refused, whoever they come
//! from: browsers tell by `Sec-Fetch-Site`, older ones by `Origin`. What changes something also needs a
//! method or a content type that no form has.

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, ORIGIN},
    },
};

use super::{
    ApiError, AppState, admin_api, caller,
    fetch_metadata::{self, SEC_FETCH_MODE, SEC_FETCH_SITE},
};

/// Lets a request pass that shows what is asked for and comes from no page of another site.
///
/// # Errors
/// [`ApiError::Forbidden`], [`ApiError::Unauthorized`]; [`ApiError::TooManyRequests`] where too many requests from
/// the same address showed something else.
pub(super) async fn authorize(api: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    check_site(request)?;
    let address = caller::client_address(request, &api.trusted_proxies);
    let shown = caller::basic_credentials(request);
    Ok(admin_api::admin_service(api)?
        .authorize(&shown, address)
        .await?)
}

/// Lets a request pass that comes from no page of another site.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(super) fn check_site(request: &HttpRequest) -> Result<(), ApiError> {
    if is_same_site(request) {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "the administration takes no requests from pages of other sites",
    ))
}

/// Marks an answer as one for nobody but who asked, to be shown by no page and to run nothing.
pub(super) fn add_security_headers(headers: &mut HeaderMap) {
    let name = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(name, HeaderValue::from_static("same-origin"));
    let nothing = "default-src 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(nothing));
}

fn is_same_site(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    if let Some(site) = header(SEC_FETCH_SITE) {
        // A link from elsewhere that somebody follows shows a page to them, and to nobody else.
        let followed = matches!(*request.method(), Method::GET | Method::HEAD)
            && header(SEC_FETCH_MODE) == Some(b"navigate".as_slice());
        return followed || matches!(site, b"same-origin" | b"none");
    }
    let Some(origin) = request.headers().get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().unwrap_or_default();
    fetch_metadata::is_same_origin(request, origin)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn cross_site_requests_are_detected() {
        for (method, headers, expected) in [
            (Method::PUT, &[][..], true),
            (Method::PUT, &[("origin", "http://here:8080")], true),
            (Method::PUT, &[("origin", "https://here:8080")], true),
            (Method::PUT, &[("origin", "http://HERE:8080")], true),
            (Method::PUT, &[("origin", "http://here")], false),
            (Method::PUT, &[("origin", "http://there:8080")], false),
            (Method::PUT, &[("origin", "null")], false),
            (Method::PUT, &[("origin", "")], false),
            (Method::PUT, &[("sec-fetch-site", "same-origin")], true),
            (Method::GET, &[("sec-fetch-site", "none")], true),
            (Method::GET, &[("sec-fetch-site", "cross-site")], false),
            (Method::PUT, &[("sec-fetch-site", "same-site")], false),
            (
                Method::PUT,
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://here:8080"),
                ],
                false,
            ),
            (
                Method::GET,
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                true,
            ),
            (
                Method::POST,
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                false,
            ),
        ] {
            let mut request = TestRequest::default().method(method.clone());
            request = request.insert_header(("host", "here:8080"));
            for header in headers {
                request = request.insert_header(*header);
            }
            let is = is_same_site(&request.to_http_request());
            assert_eq!(is, expected, "{method} {headers:?}");
        }
    }
}
