//! The Storage API: storage areas, which are storage without a service, and the storage of services, by one id.
//!
//! A storage area is a service of the reserved definition [`STORAGE_AREA`], so it is
//! stored, limited, listed, counted and cleaned up like one.

use std::{net::IpAddr, sync::Arc};

use super::{
    ConditionalRead, CreateRequestHead, Download, PendingCreate, ServiceError, Services,
    StorageAreaTtl,
    access_policy::BasicCredentials,
    auth::{catalog_not_loaded, enforce},
    definition::Definition,
    rate_limit::{limit_creates_by_address, limit_creates_of_service},
    storage::changed,
    storage_address::{StorageAddress, check_not_reserved},
    ttl,
};
use crate::model::{Revision, Revisions, STORAGE_AREA, ServiceId, WriteCondition};

impl Services {
    /// The storage that a request of `user` means by `id`.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if the name of the user is too long, [`ServiceError::NoSuchStorage`] if
    /// clients cannot address `id`.
    pub fn storage(&self, id: String, user: Option<&str>) -> Result<StorageAddress, ServiceError> {
        StorageAddress::new(id, user, self.context.custom_ids)
    }

    /// The TTL of a storage area, from the path of a request.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if it is invalid and `api.strict_storage_ttl` is set, or if it is a segment of
    /// other paths.
    pub fn storage_area_ttl(&self, text: &str) -> Result<StorageAreaTtl, ServiceError> {
        check_not_reserved(text)?;
        let max_ttl = self.context.limits.max_ttl;
        ttl::storage_area_ttl(text, max_ttl, self.context.strict_storage_ttl)
    }

    /// Authenticates a request. The caller checks [`Services::requires_auth`] before. Returns `address` without what the credentials do not permit.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`], errors of the store.
    pub async fn authorize_storage(
        &self,
        address: StorageAddress,
        credentials: &BasicCredentials,
        client: Option<IpAddr>,
    ) -> Result<StorageAddress, ServiceError> {
        let catalog = self.context.catalog.load();
        if !catalog.is_complete() {
            return Err(catalog_not_loaded());
        }
        let (policy, store) = (catalog.access_policy(), &*self.context.store);
        let permits_areas = policy.permits_storage_areas(credentials);
        let definition = match address.plain() {
            _ if address.is_custom_only() => Some(STORAGE_AREA.to_owned()),
            Some(id) if id.is_storage_area() => Some(STORAGE_AREA.to_owned()),
            Some(id) if policy.permits_all(credentials).is_none() => store.definition(id).await?,
            _ => None,
        };
        let permits = |credentials: &BasicCredentials| {
            if let Some(definition) = &definition {
                return policy.permits(definition, credentials);
            }
            // An id without a service is not found with the credentials of any service; a custom id may be found.
            policy.permits_all(credentials).unwrap_or_else(|| {
                address.custom().is_none()
                    || policy.matches_any(credentials)
                    || policy.permits_storage_areas(credentials)
            })
        };
        let is_restricted = !permits(&BasicCredentials(None));
        let (failed, permitted) = (&self.context.failed_credentials, permits(credentials));
        enforce(failed, store, credentials, client, permitted, is_restricted).await?;
        Ok(if permits_areas {
            address
        } else {
            address.plain_only()
        })
    }

    /// The first step of the create of a storage area. The second is [`PendingCreate::finish`].
    ///
    /// # Errors
    /// As [`Services::prepare_create`].
    pub async fn prepare_storage_area(
        &self,
        ttl: &StorageAreaTtl,
        head: CreateRequestHead,
    ) -> Result<PendingCreate, ServiceError> {
        let catalog = Arc::clone(&self.context.catalog.load());
        if !catalog.is_complete() {
            return Err(catalog_not_loaded());
        }
        let (store, rate_limit) = (&*self.context.store, &self.context.rate_limit);
        // Password guesses count for the address, and not for all clients.
        limit_creates_by_address(store, rate_limit, head.address).await?;
        self.authorize_create(STORAGE_AREA, &head.credentials, head.address)
            .await?;
        limit_creates_of_service(store, rate_limit, STORAGE_AREA).await?;
        let definition = Arc::new(Definition::storage_area());
        let id = ServiceId::generate_for_storage_area();
        self.begin_create(definition, id, Some(ttl.ttl), catalog, head)
            .await
    }

    /// Reads one string.
    ///
    /// # Errors
    /// As [`Services::read`], with [`ServiceError::NoSuchStorage`].
    pub async fn read_storage_key(
        &self,
        address: &StorageAddress,
        key: &str,
    ) -> Result<String, ServiceError> {
        address.read(|id| self.read(id, key)).await
    }

    /// Reads all strings, unless the client knows the current revision.
    ///
    /// # Errors
    /// As [`Services::read_all_unless`], with [`ServiceError::NoSuchStorage`].
    pub async fn read_storage(
        &self,
        address: &StorageAddress,
        known: &Revisions,
    ) -> Result<ConditionalRead, ServiceError> {
        address.read(|id| self.read_all_unless(id, known)).await
    }

    /// Finds a binary.
    ///
    /// # Errors
    /// As [`Services::find_binary`], with [`ServiceError::NoSuchStorage`].
    pub async fn find_storage_binary(
        &self,
        address: &StorageAddress,
        key: &str,
    ) -> Result<Download, ServiceError> {
        let find = |id: &ServiceId| self.find_binary(id.clone(), key.to_owned());
        address.read(find).await
    }

    /// Deletes a key, if the condition is met. An absent key is no error.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchStorage`], [`ServiceError::ConditionFailed`], errors of the store.
    pub async fn delete_storage_key(
        &self,
        address: &StorageAddress,
        key: &str,
        condition: &WriteCondition,
    ) -> Result<Revision, ServiceError> {
        address
            .change(|id| self.delete_key(id, key.to_owned(), condition.clone()))
            .await
    }

    /// Deletes a storage area; for a service, all keys of its storage, whose revision this returns. Both only if the
    /// condition is met.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchStorage`], [`ServiceError::ConditionFailed`], errors of the store.
    pub async fn delete_storage(
        &self,
        address: &StorageAddress,
        condition: &WriteCondition,
    ) -> Result<Option<Revision>, ServiceError> {
        let delete = async |id: &ServiceId| {
            if !id.is_storage_area() {
                return self.clear(id, condition).await.map(Some);
            }
            let deleted = self.context.store.delete_area(id, condition).await?;
            self.context.change_listeners.storage_ended(id);
            changed(&self.context, id, &deleted).map(|_last| None)
        };
        address.change(delete).await
    }
}
