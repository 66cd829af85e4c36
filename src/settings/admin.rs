//! `[admin]`: authentication of operators, audit log.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::{
    auth::{Credentials, user_name},
    values::{integer, seconds, secret},
};

/// The value of `admin.username` that allows any user name.
const ANY_USER: &str = "*";

/// `[admin]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The user name of operators; `None` allows any.
    #[serde(deserialize_with = "operator_name")]
    pub username: Option<String>,
    /// Without a password the admin API is disabled.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// The approximate maximum number of events in the audit log.
    #[serde(deserialize_with = "integer::<100, 1_000_000, _, _>")]
    pub audit_log_entries: usize,
    /// An admin session without requests expires after this time.
    #[serde(rename = "session_idle_seconds")]
    #[serde(deserialize_with = "seconds::<60, 86_400, _>")]
    pub session_idle_timeout: Duration,
    /// The maximum duration of an admin session.
    #[serde(rename = "session_max_seconds")]
    #[serde(deserialize_with = "seconds::<300, 604_800, _>")]
    pub session_max_age: Duration,
}

impl Admin {
    /// The credentials of operators.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            username: self.username.clone(),
            password: self.password.clone(),
        }
    }
}

/// An empty environment variable is an unset one, so "any" needs a value of its own.
fn operator_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(user_name(from)?.filter(|name| name != ANY_USER))
}
