//! `[agents]`: authentication and limits of the agents of chats.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{
    error::Contradiction,
    values::{self, integer},
};
use crate::password_hash::PasswordHash;

/// The maximum number of characters of the name of an agent.
pub const MAX_AGENT_NAME_CHARACTERS: usize = 64;
/// The number of characters of an API key.
const KEY_LENGTH: (usize, usize) = (16, 256);

/// The name of an agent with its credential.
#[derive(Clone, Debug)]
pub struct Agent<T> {
    /// The name, which is [valid](is_agent_name).
    pub name: String,
    /// The hash of its password, or its API key.
    pub credential: T,
}

/// `[agents]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// Agents with a password.
    #[serde(deserialize_with = "users")]
    pub users: Vec<Agent<PasswordHash>>,
    /// Programs with an API key.
    #[serde(deserialize_with = "api_keys")]
    pub api_keys: Vec<Agent<SecretString>>,
    /// The maximum number of event streams of agents in this process.
    #[serde(deserialize_with = "integer::<1, 100_000, _, _>")]
    pub max_streams: usize,
}

impl Agents {
    /// Checks that no two agents have the same name or API key.
    pub(super) fn validate(&self) -> Result<(), Contradiction> {
        let users = self.users.iter().map(|agent| &agent.name);
        let users: BTreeSet<&String> = users.collect();
        let is_user = |agent: &Agent<SecretString>| users.contains(&agent.name);
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

/// Whether `name` is valid for an agent: it has 1 to [`MAX_AGENT_NAME_CHARACTERS`] characters, no colon, semicolon or
/// control characters, and no white space at its ends.
#[must_use]
pub fn is_agent_name(name: &str) -> bool {
    let characters = name.chars().count();
    let is_allowed = |c: char| !c.is_control() && !matches!(c, ':' | ';' | '\u{2028}' | '\u{2029}');
    (1..=MAX_AGENT_NAME_CHARACTERS).contains(&characters)
        && name.chars().all(is_allowed)
        && name.trim() == name
}

fn users<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Agent<PasswordHash>>, D::Error> {
    let expected = "expected entries of the form name:hash, one per line or with semicolons between them; the names \
                    are distinct and valid, and `switchboard hash-password` makes the hash of a password, which \
                    begins with $argon2id$";
    values::parsed(from, expected, |text| agents(text, PasswordHash::parse))
}

fn api_keys<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Agent<SecretString>>, D::Error> {
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
    values::parsed(from, expected, |text| agents(text, parse))
}

/// Parses entries `name:credential` with distinct names.
fn agents<T>(text: &str, credential: impl Fn(&str) -> Option<T>) -> Option<Vec<Agent<T>>> {
    let entries = text.split(['\n', ';']).map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    let mut names = BTreeSet::new();
    let agents = entries.map(|entry| {
        let (name, text) = entry.split_once(':')?;
        let is_new = is_agent_name(name) && names.insert(name);
        let credential = credential(text)?;
        is_new.then(|| Agent {
            name: name.to_owned(),
            credential,
        })
    });
    agents.collect()
}
