//! The storage of a service: strings and binaries by key.

use std::time::Duration;

use super::{FormData, ServiceContext, ServiceError, Services, Uploads};
use crate::{
    memory_budget::Reservation,
    model::{
        Binary, Changes, KeyName, ReadAll, Revision, Revisions, ServiceId, StorageRead, StoreError,
        StoredKind, WriteCondition, WriteResult,
    },
};

/// The size of strings in bytes that is read before memory is reserved.
pub(super) const MAX_UNRESERVED_BYTES: usize = 256 * 1024;

/// All strings of a service, and the memory reserved for them.
#[derive(Debug)]
pub struct StorageStrings {
    /// The revision of the storage.
    pub revision: Revision,
    /// Names and values.
    pub pairs: Vec<(String, String)>,
    /// Names and descriptors of all binaries, if they were requested.
    pub binaries: Vec<(String, Binary)>,
    /// Released after the response is sent.
    pub memory: Reservation,
}

/// The result of a conditional read.
#[derive(Debug)]
pub enum ConditionalRead {
    /// All strings.
    Strings(StorageStrings),
    /// The client knows this revision, which is the current one.
    NotModified(Revision),
}

impl ConditionalRead {
    /// The revision of the storage.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Strings(strings) => strings.revision,
            Self::NotModified(revision) => *revision,
        }
    }
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
    pub(super) async fn read_all(&self, id: &ServiceId) -> Result<StorageStrings, ServiceError> {
        match self.read_all_unless(id, &Revisions::default()).await? {
            ConditionalRead::Strings(strings) => Ok(strings),
            ConditionalRead::NotModified(_) => {
                Err(StoreError::Bug("a read without a condition has failed it".to_owned()).into())
            }
        }
    }

    /// Reads all strings, unless the client knows the current revision.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::Overloaded`].
    pub async fn read_all_unless(
        &self,
        id: &ServiceId,
        known: &Revisions,
    ) -> Result<ConditionalRead, ServiceError> {
        self.read_contents(id, known, false).await
    }

    /// Reads a whole storage, and reserves memory for it.
    pub(super) async fn read_contents(
        &self,
        id: &ServiceId,
        known: &Revisions,
        with_binaries: bool,
    ) -> Result<ConditionalRead, ServiceError> {
        let mut memory = self.context.memory.responses.reservation();
        let mut read = ReadAll {
            max_bytes: MAX_UNRESERVED_BYTES,
            known: known.clone(),
            with_binaries,
        };
        loop {
            match self.context.store.read_all(id, &read).await? {
                None => return Err(ServiceError::NoSuchService(id.clone())),
                // Every iteration reserves more, up to the budget.
                Some(StorageRead::TooLarge { bytes }) => {
                    memory.grow(bytes.saturating_sub(memory.bytes()))?;
                    read.max_bytes = memory.bytes();
                }
                Some(StorageRead::Contents(contents)) => {
                    if read.max_bytes == MAX_UNRESERVED_BYTES {
                        memory.grow(total_bytes(&contents.texts))?;
                    }
                    return Ok(ConditionalRead::Strings(StorageStrings {
                        revision: contents.revision,
                        pairs: contents.texts,
                        binaries: contents.binaries,
                        memory,
                    }));
                }
                Some(StorageRead::Known(revision)) => {
                    return Ok(ConditionalRead::NotModified(revision));
                }
            }
        }
    }

    /// Writes all user data of `form` atomically, if the condition is met. Its files are in `uploads`. Returns the
    /// revision of the storage.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::InvalidParameter`] for an invalid name,
    /// [`ServiceError::ConditionFailed`], [`ServiceError::TooManyKeys`], [`ServiceError::UploadLost`]. After an error
    /// nothing has changed.
    pub async fn write(
        &self,
        id: &ServiceId,
        form: FormData,
        mut uploads: Uploads,
        condition: WriteCondition,
    ) -> Result<Revision, ServiceError> {
        let (_, mut changes) = form.into_parameters_and_changes()?;
        changes.condition = condition;
        self.write_with_uploads(id, changes, &mut uploads).await
    }

    /// Writes `changes`, whose files are in `uploads`.
    pub(super) async fn write_with_uploads(
        &self,
        id: &ServiceId,
        changes: Changes,
        uploads: &mut Uploads,
    ) -> Result<Revision, ServiceError> {
        uploads.transfer_to_store(&changes.set);
        let result = self.write_changes(id, &changes).await;
        if result.as_ref().is_err_and(ServiceError::had_no_effect) {
            uploads.reclaim();
        }
        result
    }

    /// Deletes a key, a string or a binary, if the condition is met. An absent key is no error.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::ConditionFailed`].
    pub async fn delete_key(
        &self,
        id: &ServiceId,
        key: String,
        condition: WriteCondition,
    ) -> Result<Revision, ServiceError> {
        let changes = Changes {
            remove: KeyName::new(key).into_iter().collect(),
            condition,
            ..Changes::default()
        };
        self.write_changes(id, &changes).await
    }

    /// Deletes all keys, if the condition is met. The service remains active.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`], [`ServiceError::ConditionFailed`].
    pub async fn clear(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<Revision, ServiceError> {
        let cleared = self.context.store.clear(id, condition).await?;
        changed(&self.context, id, &cleared)
    }

    async fn write_changes(
        &self,
        id: &ServiceId,
        changes: &Changes,
    ) -> Result<Revision, ServiceError> {
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
) -> Result<Revision, ServiceError> {
    let result = context.store.write(id, changes, ttl).await?;
    changed(context, id, &result)
}

/// The revision after a change, or its error.
pub(super) fn changed(
    context: &ServiceContext,
    id: &ServiceId,
    result: &WriteResult,
) -> Result<Revision, ServiceError> {
    match result {
        WriteResult::Stored(revision) => Ok(*revision),
        WriteResult::ConditionFailed(revision) => Err(ServiceError::ConditionFailed {
            current: Some(*revision),
        }),
        WriteResult::ServiceNotFound => Err(ServiceError::NoSuchService(id.clone())),
        WriteResult::TooManyKeys => Err(ServiceError::TooManyKeys(context.limits.keys)),
        WriteResult::UploadLost => Err(ServiceError::UploadLost),
    }
}
