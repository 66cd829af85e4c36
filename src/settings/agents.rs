//! `[agents]`: authentication and limits of the agents of chats.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{
    error::Contradiction,
    users::{self, User},
    values::{self, integer},
};
use crate::password_hash::PasswordHash;

/// The number of characters of an API key.
const KEY_LENGTH: (usize, usize) = (16, 256);

/// `[agents]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// Agents with a password.
    #[serde(deserialize_with = "passwords")]
    pub users: Vec<User<PasswordHash>>,
    /// Programs with an API key.
    #[serde(deserialize_with = "api_keys")]
    pub api_keys: Vec<User<SecretString>>,
    /// The maximum number of event streams of agents in this process.
    #[serde(deserialize_with = "integer::<1, 100_000, _, _>")]
    pub max_streams: usize,
}

impl Agents {
    /// Checks that no two agents have the same name or API key.
    pub(super) fn validate(&self) -> Result<(), Contradiction> {
        let users = self.users.iter().map(|agent| &agent.name);
        let users: BTreeSet<&String> = users.collect();
        let is_user = |agent: &User<SecretString>| users.contains(&agent.name);
        if self.api_keys.iter().any(is_user) {
            return Err((
                "agents.api_keys",
                "expected names that are not in `agents.users`",
            ));
        }
        let keys = self.api_keys.iter();
        let keys = keys.map(|agent| agent.credential.expose_secret());
        if keys.collect::<BTreeSet<&str>>().len() < self.api_keys.len() {
            return Err(("agents.api_keys", "expected a different key for each name"));
        }
        Ok(())
    }

    /// Whether there are agents.
    #[must_use]
    pub fn are_configured(&self) -> bool {
        !self.users.is_empty() || !self.api_keys.is_empty()
    }
}

fn passwords<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<User<PasswordHash>>, D::Error> {
    let expected = "expected entries of the form name:hash, one per line or with semicolons between them; the names \
                    are distinct and valid, and `switchboard hash-password` makes the hash of a password, which \
                    begins with $argon2id$";
    values::parsed(from, expected, |text| {
        users::parse(text, PasswordHash::parse)
    })
}

fn api_keys<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<User<SecretString>>, D::Error> {
    let (min, max) = KEY_LENGTH;
    let expected = format_args!(
        "expected entries of the form name:key, one per line or with semicolons between them; the names are \
         distinct and valid, and a key has {min} to {max} visible ASCII characters"
    )
    .to_string();
    let parse = |key: &str| {
        let is_key =
            (min..=max).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| key.into())
    };
    values::parsed(from, expected, |text| users::parse(text, parse))
}
