//! Lists of user names with a credential each, one per line or with semicolons between them.

use std::collections::BTreeSet;

/// The maximum number of characters of a user name.
pub const MAX_USER_NAME_CHARACTERS: usize = 64;

/// A user name with a credential.
#[derive(Clone, Debug)]
pub struct User<T> {
    /// The name, which is [valid](is_user_name).
    pub name: String,
    /// The hash of a password, with the role for an operator, or an API key.
    pub credential: T,
}

/// Whether `name` is valid: it has 1 to [`MAX_USER_NAME_CHARACTERS`] characters, no colon, semicolon or control
/// characters, and no white space at its ends.
#[must_use]
pub fn is_user_name(name: &str) -> bool {
    let characters = name.chars().count();
    let is_allowed = |c: char| !c.is_control() && !matches!(c, ':' | ';' | '\u{2028}' | '\u{2029}');
    (1..=MAX_USER_NAME_CHARACTERS).contains(&characters)
        && name.chars().all(is_allowed)
        && name.trim() == name
}

/// Parses entries `name:credential` with distinct names.
pub(super) fn parse<T>(text: &str, credential: impl Fn(&str) -> Option<T>) -> Option<Vec<User<T>>> {
    let entries = text.split(['\n', ';']).map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    let mut names = BTreeSet::new();
    let users = entries.map(|entry| {
        let (name, text) = entry.split_once(':')?;
        let is_new = is_user_name(name) && names.insert(name);
        let credential = credential(text)?;
        is_new.then(|| User {
            name: name.to_owned(),
            credential,
        })
    });
    users.collect()
}
