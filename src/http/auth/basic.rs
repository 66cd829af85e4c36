//! HTTP Basic authentication (RFC 7617).

use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;

use crate::service::BasicCredentials;

/// The user name and password of a request. A malformed header counts as absent.
pub(in crate::http) fn basic_credentials(request: &HttpRequest) -> BasicCredentials {
    let parse = || {
        let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (username, password) = text.split_once(':')?;
        Some((username.to_owned(), SecretString::from(password)))
    };
    BasicCredentials(parse())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use secrecy::ExposeSecret;

    use super::*;

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
            let credentials = basic_credentials(&request.to_http_request()).0;
            let credentials = credentials.as_ref();
            let credentials =
                credentials.map(|(user, password)| (user.as_str(), password.expose_secret()));
            assert_eq!(credentials, expected, "{header}");
        }
    }
}
