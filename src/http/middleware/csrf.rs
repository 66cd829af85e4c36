//! Protection of the admin API, the API for agents and the console against cross-site request forgery.
//!
//! Browsers send stored credentials with every request, including those that a page of another site causes. Such
//! requests are rejected, whatever their credentials: browsers mark them by `Sec-Fetch-Site`, older ones by `Origin`.
//! Changes also require a method or a content type that no HTML form can send.

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{HeaderValue, ORIGIN},
    },
};

use crate::http::{
    ApiError,
    fetch_metadata::{self, SEC_FETCH_MODE, SEC_FETCH_SITE},
};

/// Rejects a cross-site request.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(in crate::http) fn check_site(request: &HttpRequest) -> Result<(), ApiError> {
    if is_same_site(request) {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "cross-site requests are not allowed here",
    ))
}

/// Whether the request states that a page of this origin caused it.
pub(in crate::http) fn is_from_own_page(request: &HttpRequest) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.is_some_and(|origin| fetch_metadata::is_same_origin(request, origin))
}

/// Whether the request states that a page of another origin caused it.
pub(in crate::http) fn is_cross_site(request: &HttpRequest) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE);
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_same_site(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    if let Some(site) = header(SEC_FETCH_SITE) {
        // A followed link shows the page to the user only.
        let is_navigation = matches!(*request.method(), Method::GET | Method::HEAD)
            && header(SEC_FETCH_MODE) == Some(b"navigate".as_slice());
        return is_navigation || matches!(site, b"same-origin" | b"none");
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
            let is_same_site = is_same_site(&request.to_http_request());
            assert_eq!(is_same_site, expected, "{method} {headers:?}");
        }
    }
}
