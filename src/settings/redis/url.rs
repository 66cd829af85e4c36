//! URLs of Redis servers. Unsupported parts of a URL are rejected with a message that names the alternative.
//!
//! The Redis client ignores unknown parameters, and parses `redis://user:12?3@host` as a server `user`
//! with port 12. Therefore a URL is validated here before the client parses it. No message contains
//! any part of a URL, because it may be a part of a password.

use std::str::Utf8Error;

use percent_encoding::percent_decode_str;
use url::{
    Position::{AfterPort, BeforeHost, BeforeUsername},
    Url,
};

/// An error in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlError {
    /// Not a URL of a Redis server.
    Malformed,
    /// One part is invalid, with the expected form.
    InvalidPart(&'static str),
}

const NOT_ENCODED: UrlError = UrlError::InvalidPart(
    "expected user and password with the characters / ? # @ % , [ ] and spaces percent-encoded (%2F %3F \
     %23 %40 %25 %2C %5B %5D %20), or a URL without them and redis.username and redis.password, which are \
     not encoded",
);
const NO_PASSWORD: UrlError = UrlError::InvalidPart(
    "expected a user and a password before the @, user:password@, or :password@ for the default user",
);
const ADDRESS: UrlError = UrlError::InvalidPart(
    "expected a host name or an address, IPv6 in brackets, and optionally a port from 1 to 65535; in user \
     and password, percent-encode the characters / ? # @ % and , or use redis.username and redis.password",
);
const WILDCARD: UrlError =
    UrlError::InvalidPart("expected an address that accepts connections: 0.0.0.0 and [::] do not");
const DATABASE: UrlError = UrlError::InvalidPart(
    "expected only the number of a database, 0 or more, after host and port, as in \
     redis://host:6379/3",
);
const SOCKET: UrlError = UrlError::InvalidPart(
    "expected the absolute path of a socket, as in unix:/run/redis.sock or redis+unix:///run/redis.sock",
);
const INSECURE: UrlError = UrlError::InvalidPart(
    "expected no #insecure, which disables the check of the certificate; set redis.tls_ca_file to the \
     trusted certificate authority",
);
const FRAGMENT: UrlError =
    UrlError::InvalidPart("expected no #; write it as %23 in user and password");
const PARAMETER: UrlError = UrlError::InvalidPart(
    "expected no parameter after the ? except protocol=resp2 or protocol=resp3, once; write a ? in user and \
     password as %3F",
);
const SOCKET_PARAMETER: UrlError = UrlError::InvalidPart(
    "expected no parameter after the ? except db, user, pass and protocol (resp2, resp3), each once, with \
     the characters & # + % in user and pass percent-encoded (%26 %23 %2B %25)",
);
const MIXED_SERVERS: UrlError = UrlError::InvalidPart(
    "expected servers that differ in host and port only, and host:port after the first comma: scheme, user, \
     password, database and parameters are those of the first",
);

/// Parameters of other Redis clients, and the alternative.
const UNSUPPORTED_PARAMETERS: [(&[&str], UrlError); 4] = [
    (
        &["db", "database"],
        UrlError::InvalidPart(
            "expected the database as the path, as in redis://host:6379/3, and not as a parameter",
        ),
    ),
    (
        &[
            "timeout",
            "socket_timeout",
            "socket_connect_timeout",
            "connecttimeout",
            "connect_timeout",
            "read_timeout",
            "write_timeout",
            "dial_timeout",
        ],
        UrlError::InvalidPart(
            "expected no timeouts as parameters: use redis.connect_timeout_ms and redis.response_timeout_ms",
        ),
    ),
    (
        &[
            "ssl",
            "tls",
            "ssl_cert_reqs",
            "ssl_ca_certs",
            "ssl_certfile",
            "ssl_keyfile",
            "ssl_check_hostname",
            "skip_verify",
            "insecure",
        ],
        UrlError::InvalidPart(
            "expected no TLS options as parameters: use rediss://, redis.tls_ca_file, redis.tls_cert_file and redis.tls_key_file",
        ),
    ),
    (
        &["user", "username", "pass", "password", "auth"],
        UrlError::InvalidPart(
            "expected user and password before the @ of the URL, or in redis.username and redis.password, and not as parameters",
        ),
    ),
];

/// Checks one URL.
///
/// # Errors
/// The first invalid part.
pub(super) fn validate(text: &str) -> Result<(), UrlError> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(NOT_ENCODED);
    }
    let (scheme, _) = text.split_once(':').ok_or(UrlError::Malformed)?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "rediss" => check_server(&parse_server(text)?, text),
        "unix" | "redis+unix" => check_socket(&Url::parse(text).map_err(|_error| SOCKET)?),
        _ => Err(UrlError::Malformed),
    }
}

