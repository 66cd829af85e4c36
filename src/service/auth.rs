//! Authentication of clients: access to configured services and the services made from them.
//!
//! A configured service can require a password and optionally a user name, for its creates and for all requests on
//! services made from it. The credentials of a request are compared with all required credentials first. If they
//! match all of them, everything is permitted; if every service requires credentials and none match, nothing is.
//! Neither case accesses the store. Otherwise the store is read for the definition of the service, which costs one
//! more round trip. If no service requires credentials, nothing is checked.

use std::net::IpAddr;

use super::{
    FailedCredentials, ServiceError, Services,
    access_policy::{AccessPolicy, BasicCredentials},
};
use crate::{
    model::{STORAGE_AREA, ServiceId, StoreError},
    store::Store,
};

/// The error of requests that need the stored catalog before it is loaded.
pub(super) fn catalog_not_loaded() -> ServiceError {
    StoreError::Unavailable("the stored catalog is not loaded yet".to_owned()).into()
}

impl Services {
    /// Whether a service requires credentials, or this is still unknown.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        self.context.catalog.requires_auth()
    }

    /// Authenticates a create of the configured service `name`. The default applies to names that are not configured.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`].
    pub(super) async fn authorize_create(
        &self,
        name: &str,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let catalog = self.context.catalog.load();
        let policy = catalog.access_policy();
        let is_known = name == STORAGE_AREA || self.is_configured(name);
        let permits = |credentials: &BasicCredentials| {
            if is_known {
                policy.permits(name, credentials)
            } else {
                policy.permits_unknown(credentials)
            }
        };
        let permitted = permits(credentials);
        let is_restricted = !permits(&BasicCredentials(None));
        let failed = &self.context.failed_credentials;
        enforce(
            failed,
            &*self.context.store,
            credentials,
            address,
            permitted,
            is_restricted,
        )
        .await
    }

    /// Authenticates a request on the service `id`. Requests on unknown ids pass, and fail later with "not found".
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`], errors of the store.
    pub async fn authorize(
        &self,
        id: &ServiceId,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let catalog = self.context.catalog.load();
        if !catalog.is_complete() {
            return Err(catalog_not_loaded());
        }
        let failed = &self.context.failed_credentials;
        authorize(
            catalog.access_policy(),
            &*self.context.store,
            id,
            credentials,
            failed,
            address,
        )
        .await
    }
}

/// As [`Services::authorize`].
pub(super) async fn authorize(
    policy: &AccessPolicy,
    store: &dyn Store,
    id: &ServiceId,
    credentials: &BasicCredentials,
    failed: &FailedCredentials,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    let anonymous = BasicCredentials(None);
    let (permitted, is_restricted) = match policy.permits_all(credentials) {
        Some(permitted) => (permitted, policy.permits_all(&anonymous) != Some(true)),
        None => match store.definition(id).await? {
            Some(definition) => {
                let is_restricted = !policy.permits(&definition, &anonymous);
                (policy.permits(&definition, credentials), is_restricted)
            }
            None => (true, false),
        },
    };
    enforce(
        failed,
        store,
        credentials,
        address,
        permitted,
        is_restricted,
    )
    .await
}

/// Returns the result of a request that is `permitted` or not. Credentials for an unrestricted service are no
/// attempt.
pub(super) async fn enforce(
    failed: &FailedCredentials,
    store: &dyn Store,
    credentials: &BasicCredentials,
    address: Option<IpAddr>,
    permitted: bool,
    is_restricted: bool,
) -> Result<(), ServiceError> {
    if permitted && !is_restricted {
        return Ok(());
    }
    if credentials.0.is_none() {
        return Err(unauthorized(credentials));
    }
    failed
        .check(store, address, permitted, unauthorized(credentials))
        .await
}

fn unauthorized(credentials: &BasicCredentials) -> ServiceError {
    ServiceError::Unauthorized(match credentials.0 {
        Some(_) => "wrong user name or password for this service",
        None => "this service requires a user name and a password (HTTP Basic)",
    })
}
