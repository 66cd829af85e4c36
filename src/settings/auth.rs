//! `[auth]`: authentication of clients.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};

use super::values::{self, secret};

/// An optional user name and an optional password.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Contains no colon, which Basic authentication does not allow.
    pub username: Option<String>,
    /// Never printed.
    pub password: Option<SecretString>,
}

/// `[auth]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// User name for configured services without credentials of their own.
    #[serde(deserialize_with = "user_name")]
    pub username: Option<String>,
    /// Password for configured services without credentials of their own.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// If there are any, each request must have one of them.
    #[serde(deserialize_with = "api_keys")]
    pub api_keys: Vec<SecretString>,
}

impl Auth {
    /// The default for configured services without credentials of their own.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            username: self.username.clone(),
            password: self.password.clone(),
        }
    }
}

/// A user name of Basic authentication.
pub(super) fn user_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match values::user_name(from)? {
        Some(name) if name.contains(':') => {
            Err(D::Error::custom("expected a user name without a colon"))
        }
        name => Ok(name),
    }
}

fn api_keys<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SecretString>, D::Error> {
    let expected = "expected keys of 1 to 256 visible ASCII characters, with commas between them";
    values::list(from, expected, |key| {
        let is_valid = key.len() <= 256 && key.bytes().all(|b| b.is_ascii_graphic());
        is_valid.then(|| key.into())
    })
}
