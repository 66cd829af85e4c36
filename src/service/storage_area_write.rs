//! Writes to storage areas and to the storage of services, which create storage areas with custom ids.

use std::{net::IpAddr, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};

use super::{
    FormData, ServiceContext, ServiceError, Services, StorageAreaTtl, Uploads,
    rate_limit::limit_creates_of_storage_areas, storage::write_changes,
    storage_address::StorageAddress,
};
use crate::model::{
    Changes, CreateResult, KeyName, NewService, Revision, STORAGE_AREA, ServiceId, StoreError,
    Value, WriteCondition,
};

/// How often a write is repeated because the storage area was created or has ended meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// The storage that a write has changed or created.
pub struct WrittenStorage {
    /// The id of the storage area or service.
    pub id: ServiceId,
    /// Its revision, unless the write has created it.
    pub revision: Option<Revision>,
}

/// The result of a write to the first of two storages.
enum FirstWrite {
    Written(Revision),
    NotFound { second_exists: bool },
}

/// A write in progress.
pub struct PendingStorageWrite {
    /// Receives the files of the body.
    pub uploads: Uploads,
    context: Arc<ServiceContext>,
    address: StorageAddress,
    ttl: Duration,
    user: Option<String>,
    client: Option<IpAddr>,
}

impl Services {
    /// The storage that a write of `user` means by `id`; if `is_custom`, only the storage area with this custom id.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if the id or the name of the user is too long, or the id is reserved,
    /// [`ServiceError::NoSuchStorage`] if there can be no such storage.
    pub fn storage_to_write(
        &self,
        id: String,
        user: Option<&str>,
        is_custom: bool,
    ) -> Result<StorageAddress, ServiceError> {
        StorageAddress::for_write(id, user, self.context.custom_ids, is_custom)
    }

    /// The first step of a write, before the body is read. `client` is the address of the client.
    #[must_use]
    pub fn prepare_storage_write(
        &self,
        address: StorageAddress,
        ttl: &StorageAreaTtl,
        user: Option<String>,
        client: Option<IpAddr>,
    ) -> PendingStorageWrite {
        PendingStorageWrite {
            uploads: Uploads::for_storage(Arc::clone(&self.context), address.clone(), client),
            context: Arc::clone(&self.context),
            address,
            ttl: ttl.ttl,
            user,
            client,
        }
    }
}

impl PendingStorageWrite {
    /// The second step of a write: merges the user data of `form` into the storage, all or nothing. A storage area then
    /// expires after the TTL; the expiration time of a service does not change. If there is no such storage and the
    /// request has a user, a storage area with the custom id is created, unless the condition names revisions.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchStorage`], [`ServiceError::InvalidParameter`] for an invalid name,
    /// [`ServiceError::ConditionFailed`], [`ServiceError::TooManyKeys`], [`ServiceError::UploadLost`],
    /// [`ServiceError::RateLimited`]. After an error nothing has changed.
    pub async fn finish(
        mut self,
        form: FormData,
        condition: WriteCondition,
    ) -> Result<WrittenStorage, ServiceError> {
        let (_, mut changes) = form.into_parameters_and_changes()?;
        changes.condition = condition;
        self.uploads.transfer_to_store(&changes.set);
        let (custom, plain) = (self.address.custom(), self.address.plain());
        let result = match (self.uploads.target(), custom.or(plain)) {
            // Its files are stored for this one.
            (Some(id), _) => self.write_or_create(id, None, changes).await,
            (None, Some(id)) => {
                let second = plain.filter(|_| custom.is_some());
                self.write_or_create(id, second, changes).await
            }
            (None, None) => Err(self.address.not_found()),
        };
        if result.as_ref().is_err_and(ServiceError::had_no_effect) {
            self.uploads.reclaim();
        }
        result
    }

