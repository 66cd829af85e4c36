//! Parses `tel:`, `sip:` and `sips:` URIs, as switches and session border controllers send them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Users of a SIP URI that mark a withheld caller (RFC 3323, RFC 3325).
const WITHHELD_USERS: [&str; 6] = [
    "anonymous",
    "private",
    "restricted",
    "unavailable",
    "unknown",
    "withheld",
];
/// The host of withheld callers.
const WITHHELD_HOST: &str = "anonymous.invalid";

/// A parsed dialed number or caller.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dialed<'a> {
    /// A possible phone number.
    Number(Cow<'a, str>),
    /// A SIP address without a number.
    Address(String),
    /// A withheld caller.
    Withheld,
}

/// Parses a URI, optionally in angle brackets after a display name. Any other text is a number.
pub(super) fn parse_uri(text: &str) -> Dialed<'_> {
    let bracketed = text.rsplit_once('<').map(|(_name, rest)| rest);
    let bracketed = bracketed.and_then(|rest| rest.split_once('>'));
    let uri = bracketed.map_or(text, |(uri, _parameters)| uri).trim();
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Dialed::Number(uri.into());
    };
    let is = |name: &str| scheme.trim().eq_ignore_ascii_case(name);
    if is("tel") {
        Dialed::Number(telephone(&percent_decode(rest)).into())
    } else if is("sip") || is("sips") {
        sip(rest)
    } else {
        Dialed::Number(uri.into())
    }
}

fn sip(uri: &str) -> Dialed<'_> {
    let uri = uri.split('?').next().unwrap_or_default();
    let Some((user, host)) = uri.split_once('@') else {
        // Some switches leave out the host of a number.
        let number = uri.split(';').next().unwrap_or_default().trim();
        if is_plain_number(number) {
            return Dialed::Number(telephone(number).into());
        }
        return Dialed::Address(format!("sip:@{}", host_of(uri)));
    };
    let is_phone = parameters(host).any(|(name, value)| {
        name.eq_ignore_ascii_case("user") && value.trim().eq_ignore_ascii_case("phone")
    });
    let host = host_of(host);
    let user = user.split(':').next().unwrap_or_default();
    let user = percent_decode(user);
    let name = user.split(';').next().unwrap_or_default().trim();
    if host == WITHHELD_HOST || WITHHELD_USERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Dialed::Withheld;
    }
    let is_number = name.chars().any(char::is_numeric) && !name.chars().any(char::is_alphabetic);
    if is_phone || is_number {
        Dialed::Number(telephone(&user).into())
    } else {
        Dialed::Address(format!("sip:{name}@{host}"))
    }
}

/// Digits, optionally with a plus sign and hyphens: no address of a host.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

/// The host of a SIP URI, without port and parameters. In brackets it is an IPv6 address.
fn host_of(text: &str) -> String {
    let host = text.split(';').next().unwrap_or_default().trim();
    let end = match host.find(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    host[..end].trim_end_matches('.').to_ascii_lowercase()
}

/// A telephone subscriber (RFC 3966) with the relevant parameters, in the order that the library expects. Other
/// parameters describe the call, not the subscriber.
fn telephone(text: &str) -> String {
    let number = text.split(';').next().unwrap_or_default();
    let mut result = format!("tel:{}", number.trim());
    let find = |parameter: &str| {
        let mut all = parameters(text);
        all.find(|(name, _)| name.trim().eq_ignore_ascii_case(parameter))
    };
    if let Some((_, extension)) = find("ext") {
        result.push_str(";ext=");
        result.extend(extension.chars().filter(|c| c.is_numeric()));
    }
    if let Some((_, context)) = find("phone-context") {
        result.push_str(";phone-context=");
        result.push_str(context.trim());
    }
    result
}

fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = text.split(';').skip(1);
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// Percent-decodes text and removes control characters.
fn percent_decode(text: &str) -> String {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    decoded.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> String {
        match parse_uri(text) {
            Dialed::Number(number) => number.into_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_number_is_parsed_from_each_kind_of_uri() {
        for uri in [
            "tel:+16504699999",
            "TEL:%2B16504699999;isub=12;foo=bar",
            "sip:+16504699999@example.org",
            "sips:+16504699999:secret@example.org:5061;user=phone?subject=x",
            "\"Bob <1>\" <sip:+16504699999@[::1]:5060>;tag=7",
            "<tel:+16504699999>",
        ] {
            assert_eq!(number(uri), "tel:+16504699999", "{uri}");
        }
        assert_eq!(
            number("tel:469-9999;phone-context=+1650;ext=1-2"),
            "tel:469-9999;ext=12;phone-context=+1650"
        );
        assert_eq!(number("6504699999"), "6504699999");
        assert_eq!(number("sip:650-469-9999;tag=1"), "tel:650-469-9999");
        assert_eq!(number("sip:+16504699999"), "tel:+16504699999");
    }

    #[test]
    fn a_sip_user_without_a_number_is_an_address() {
        let expected = Dialed::Address("sip:alice@example.org".to_owned());
        for uri in [
            "sip:alice@example.org",
            "SIPS:alice@EXAMPLE.org:5061;transport=tls",
            "Alice <sip:alice@example.org>",
        ] {
            assert_eq!(parse_uri(uri), expected, "{uri}");
        }
        assert_ne!(parse_uri("sip:alice@example.com"), expected);
        let host = |text: &str| Dialed::Address(text.to_owned());
        assert_eq!(parse_uri("sip:10.0.0.1"), host("sip:@10.0.0.1"));
        assert_eq!(parse_uri("sip:example.org"), host("sip:@example.org"));
        assert_ne!(parse_uri("sip:alice7@example.org"), expected);
    }

    #[test]
    fn an_anonymous_caller_is_withheld() {
        for uri in [
            "sip:anonymous@anonymous.invalid",
            "\"Anonymous\" <sip:Anonymous@example.org>;tag=1",
            "sip:c8oqz84zk7z@anonymous.invalid",
            "sip:Restricted@10.0.0.1",
        ] {
            assert_eq!(parse_uri(uri), Dialed::Withheld, "{uri}");
        }
    }
}
