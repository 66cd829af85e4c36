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
/// characters, no invisible ones, and no white space at its ends.
#[must_use]
pub fn is_user_name(name: &str) -> bool {
    is_visible_name(name) && !name.contains([':', ';'])
}

/// As [`is_user_name`], with colons and semicolons: names that look alike are equal.
#[must_use]
pub fn is_visible_name(name: &str) -> bool {
    let characters = name.chars().count();
    (1..=MAX_USER_NAME_CHARACTERS).contains(&characters)
        && !name.contains(is_invisible)
        && name.trim() == name
}

/// Whether it is a control character, a line separator, or a format character without a width, such as marks of the
/// direction of text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
