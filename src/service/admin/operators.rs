//! The operators of the settings, each with a password and a role.

use std::collections::HashMap;

use ring::error::Unspecified;

use crate::{
    model::Role, password_hash::PasswordHash, service::password_verifier::PasswordVerifier,
    settings,
};

/// The operators of `[operators]`, which all workers share.
pub struct Operators {
    pub(super) passwords: PasswordVerifier,
    roles: HashMap<String, Role>,
}

impl Operators {
    /// # Errors
    /// [`Unspecified`] if the random generator of the operating system fails.
    pub fn new(settings: &settings::Operators) -> Result<Self, Unspecified> {
        let users = settings.users.iter().cloned();
        let passwords = users.map(|user| (user.name, user.credential.password));
        let users = settings.users.iter().cloned();
        let roles = users.map(|user| (user.name, user.credential.role));
        Ok(Self {
            passwords: PasswordVerifier::new(passwords)?,
            roles: roles.collect(),
        })
    }

    /// Whether there are no operators.
    pub(super) fn is_empty(&self) -> bool {
        self.roles.is_empty()
    }

    /// The role of an operator; `None` if there is no such operator.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        self.roles.get(name).copied()
    }

    /// The hash of the password of an operator.
    pub(super) fn password_hash(&self, name: &str) -> Option<&PasswordHash> {
        self.passwords.password_hash(name)
    }
}
