//! The storage of a service: strings and binaries by key.

use std::time::Duration;

use super::{FormData, ServiceContext, ServiceError, Services, Uploads};
use crate::{
    memory_budget::Reservation,
    model::{AllTexts, Changes, KeyName, ServiceId, StoredKind, WriteResult},
};

/// The size of strings in bytes that is read before memory is reserved.
pub(super) const MAX_UNRESERVED_BYTES: usize = 256 * 1024;

/// All strings of a service, and the memory reserved for them.
#[derive(Debug)]
pub struct StorageStrings {
    /// Names and values.
    pub pairs: Vec<(String, String)>,
    /// Released after the response is sent.
    pub memory: Reservation,
}

impl Services {
    /// Checks that the service exists.
    pub(super) async fn require_service(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let definition = self.context.store.definition(id).await?;
        let found = definition.map(drop);
        found.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    /// Reads one string.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::NoSuchKey`], or [`ServiceError::BinaryKey`].
    pub async fn read(&self, id: &ServiceId, key: &str) -> Result<String, ServiceError> {
        let no_such_key = || ServiceError::NoSuchKey {
            id: id.clone(),
            key: key.to_owned(),
        };
        let Some(name) = KeyName::new(key.to_owned()) else {
            self.require_service(id).await?;
            return Err(no_such_key());
        };
        match self.context.store.read(id, &name).await? {
            Some(StoredKind::Text(text)) => Ok(text),
            Some(StoredKind::Empty) => Err(no_such_key()),
            Some(StoredKind::Binary) => Err(ServiceError::BinaryKey {
                id: id.clone(),
                key: name,
            }),
            None => Err(ServiceError::NoSuchService(id.clone())),
        }
    }

    /// Reads all strings.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::Overloaded`].
    pub async fn read_all(&self, id: &ServiceId) -> Result<StorageStrings, ServiceError> {
        let mut memory = self.context.memory.responses.reservation();
        let mut max_bytes = MAX_UNRESERVED_BYTES;
        loop {
            match self.context.store.read_all(id, max_bytes).await? {
                None => return Err(ServiceError::NoSuchService(id.clone())),
                Some(AllTexts::Texts(pairs)) if max_bytes == MAX_UNRESERVED_BYTES => {
                    memory.grow(total_bytes(&pairs))?;
                    return Ok(StorageStrings { pairs, memory });
                }
                Some(AllTexts::Texts(pairs)) => return Ok(StorageStrings { pairs, memory }),
                // Every iteration reserves more, up to the budget.
                Some(AllTexts::TooLarge { bytes }) => {
                    memory.grow(bytes.saturating_sub(memory.bytes()))?;
                    max_bytes = memory.bytes();
                }
            }
        }
    }

    /// Writes all user data of `form` atomically. Its files are in `uploads`.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::InvalidParameter`] for an invalid name,
    /// [`ServiceError::TooManyKeys`], [`ServiceError::UploadLost`]. After an error nothing has changed.
    pub async fn write(
        &self,
        id: &ServiceId,
        form: FormData,
        mut uploads: Uploads,
    ) -> Result<(), ServiceError> {
        let (_, changes) = form.into_parameters_and_changes()?;
        self.write_with_uploads(id, changes, &mut uploads).await
    }

    /// Writes `changes`, whose files are in `uploads`.
    pub(super) async fn write_with_uploads(
        &self,
        id: &ServiceId,
        changes: Changes,
        uploads: &mut Uploads,
    ) -> Result<(), ServiceError> {
        uploads.transfer_to_store(&changes.set);
        let result = self.write_changes(id, &changes).await;
        if result.as_ref().is_err_and(ServiceError::had_no_effect) {
            uploads.reclaim();
        }
        result
    }

    /// Deletes a key, a string or a binary. An absent key is no error.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`].
    pub async fn delete_key(&self, id: &ServiceId, key: String) -> Result<(), ServiceError> {
        let remove: Vec<KeyName> = KeyName::new(key).into_iter().collect();
        let changes = Changes {
            remove,
            ..Changes::default()
        };
        self.write_changes(id, &changes).await
    }

    /// Deletes all keys. The service remains active.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`].
    pub async fn clear(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let cleared = self.context.store.clear(id).await?;
        cleared.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    async fn write_changes(&self, id: &ServiceId, changes: &Changes) -> Result<(), ServiceError> {
        write_changes(&self.context, id, changes, None).await
    }
}

fn total_bytes(pairs: &[(String, String)]) -> usize {
    let bytes = pairs.iter().map(|(name, value)| name.len() + value.len());
    bytes.sum()
}

/// Writes `changes` atomically. With a `ttl` the storage then expires after it.
pub(super) async fn write_changes(
    context: &ServiceContext,
    id: &ServiceId,
    changes: &Changes,
    ttl: Option<Duration>,
) -> Result<(), ServiceError> {
    match context.store.write(id, changes, ttl).await? {
        WriteResult::Stored => Ok(()),
        WriteResult::ServiceNotFound => Err(ServiceError::NoSuchService(id.clone())),
        WriteResult::TooManyKeys => Err(ServiceError::TooManyKeys(context.limits.keys)),
        WriteResult::UploadLost => Err(ServiceError::UploadLost),
    }
}
