//! `[cors]`: cross-origin requests.

use serde::{Deserialize, Deserializer};

use super::values::{self, boolean};

/// `[cors]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins in lower case, as browsers send them. If empty, cross-origin access is disabled.
    #[serde(deserialize_with = "origins")]
    pub allowed_origins: Vec<String>,
    /// Whether cross-site creates of browsers are rejected.
    #[serde(deserialize_with = "boolean")]
    pub block_cross_site_creates: bool,
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let expected = "expected origins as browsers send them, such as https://shop.example or \
                    http://localhost:3000, with commas between them";
    values::list(from, expected, |origin| {
        is_origin(origin).then(|| origin.to_ascii_lowercase())
    })
}

/// Whether `text` has the form of an origin: a scheme, a host and optionally a port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let is_host_char = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    let is_scheme_char = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !scheme.is_empty()
        && scheme.bytes().all(is_scheme_char)
        && !rest.is_empty()
        && rest.bytes().all(is_host_char)
}
