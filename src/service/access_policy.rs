//! The credentials that configured services require, and who has access to what.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::definition::DefinitionError;
use crate::{model::STORAGE_AREA, settings::Credentials};

/// The user name and password of a request, if any.
#[derive(Debug, Clone, Default)]
pub struct BasicCredentials(pub Option<(String, SecretString)>);

/// The credentials that a configured service requires.
#[derive(Debug, Clone)]
pub(super) struct RequiredCredentials {
    username: Option<String>,
    password: SecretString,
}

impl RequiredCredentials {
    /// Merges the options of a service with the defaults of the server.
    pub(super) fn resolve(
        own: &Credentials,
        server: &Credentials,
    ) -> Result<Option<Self>, &'static str> {
        let username = own.username.as_ref().or(server.username.as_ref());
        let username = username.cloned();
        let password = own.password.as_ref().or(server.password.as_ref());
        match password {
            Some(password) => Ok(Some(Self {
                username,
                password: password.clone(),
            })),
            None if own.username.is_none() && username.is_some() => Err(
                "the setting auth.username is set but auth.password is not: without a password the service \
                 would be unprotected",
            ),
            None if username.is_some() => Err(
                "has a user name but no password, and the setting auth.password is not set: the service \
                 would be unprotected",
            ),
            None => Ok(None),
        }
    }

    /// Whether the credentials match. The comparison takes constant time for a given length.
    pub(super) fn matches(&self, credentials: &BasicCredentials) -> bool {
        let Some((username, password)) = &credentials.0 else {
            return false;
        };
        let expected = self.username.as_ref();
        let name = expected.map_or(Choice::from(1), |expected| {
            expected.as_bytes().ct_eq(username.as_bytes())
        });
        let expected = self.password.expose_secret().as_bytes();
        bool::from(name & expected.ct_eq(password.expose_secret().as_bytes()))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.username == other.username
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

/// The required credentials of a catalog.
#[derive(Debug, Clone, Default)]
pub(super) struct AccessPolicy {
    /// The distinct required credentials.
    distinct: Vec<RequiredCredentials>,
    /// The required credentials by service.
    restricted: BTreeMap<String, RequiredCredentials>,
    /// Services that require none.
    unrestricted: BTreeSet<String>,
    /// Services whose requirement is unknown.
    denied: BTreeSet<String>,
    /// The requirements of the services that are configured now; `None` for none. They decide on storage areas.
    current: Vec<Option<RequiredCredentials>>,
    /// The required credentials of storage areas and of services that are not configured.
    default: Option<RequiredCredentials>,
}

impl AccessPolicy {
    /// A policy without services. The credentials of `server` are the default.
    pub(super) fn new(server: &Credentials) -> Self {
        let mut policy = Self {
            // A user name without a password is valid here: every service may have its own password.
            default: RequiredCredentials::resolve(&Credentials::default(), server)
                .unwrap_or_default(),
            ..Self::default()
        };
        if let Some(default) = policy.default.clone() {
            policy.add_distinct(&default);
        }
        policy
    }

    /// Adds the service `name` with its own credentials; `server` is the default.
    ///
    /// # Errors
    /// A [`DefinitionError`] for a user name without a password.
    pub(super) fn add(
        &mut self,
        name: &str,
        own: &Credentials,
        server: &Credentials,
    ) -> Result<(), DefinitionError> {
        self.add_retired(name, own, server)?;
        self.current.push(self.restricted.get(name).cloned());
        Ok(())
    }

    /// As [`AccessPolicy::add`], for a service that is no longer configured: only services made from it are protected.
    ///
    /// # Errors
    /// As [`AccessPolicy::add`].
    pub(super) fn add_retired(
        &mut self,
        name: &str,
        own: &Credentials,
        server: &Credentials,
    ) -> Result<(), DefinitionError> {
        let required =
            RequiredCredentials::resolve(own, server).map_err(|problem| DefinitionError {
                kind: "service",
                name: name.to_owned(),
                option: "username".to_owned(),
                problem: problem.to_owned(),
            })?;
        match required {
            Some(required) => {
                self.add_distinct(&required);
                self.restricted.insert(name.to_owned(), required);
            }
            None => drop(self.unrestricted.insert(name.to_owned())),
        }
        Ok(())
    }

    /// Denies access to services made from `name`, whose definition cannot be parsed.
    pub(super) fn deny_all(&mut self, name: &str) {
        self.denied.insert(name.to_owned());
    }

    fn add_distinct(&mut self, required: &RequiredCredentials) {
        if !self.distinct.iter().any(|other| other.is_same(required)) {
            self.distinct.push(required.clone());
        }
    }

    /// Whether the service `name` accepts any user name; `None` if it requires no password.
    pub(super) fn accepts_any_user(&self, name: &str) -> Option<bool> {
        self.restricted
            .get(name)
            .map(|required| required.username.is_none())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.distinct.is_empty() && self.denied.is_empty()
    }

    /// Whether the credentials permit everything or nothing; `None` if it depends on the service.
    pub(super) fn permits_all(&self, credentials: &BasicCredentials) -> Option<bool> {
        if !self.denied.is_empty() {
            return None;
        }
        let matching = self
            .distinct
            .iter()
            .map(|required| required.matches(credentials));
        let matching = matching.filter(|matching| *matching).count();
        if matching == self.distinct.len() {
            return Some(true);
        }
        (matching == 0 && self.unrestricted.is_empty()).then_some(false)
    }

    /// Whether the credentials permit access to storage areas. Without default credentials, storage areas are
    /// protected if all configured services are, each by its own: any of these permit access.
    pub(super) fn permits_storage_areas(&self, credentials: &BasicCredentials) -> bool {
        if let Some(required) = &self.default {
            return required.matches(credentials);
        }
        let mut current = self.current.iter();
        let is_unprotected = self.current.is_empty() && self.denied.is_empty();
        is_unprotected
            || current.any(|required| {
                required
                    .as_ref()
                    .is_none_or(|required| required.matches(credentials))
            })
    }

    /// Whether the credentials permit a create of a service that is not configured.
    pub(super) fn permits_unknown(&self, credentials: &BasicCredentials) -> bool {
        let default = self.default.as_ref();
        default.is_none_or(|required| required.matches(credentials))
    }

    /// Whether a service or the default requires these credentials.
    pub(super) fn matches_any(&self, credentials: &BasicCredentials) -> bool {
        self.distinct
            .iter()
            .any(|required| required.matches(credentials))
    }

    /// Whether the credentials permit access to the configured service `name`. A service that is no longer configured
    /// may have had any requirement, so all credentials must match.
    pub(super) fn permits(&self, name: &str, credentials: &BasicCredentials) -> bool {
        if self.denied.contains(name) {
            return false;
        }
        if name == STORAGE_AREA {
            return self.permits_storage_areas(credentials);
        }
        match self.restricted.get(name) {
            Some(required) => required.matches(credentials),
            None => self.unrestricted.contains(name) || self.permits_all(credentials) == Some(true),
        }
    }
}

#[cfg(test)]
mod tests;
