//! Who may use which configured service, and the services made from it.
//!
//! A *lock* is a password, and perhaps a user name, that a configured service asks for: at its create,
//! and at every request on an id that came from it. What a request shows is held against all locks
//! first. Whoever opens each of them may do everything, and where everything is locked, whoever opens
//! none may do nothing: neither takes a look into the store. Only what lies between, a caller who may
//! use some services and not others, has the store asked which one an id came from, one round trip
//! more. Where nothing is locked nothing is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::{Catalog, FailedCredentials, ServiceError, Services, definition::DefinitionError};
use crate::{
    settings::Credentials,
    store::{ServiceId, Store, StoreError},
};

/// The user name and password that a request shows, if any.
#[derive(Debug, Clone, Default)]
pub struct BasicCredentials(pub Option<(String, SecretString)>);

/// What a configured service asks for.
#[derive(Debug, Clone)]
pub(super) struct RequiredCredentials {
    username: Option<String>,
    password: SecretString,
}

impl RequiredCredentials {
    /// Joins what a service says with what counts where it does not.
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
                "the setting auth.username is set and auth.password is not: without a password here \
                 it would stand open",
            ),
            None if username.is_some() => Err(
                "there is a user name and no password, neither here nor in the setting \
                 auth.password: it would stand open",
            ),
            None => Ok(None),
        }
    }

    /// Whether this is what the lock asks for. How long that takes tells nothing of where they differ;
    /// it may tell the length.
    pub(super) fn matches(&self, shown: &BasicCredentials) -> bool {
        let Some((username, password)) = &shown.0 else {
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

/// The locks of a catalogue.
#[derive(Debug, Clone, Default)]
pub(super) struct AccessPolicy {
    /// Each different lock once.
    distinct: Vec<RequiredCredentials>,
    /// The lock of each service that has one.
    restricted: BTreeMap<String, RequiredCredentials>,
    /// Names of those that have none.
    unrestricted: BTreeSet<String>,
    /// Names of those of which it is not known here whether they have one.
    denied: BTreeSet<String>,
    /// The lock of what is not configured.
    default: Option<RequiredCredentials>,
}

impl AccessPolicy {
    /// No locks yet but that of what is not configured, which is `server`'s.
    pub(super) fn new(server: &Credentials) -> Self {
        let mut locks = Self {
            // With every service having a password of its own, a default user name may stand alone.
            default: RequiredCredentials::resolve(&Credentials::default(), server)
                .unwrap_or_default(),
            ..Self::default()
        };
        if let Some(default) = locks.default.clone() {
            locks.add_distinct(&default);
        }
        locks
    }

    /// Adds what `name` says of itself, where `server` is the default.
    ///
    /// # Errors
    /// A [`DefinitionError`] for a user name without any password.
    pub(super) fn add(
        &mut self,
        name: &str,
        own: &Credentials,
        server: &Credentials,
    ) -> Result<(), DefinitionError> {
        let lock =
            RequiredCredentials::resolve(own, server).map_err(|problem| DefinitionError {
                kind: "service",
                name: name.to_owned(),
                option: "username".to_owned(),
                problem: problem.to_owned(),
            })?;
        match lock {
            Some(lock) => {
                self.add_distinct(&lock);
                self.restricted.insert(name.to_owned(), lock);
            }
            None => drop(self.unrestricted.insert(name.to_owned())),
        }
        Ok(())
    }

    /// Keeps everybody from services made from `name`: what it says cannot be read here.
    pub(super) fn deny_all(&mut self, name: &str) {
        self.denied.insert(name.to_owned());
    }

    fn add_distinct(&mut self, lock: &RequiredCredentials) {
        if !self.distinct.iter().any(|known| known.is_same(lock)) {
            self.distinct.push(lock.clone());
        }
    }

    /// Whether the service `name` asks for a password, and then whether it takes any user name.
    pub(super) fn accepts_any_user(&self, name: &str) -> Option<bool> {
        self.restricted
            .get(name)
            .map(|lock| lock.username.is_none())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.distinct.is_empty() && self.denied.is_empty()
    }

    /// How much `shown` opens; `None` where it depends on the service.
    fn permits_all(&self, shown: &BasicCredentials) -> Option<bool> {
        if !self.denied.is_empty() {
            return None;
        }
        let opened = self.distinct.iter().map(|lock| lock.matches(shown));
        let opened = opened.filter(|opened| *opened).count();
        if opened == self.distinct.len() {
            return Some(true);
        }
        (opened == 0 && self.unrestricted.is_empty()).then_some(false)
    }

    /// Whether `shown` opens the configured service `name`. What is configured no longer may have been
    /// locked by anything: only who opens all locks opens it.
    fn permits(&self, name: &str, shown: &BasicCredentials) -> bool {
        if self.denied.contains(name) {
            return false;
        }
        match self.restricted.get(name) {
            Some(lock) => lock.matches(shown),
            None => self.unrestricted.contains(name) || self.permits_all(shown) == Some(true),
        }
    }
}

/// Why something cannot be told, or nobody is let in, before the catalogue is whole.
pub(super) fn catalog_not_loaded() -> ServiceError {
    StoreError::Unavailable("what operators made has not been read yet".to_owned()).into()
}

impl Catalog {
    /// Whether any service asks for credentials, or it is not known yet whether one does.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        !self.is_complete() || !self.access_policy().is_empty()
    }
}

impl Services {
    /// Whether any service asks for credentials, or it is not known yet whether one does.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        self.catalog.requires_auth()
    }

    /// Lets a create pass that shows what the configured service `name` asks for. Where there is none
    /// of that name, the default counts.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`].
    pub(super) async fn authorize_create(
        &self,
        name: &str,
        shown: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let catalog = self.catalog.load();
        let locks = catalog.access_policy();
        let is_configured = self.is_configured(name);
        let opens = |shown: &BasicCredentials| {
            if is_configured {
                return locks.permits(name, shown);
            }
            let default = locks.default.as_ref();
            default.is_none_or(|lock| lock.matches(shown))
        };
        let opened = opens(shown);
        let is_locked = !opens(&BasicCredentials(None));
        let failed = &self.failed_credentials;
        enforce(failed, &*self.store, shown, address, opened, is_locked).await
    }

    /// Lets a request on `id` pass that shows what the configured service asks for that `id` came
    /// from. Where no such service lives it may pass: it will find nothing.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; what the store says where it has to be asked.
    pub async fn authorize(
        &self,
        id: &ServiceId,
        shown: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let catalog = self.catalog.load();
        if !catalog.is_complete() {
            return Err(catalog_not_loaded());
        }
        let failed = &self.failed_credentials;
        authorize(
            catalog.access_policy(),
            &*self.store,
            id,
            shown,
            failed,
            address,
        )
        .await
    }
}

