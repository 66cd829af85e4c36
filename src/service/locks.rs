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
pub struct Shown(pub Option<(String, SecretString)>);

/// What a configured service asks for.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    username: Option<String>,
    password: SecretString,
}

impl Lock {
    /// Joins what a service says with what counts where it does not.
    pub(super) fn of(
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
    pub(super) fn is_opened_by(&self, shown: &Shown) -> bool {
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

    fn is(&self, other: &Self) -> bool {
        self.username == other.username
            && self.password.expose_secret() == other.password.expose_secret()
    }
}

/// The locks of a catalogue.
#[derive(Debug, Clone, Default)]
pub(super) struct Locks {
    /// Each different lock once.
    all: Vec<Lock>,
    /// The lock of each service that has one.
    locked: BTreeMap<String, Lock>,
    /// Names of those that have none.
    open: BTreeSet<String>,
    /// Names of those of which it is not known here whether they have one.
    sealed: BTreeSet<String>,
    /// The lock of what is not configured.
    default: Option<Lock>,
}

impl Locks {
    /// No locks yet but that of what is not configured, which is `server`'s.
    pub(super) fn new(server: &Credentials) -> Self {
        let mut locks = Self {
            // With every service having a password of its own, a default user name may stand alone.
            default: Lock::of(&Credentials::default(), server).unwrap_or_default(),
            ..Self::default()
        };
        if let Some(default) = locks.default.clone() {
            locks.list(&default);
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
        let lock = Lock::of(own, server).map_err(|problem| DefinitionError {
            kind: "service",
            name: name.to_owned(),
            option: "username".to_owned(),
            problem: problem.to_owned(),
        })?;
        match lock {
            Some(lock) => {
                self.list(&lock);
                self.locked.insert(name.to_owned(), lock);
            }
            None => drop(self.open.insert(name.to_owned())),
        }
        Ok(())
    }

    /// Keeps everybody from services made from `name`: what it says cannot be read here.
    pub(super) fn seal(&mut self, name: &str) {
        self.sealed.insert(name.to_owned());
    }

    fn list(&mut self, lock: &Lock) {
        if !self.all.iter().any(|known| known.is(lock)) {
            self.all.push(lock.clone());
        }
    }

    /// Whether the service `name` asks for a password, and then whether it takes any user name.
    pub(super) fn takes_any_user(&self, name: &str) -> Option<bool> {
        self.locked.get(name).map(|lock| lock.username.is_none())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.sealed.is_empty()
    }

    /// How much `shown` opens; `None` where it depends on the service.
    fn opened(&self, shown: &Shown) -> Option<bool> {
        if !self.sealed.is_empty() {
            return None;
        }
        let opened = self.all.iter().map(|lock| lock.is_opened_by(shown));
        let opened = opened.filter(|opened| *opened).count();
        if opened == self.all.len() {
            return Some(true);
        }
        (opened == 0 && self.open.is_empty()).then_some(false)
    }

    /// Whether `shown` opens the configured service `name`. What is configured no longer may have been
    /// locked by anything: only who opens all locks opens it.
    fn opens(&self, name: &str, shown: &Shown) -> bool {
        if self.sealed.contains(name) {
            return false;
        }
        match self.locked.get(name) {
            Some(lock) => lock.is_opened_by(shown),
            None => self.open.contains(name) || self.opened(shown) == Some(true),
        }
    }
}

/// Why something cannot be told, or nobody is let in, before the catalogue is whole.
pub(super) fn not_read_yet() -> ServiceError {
    StoreError::Unavailable("what operators made has not been read yet".to_owned()).into()
}

impl Catalog {
    /// Whether any service asks for credentials, or it is not known yet whether one does.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.is_whole() || !self.locks().is_empty()
    }
}

impl Services {
    /// Whether any service asks for credentials, or it is not known yet whether one does.
    #[must_use]
    pub fn has_locks(&self) -> bool {
        self.catalog.is_guarded()
    }

    /// Lets a create pass that shows what the configured service `name` asks for. Where there is none
    /// of that name, the default counts.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`].
    pub(super) async fn admit_create(
        &self,
        name: &str,
        shown: &Shown,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let catalog = self.catalog.now();
        let locks = catalog.locks();
        let is_configured = self.is_configured(name);
        let opens = |shown: &Shown| {
            if is_configured {
                return locks.opens(name, shown);
            }
            let default = locks.default.as_ref();
            default.is_none_or(|lock| lock.is_opened_by(shown))
        };
        let opened = opens(shown);
        let is_locked = !opens(&Shown(None));
        let failed = &self.failed_credentials;
        decide(failed, &*self.store, shown, address, opened, is_locked).await
    }

    /// Lets a request on `id` pass that shows what the configured service asks for that `id` came
    /// from. Where no such service lives it may pass: it will find nothing.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; what the store says where it has to be asked.
    pub async fn admit(
        &self,
        id: &ServiceId,
        shown: &Shown,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let catalog = self.catalog.now();
        if !catalog.is_whole() {
            return Err(not_read_yet());
        }
        let failed = &self.failed_credentials;
        admit(catalog.locks(), &*self.store, id, shown, failed, address).await
    }
}

/// As [`Services::admit`].
pub(super) async fn admit(
    locks: &Locks,
    store: &dyn Store,
    id: &ServiceId,
    shown: &Shown,
    failed: &FailedCredentials,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    let nothing = Shown(None);
    let (opened, is_locked) = match locks.opened(shown) {
        Some(opened) => (opened, locks.opened(&nothing) != Some(true)),
        None => match store.definition(id).await? {
            Some(definition) => {
                let is_locked = !locks.opens(&definition, &nothing);
                (locks.opens(&definition, shown), is_locked)
            }
            None => (true, false),
        },
    };
    decide(failed, store, shown, address, opened, is_locked).await
}

/// Answers a request that was `opened` or not. What is shown where nothing is asked for is no attempt.
async fn decide(
    failed: &FailedCredentials,
    store: &dyn Store,
    shown: &Shown,
    address: Option<IpAddr>,
    opened: bool,
    is_locked: bool,
) -> Result<(), ServiceError> {
    if opened && !is_locked {
        return Ok(());
    }
    if shown.0.is_none() {
        return Err(refused(shown));
    }
    failed.check(store, address, opened, refused(shown)).await
}

fn refused(shown: &Shown) -> ServiceError {
    ServiceError::Unauthorized(match shown.0 {
        Some(_) => "the user name and password do not open this service",
        None => "this service asks for a user name and a password (HTTP Basic)",
    })
}

#[cfg(test)]
mod tests;
