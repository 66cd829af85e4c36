//! A service's storage: strings and binaries under names.

use super::{FormData, ServiceError, Services, Uploads};
use crate::{
    memory_budget::Reservation,
    store::{AllTexts, Changes, KeyName, ServiceId, Store, StoredKind, WriteResult},
};

/// Bytes of strings that are read before memory is reserved for them.
pub(super) const MAX_UNRESERVED_BYTES: usize = 256 * 1024;

/// All strings of a service, and the memory that they take.
#[derive(Debug)]
pub struct StorageStrings {
    /// Names and values.
    pub pairs: Vec<(String, String)>,
    /// Given back when they are sent.
    pub memory: Reservation,
}

impl Services {
    /// Fails where no such service lives.
    pub(super) async fn require_service(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let definition = self.store.definition(id).await?;
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
        match self.store.read(id, &name).await? {
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
        let mut memory = self.memory.responses.reservation();
        let mut max_bytes = MAX_UNRESERVED_BYTES;
        loop {
            match self.store.read_all(id, max_bytes).await? {
                None => return Err(ServiceError::NoSuchService(id.clone())),
                Some(AllTexts::Texts(pairs)) if max_bytes == MAX_UNRESERVED_BYTES => {
                    memory.grow(total_bytes(&pairs))?;
                    return Ok(StorageStrings { pairs, memory });
                }
                Some(AllTexts::Texts(pairs)) => return Ok(StorageStrings { pairs, memory }),
                // Each time around it has more than before, up to what the budget has.
                Some(AllTexts::TooLarge { bytes }) => {
                    memory.grow(bytes.saturating_sub(memory.bytes()))?;
                    max_bytes = memory.bytes();
                }
            }
        }
    }

    /// Makes all of `pairs` visible at once, but for parameters; `uploads` took their files.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::InvalidParameter`] for a name that cannot be
    /// stored, [`ServiceError::TooManyKeys`], [`ServiceError::UploadLost`]. Nothing changed then.
    pub async fn write(
        &self,
        id: &ServiceId,
        pairs: FormData,
        mut uploads: Uploads,
    ) -> Result<(), ServiceError> {
        let (_, changes) = pairs.into_parameters_and_changes()?;
        self.write_with_uploads(id, changes, &mut uploads).await
    }

    /// Makes `changes` visible, whose files `uploads` took.
    pub(super) async fn write_with_uploads(
        &self,
        id: &ServiceId,
        changes: Changes,
        uploads: &mut Uploads,
    ) -> Result<(), ServiceError> {
        uploads.transfer_to_store(&changes.set);
        let applied = self.write_changes(id, changes).await;
        if applied.as_ref().is_err_and(ServiceError::had_no_effect) {
            uploads.reclaim();
        }
        applied
    }

    /// Empties one name, string or binary. That it holds nothing is no error.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`].
    pub async fn delete_key(&self, id: &ServiceId, key: String) -> Result<(), ServiceError> {
        let remove: Vec<KeyName> = KeyName::new(key).into_iter().collect();
        let changes = Changes {
            remove,
            ..Changes::default()
        };
        self.write_changes(id, changes).await
    }

    /// Empties the storage. The service lives on.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`].
    pub async fn clear(&self, id: &ServiceId) -> Result<(), ServiceError> {
        let cleared = self.store.clear(id).await?;
        cleared.ok_or_else(|| ServiceError::NoSuchService(id.clone()))
    }

    async fn write_changes(&self, id: &ServiceId, changes: Changes) -> Result<(), ServiceError> {
        write_changes(&*self.store, id, changes, self.limits.keys).await
    }
}

fn total_bytes(pairs: &[(String, String)]) -> usize {
    let bytes = pairs.iter().map(|(name, value)| name.len() + value.len());
    bytes.sum()
}

/// Makes all of `changes` visible at once, in a service that may hold `most` keys.
pub(super) async fn write_changes(
    store: &dyn Store,
    id: &ServiceId,
    changes: Changes,
    most: usize,
) -> Result<(), ServiceError> {
    match store.write(id, changes).await? {
        WriteResult::Stored => Ok(()),
        WriteResult::ServiceNotFound => Err(ServiceError::NoSuchService(id.clone())),
        WriteResult::TooManyKeys => Err(ServiceError::TooManyKeys(most)),
        WriteResult::UploadLost => Err(ServiceError::UploadLost),
    }
}