/// As [`Services::admit`].
pub(super) async fn authorize(
    locks: &AccessPolicy,
    store: &dyn Store,
    id: &ServiceId,
    shown: &BasicCredentials,
    failed: &FailedCredentials,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    let nothing = BasicCredentials(None);
    let (opened, is_locked) = match locks.permits_all(shown) {
        Some(opened) => (opened, locks.permits_all(&nothing) != Some(true)),
        None => match store.definition(id).await? {
            Some(definition) => {
                let is_locked = !locks.permits(&definition, &nothing);
                (locks.permits(&definition, shown), is_locked)
            }
            None => (true, false),
        },
    };
    enforce(failed, store, shown, address, opened, is_locked).await
}

/// Answers a request that was `opened` or not. What is shown where nothing is asked for is no attempt.
async fn enforce(
    failed: &FailedCredentials,
    store: &dyn Store,
    shown: &BasicCredentials,
    address: Option<IpAddr>,
    opened: bool,
    is_locked: bool,
) -> Result<(), ServiceError> {
    if opened && !is_locked {
        return Ok(());
    }
    if shown.0.is_none() {
        return Err(unauthorized(shown));
    }
    failed
        .check(store, address, opened, unauthorized(shown))
        .await
}

fn unauthorized(shown: &BasicCredentials) -> ServiceError {
    ServiceError::Unauthorized(match shown.0 {
        Some(_) => "the user name and password do not open this service",
        None => "this service asks for a user name and a password (HTTP Basic)",
    })
}

#[cfg(test)]
mod tests;