/// Completes the URLs of a list: `host:port` gets the other parts of the first URL.
///
/// # Errors
/// If a URL differs from the first in more than its address.
pub(super) fn parse_list(list: &str) -> Result<Vec<String>, UrlError> {
    let mut urls = list.split(',').map(str::trim).filter(|url| !url.is_empty());
    let first = urls.next().ok_or(UrlError::Malformed)?;
    let reference = parse_server(first)?;
    let others = urls.map(|text| {
        let is_url = text.contains("://");
        let url = if is_url {
            parse_server(text)?
        } else {
            parse_server(&format!("{}://{text}", reference.scheme()))?
        };
        let (credentials, suffix) = (&url[BeforeUsername..BeforeHost], &url[AfterPort..]);
        let is_alike = if is_url {
            url.scheme() == reference.scheme()
                && (credentials.is_empty() || *credentials == reference[BeforeUsername..BeforeHost])
                && (matches!(suffix, "" | "/") || *suffix == reference[AfterPort..])
        } else {
            credentials.is_empty() && suffix.is_empty()
        };
        let address = &url[BeforeHost..AfterPort];
        let complete = [&reference[..BeforeHost], address, &reference[AfterPort..]].concat();
        is_alike.then_some(complete).ok_or(MIXED_SERVERS)
    });
    std::iter::once(Ok(first.to_owned()))
        .chain(others)
        .collect()
}

/// Parses the URL of a server, and rejects what the parser accepts: a second `@`, and an empty port.
fn parse_server(text: &str) -> Result<Url, UrlError> {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, suffix) = rest.split_at(end);
    if suffix.contains('@') || authority.matches('@').count() > 1 {
        return Err(NOT_ENCODED);
    }
    match Url::parse(text) {
        Ok(url) if !authority.ends_with(':') => Ok(url),
        // A comma: a list of servers in mode `single`.
        Err(_) if authority.is_empty() || authority.contains(',') => Err(UrlError::Malformed),
        _ => Err(ADDRESS),
    }
}

fn check_server(url: &Url, text: &str) -> Result<(), UrlError> {
    let password = url.password().unwrap_or_default();
    if !is_encoded(url.username()) || !is_encoded(password) {
        return Err(NOT_ENCODED);
    }
    if text.contains('@') && password.is_empty() {
        return Err(NO_PASSWORD);
    }
    check_address(url)?;
    check_fragment(url)?;
    let path = url.path().strip_prefix('/').unwrap_or_default();
    if !path.is_empty() && !is_database(path.strip_suffix('/').unwrap_or(path)) {
        return Err(DATABASE);
    }
    let query = url.query().unwrap_or_default();
    let (name, value) = query.split_once('=').unwrap_or((query, ""));
    let unsupported = UNSUPPORTED_PARAMETERS
        .iter()
        .find(|(names, _)| names.contains(&name.to_ascii_lowercase().as_str()));
    match unsupported {
        Some((_, error)) => Err(*error),
        None if query.is_empty() || (name == "protocol" && is_protocol(value)) => Ok(()),
        None => Err(PARAMETER),
    }
}

fn check_address(url: &Url) -> Result<(), UrlError> {
    let is_host_char = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    match url.host_str() {
        None => Err(UrlError::Malformed),
        Some(host) if host.contains(',') => Err(UrlError::Malformed),
        Some("0.0.0.0" | "[::]") => Err(WILDCARD),
        Some(host) if !host.starts_with('[') && !host.bytes().all(is_host_char) => Err(ADDRESS),
        Some(_) if url.port() == Some(0) => Err(ADDRESS),
        Some(_) => Ok(()),
    }
}

fn check_socket(url: &Url) -> Result<(), UrlError> {
    check_fragment(url)?;
    let path = url.path();
    let is_absolute = path.len() > 1 && path.starts_with('/') && !path.starts_with("//");
    if url.has_host() || !is_absolute || !is_encoded(path) {
        return Err(SOCKET);
    }
    let parameters = url.query().unwrap_or_default().split('&');
    let mut names: Vec<&str> = Vec::new();
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_valid = match name {
            "db" => is_database(value),
            "user" | "pass" => !value.is_empty() && !value.contains('+') && is_encoded(value),
            "protocol" => is_protocol(value),
            _ => false,
        };
        if !is_valid || names.contains(&name) {
            return Err(SOCKET_PARAMETER);
        }
        names.push(name);
    }
    if names.contains(&"user") && !names.contains(&"pass") {
        return Err(UrlError::InvalidPart(
            "expected a parameter pass in addition to user",
        ));
    }
    Ok(())
}

fn check_fragment(url: &Url) -> Result<(), UrlError> {
    match url.fragment() {
        None => Ok(()),
        Some("insecure") => Err(INSECURE),
        Some(_) => Err(FRAGMENT),
    }
}

/// Whether every `%` in `text` begins an encoded byte, and the decoded bytes are UTF-8.
fn is_encoded(text: &str) -> bool {
    let mut after_percent = text.split('%').skip(1);
    let is_hex = |text: &str| {
        let digits = text.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.count() == 2
    };
    let decoded: Result<_, Utf8Error> = percent_decode_str(text).decode_utf8();
    after_percent.all(is_hex) && decoded.is_ok()
}

/// Whether `text` is a database number. Whether the server has that database is checked at connect.
fn is_database(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_protocol(text: &str) -> bool {
    matches!(text, "2" | "resp2" | "3" | "resp3")
}

/// Whether `text` is a list of several servers.
pub(super) fn is_list(text: &str) -> bool {
    let urls = parse_list(text).unwrap_or_default();
    urls.len() > 1 && urls.iter().all(|url| validate(url).is_ok())
}