    /// Writes to the storage `first`, otherwise to `second`, otherwise creates `first` if the request may.
    async fn write_or_create(
        &self,
        first: &ServiceId,
        second: Option<&ServiceId>,
        mut changes: Changes,
    ) -> Result<WrittenStorage, ServiceError> {
        let mut is_counted = self.uploads.is_counted_as_create();
        for _ in 0..MAX_ATTEMPTS {
            let second_exists = match self.write_first(first, second, &changes).await? {
                FirstWrite::Written(revision) => return Ok(written(first, Some(revision))),
                FirstWrite::NotFound { second_exists } => second_exists,
            };
            if let Some(second) = second.filter(|_| second_exists) {
                self.address.check_plain()?;
                match self.write(second, &changes).await {
                    Err(ServiceError::NoSuchService(_)) => {}
                    result => return result.map(|revision| written(second, Some(revision))),
                }
            }
            if self.address.new_area() != Some(first) {
                return Err(self.address.not_found());
            }
            if changes.condition.revisions.is_some() {
                return Err(ServiceError::ConditionFailed { current: None });
            }
            if !is_counted {
                let (store, rate_limit) = (&*self.context.store, &self.context.rate_limit);
                limit_creates_of_storage_areas(store, rate_limit, self.client).await?;
                is_counted = true;
            }
            // Another request may have created it since.
            match self.create(first, changes.set).await? {
                None => return Ok(written(first, None)),
                Some(data) => changes.set = data,
            }
        }
        let message = format!("storage area {}", first.redacted());
        Err(StoreError::Conflict(message).into())
    }

    /// Writes to `first`, and checks at the same time whether `second` exists.
    async fn write_first(
        &self,
        first: &ServiceId,
        second: Option<&ServiceId>,
        changes: &Changes,
    ) -> Result<FirstWrite, ServiceError> {
        let not_found = |second_exists| FirstWrite::NotFound { second_exists };
        let (write, exists) = (pin!(self.write(first, changes)), pin!(self.exists(second)));
        // The write is never dropped, because it may have been sent; the check is not waited for in vain.
        match select(write, exists).await {
            Either::Left((Err(ServiceError::NoSuchService(_)), exists)) => {
                exists.await.map(not_found)
            }
            Either::Left((written, _)) => written.map(FirstWrite::Written),
            Either::Right((exists, write)) => match write.await {
                Err(ServiceError::NoSuchService(_)) => exists.map(not_found),
                written => written.map(FirstWrite::Written),
            },
        }
    }

    async fn write(&self, id: &ServiceId, changes: &Changes) -> Result<Revision, ServiceError> {
        let ttl = Some(self.ttl).filter(|_| id.is_storage_area());
        write_changes(&self.context, id, changes, ttl).await
    }

    async fn exists(&self, id: Option<&ServiceId>) -> Result<bool, ServiceError> {
        match id {
            Some(id) => Ok(self.context.store.definition(id).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Creates the storage area. Returns `data` if there is one already.
    async fn create(
        &self,
        id: &ServiceId,
        data: Vec<(KeyName, Value)>,
    ) -> Result<Option<Vec<(KeyName, Value)>>, ServiceError> {
        let store = &*self.context.store;
        let max_keys = self.context.limits.keys;
        if data.len() > max_keys {
            return Err(ServiceError::TooManyKeys(max_keys));
        }
        let created = store.now()?;
        let area = NewService {
            id: id.clone(),
            definition: STORAGE_AREA.to_owned(),
            created,
            end: created.after(self.ttl),
            gms_user: self.user.clone(),
            data,
            booking: None,
            idempotency: None,
            webhook: None,
            is_pending: false,
        };
        match store.create(area).await? {
            CreateResult::Created => Ok(None),
            CreateResult::IdInUse(data) => Ok(Some(data)),
            CreateResult::UploadLost => Err(ServiceError::UploadLost),
            CreateResult::Replayed(_) => {
                Err(StoreError::Bug("a custom id has an idempotency key".to_owned()).into())
            }
        }
    }
}

fn written(id: &ServiceId, revision: Option<Revision>) -> WrittenStorage {
    WrittenStorage {
        id: id.clone(),
        revision,
    }
}
