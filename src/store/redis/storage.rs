//! The storage of a service: the fields of its hash.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, Value, cmd};

use super::{
    MAX_ATTEMPTS, OWNED_TTL_MARGIN, RedisStore,
    binaries::{field_and_value, parse_descriptor},
    conflict,
    connection::parse_reply,
    expiration::KnownResources,
    keys::{self, Field},
    large_storage::{FieldsRead, MAX_REPLY_BYTES},
    millis,
    script_reply::{ScriptReply, revision_of, to_revision},
    scripts::{CLEAR, READ_ALL, WATCH, WRITE, WRITE_WITH_TTL, evalsha},
};
use crate::{
    model::{
        Binary, Changes, KeyName, ReadAll, Revisions, ServiceId, StorageContents, StorageRead,
        StoreError, StoredKind, WriteCondition, WriteResult, binaries,
    },
    store::{REPLACED_TTL, StorageStore},
};

#[async_trait]
impl StorageStore for RedisStore {
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError> {
        // Most reads cost one field. Only if it is missing, a second command determines the reason; it
        // reads the field again, because it may have been written meanwhile. A custom id often has no storage area,
        // because the client means the id of a service, so one command does both.
        let service = self.keys.service(id);
        if !id.is_custom() {
            let mut get = cmd("HGET");
            get.arg(&service).arg(key.as_str());
            if let Some(text) = self.redis.query(&get).await? {
                return Ok(Some(StoredKind::Text(text)));
            }
        }
        let mut reason = cmd("HMGET");
        reason.arg(service).arg(keys::DEFINITION);
        reason.arg(key.as_str()).arg(keys::binary_field(key));
        let found: (Option<()>, Option<String>, Option<()>) = self.redis.query(&reason).await?;
        Ok(match found {
            (None, _, _) => None,
            (Some(()), Some(text), _) => Some(StoredKind::Text(text)),
            (Some(()), None, Some(())) => Some(StoredKind::Binary),
            (Some(()), None, None) => Some(StoredKind::Empty),
        })
    }

    async fn read_all(
        &self,
        id: &ServiceId,
        request: &ReadAll,
    ) -> Result<Option<StorageRead>, StoreError> {
        // Callers pass a limit this large only after a call with a smaller limit returned the size.
        let read = if request.max_bytes > MAX_REPLY_BYTES {
            self.read_in_pieces(id, request.max_bytes).await?
        } else {
            self.read_at_once(id, request).await?
        };
        let fields = match read {
            FieldsRead::TooLarge { bytes } => return Ok(Some(StorageRead::TooLarge { bytes })),
            FieldsRead::Fields(fields) if fields.is_empty() => return Ok(None),
            FieldsRead::Fields(fields) => fields,
        };
        let contents = parse_contents(fields, request.with_binaries)?;
        if request.known.contains(contents.revision) {
            return Ok(Some(StorageRead::Known(contents.revision)));
        }
        Ok(Some(StorageRead::Contents(contents)))
    }

    async fn write(
        &self,
        id: &ServiceId,
        changes: &Changes,
        ttl: Option<Duration>,
    ) -> Result<WriteResult, StoreError> {
        let mut known = KnownResources::default();
        for _ in 0..MAX_ATTEMPTS {
            let write = self.write_command(id, changes, ttl, &known)?;
            let end = self.redis.now()?.after(ttl.unwrap_or_default());
            let schedule = if binaries(&changes.set).next().is_some() {
                Some(self.schedule_cleanup_soon(id)?)
            } else {
                known.has_any().then(|| self.schedule_cleanup_by(id, end))
            };
            let list = ttl.map(|_| self.update_listing(id, end));
            match self.send_write(schedule, list, write).await? {
                ScriptReply::Done(reply) => return self.stored(id, reply).await,
                ScriptReply::Refused(_) => {
                    if ttl.is_some() {
                        self.unlist(id).await;
                    }
                    return Ok(WriteResult::ServiceNotFound);
                }
                ScriptReply::Retry(reply) => known = self.extend_known(id, reply, end).await?,
                refused => {
                    if ttl.is_some() {
                        self.restore_listing(id, Self::update_listing).await;
                    }
                    return match refused {
                        ScriptReply::TooManyKeys => Ok(WriteResult::TooManyKeys),
                        ScriptReply::UploadLost => Ok(WriteResult::UploadLost),
                        ScriptReply::ConditionFailed(reply) => condition_failed(&reply),
                        other => Err(other.unexpected()),
                    };
                }
            }
        }
        Err(conflict(id))
    }

    async fn watch(&self, ids: &[ServiceId], ttl: Duration) -> Result<(), StoreError> {
        let watch = |id| {
            let mut watch = evalsha(&WATCH, &[self.keys.service(id)]);
            watch.arg(millis(ttl)).arg(self.keys.chat_channel());
            watch
        };
        let replies = self.query_each::<u64>(ids.iter().map(watch).collect());
        replies.await.map(drop)
    }

    async fn clear(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError> {
        let mut clear = evalsha(&CLEAR, &[self.keys.service(id)]);
        clear.arg(condition_argument(condition));
        match self.redis.query_replicated(&clear).await? {
            ScriptReply::Done(reply) => self.stored(id, reply).await,
            ScriptReply::Refused(_) => Ok(WriteResult::ServiceNotFound),
            ScriptReply::ConditionFailed(reply) => condition_failed(&reply),
            other => Err(other.unexpected()),
        }
    }

    async fn delete_area(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError> {
        self.delete_if(id, condition).await
    }
}

impl RedisStore {
    /// Reads all fields with one script.
    async fn read_at_once(
        &self,
        id: &ServiceId,
        request: &ReadAll,
    ) -> Result<FieldsRead, StoreError> {
        let mut read = evalsha(&READ_ALL, &[self.keys.service(id)]);
        read.arg(request.max_bytes);
        if request.known != Revisions::default() {
            read.arg(revisions_argument(&request.known));
        }
        match self.redis.query(&read).await? {
            Value::Int(bytes) => Ok(FieldsRead::TooLarge {
                bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            }),
            reply => parse_reply(reply).map(FieldsRead::Fields),
        }
    }

    /// The result of a change with this reply: the revision, and the descriptors of binaries that it replaced or
    /// removed.
    async fn stored(
        &self,
        id: &ServiceId,
        mut reply: Vec<String>,
    ) -> Result<WriteResult, StoreError> {
        let revision = revision_of(&reply)?;
        reply.remove(0);
        self.expire_replaced(id, reply).await;
        Ok(WriteResult::Stored(revision))
    }

    /// Sends a write with the commands that update the cleanup index, for its resources, and the list of services, for
    /// its new expiration time.
    async fn send_write(
        &self,
        schedule: Option<Cmd>,
        list: Option<Cmd>,
        write: Cmd,
    ) -> Result<ScriptReply, StoreError> {
        let redis = &self.redis;
        match (schedule, list) {
            (schedule, Some(list)) => {
                redis
                    .with_cleanup_index_and_listing(schedule, list, write)
                    .await
            }
            (Some(schedule), None) => redis.with_cleanup_index(schedule, write).await,
            (None, None) => redis.query_replicated(&write).await,
        }
    }

    fn write_command(
        &self,
        id: &ServiceId,
        changes: &Changes,
        ttl: Option<Duration>,
        known: &KnownResources,
    ) -> Result<Cmd, StoreError> {
        let mut touched = Vec::with_capacity(changes.set.len() + changes.remove.len());
        let mut removed = Vec::with_capacity(changes.remove.len());
        let mut set = Vec::with_capacity(2 * changes.set.len());
        for name in &changes.remove {
            touched.push(keys::binary_field(name));
            removed.push(name.as_str());
        }
        for (name, value) in &changes.set {
            touched.push(keys::binary_field(name));
            if value.binary().is_some() {
                removed.push(name.as_str());
            }
            set.extend(field_and_value(name, value)?);
        }
        // While a slot migrates, a script with a missing key is delayed, so `own` is passed only if it
        // is needed.
        let mut keys = vec![self.keys.service(id)];
        let new_binaries: Vec<&Binary> = binaries(&changes.set).collect();
        if !new_binaries.is_empty() || known.has_any() {
            keys.push(self.keys.owned(id));
        }
        if !new_binaries.is_empty() && id.is_storage_area() {
            set.extend([keys::HAS_RESOURCES.into(), "1".into()]);
        }
        let blobs = new_binaries.iter();
        keys.extend(blobs.map(|binary| self.keys.blob(id, &binary.blob)));
        keys.extend(known.keys_in_slot().cloned());
        let script = if ttl.is_some() {
            &WRITE_WITH_TTL
        } else {
            &WRITE
        };
        let mut write = evalsha(script, &keys);
        write.arg(self.max_keys);
        write.arg(set.len()).arg(&set);
        write.arg(touched.len()).arg(&touched);
        let condition = &changes.condition;
        let names = if condition.names_are_new { "*" } else { "" };
        let condition = [names, &condition_argument(condition)].concat();
        if condition.is_empty() && ttl.is_none() && removed.is_empty() && keys.len() == 1 {
            return Ok(write);
        }
        let ttl = ttl.map(|ttl| millis(ttl).to_string());
        write.arg(condition).arg(ttl.unwrap_or_default());
        write.arg(&known.claim).arg(millis(OWNED_TTL_MARGIN));
        write.arg(millis(REPLACED_TTL));
        write.arg(removed.len()).arg(&removed);
        write.arg(new_binaries.len());
        for binary in new_binaries {
            write
                .arg(binary.chunks())
                .arg(keys::owned_blob_field(&binary.blob));
        }
        for field in known.fields() {
            write.arg(field);
        }
        Ok(write)
    }
}

/// The result of a change whose condition is not met, with this reply.
fn condition_failed(reply: &[String]) -> Result<WriteResult, StoreError> {
    revision_of(reply).map(WriteResult::ConditionFailed)
}

/// The revisions of a condition for `revision.lua`.
pub(super) fn condition_argument(condition: &WriteCondition) -> String {
    condition
        .revisions
        .as_ref()
        .map_or_else(String::new, revisions_argument)
}

/// A set of revisions for `revision.lua`.
fn revisions_argument(revisions: &Revisions) -> String {
    match revisions {
        Revisions::Any => String::new(),
        Revisions::Listed(listed) => {
            let mut argument = String::from(" ");
            for revision in listed {
                argument.push_str(&revision.to_string());
                argument.push(' ');
            }
            argument
        }
    }
}

/// Parses the fields of a service.
fn parse_contents(
    mut fields: Vec<(String, String)>,
    with_binaries: bool,
) -> Result<StorageContents, StoreError> {
    let (mut rev, mut created) = (None, None);
    let mut binaries = Vec::new();
    fields.retain(|(field, value)| match Field::parse(field) {
        Field::Text(_) => true,
        Field::Binary(name) => {
            if with_binaries {
                binaries.push(parse_descriptor(value).map(|binary| (name.to_owned(), binary)));
            }
            false
        }
        Field::Internal => {
            match field.as_str() {
                keys::REVISION => rev = value.parse().ok(),
                keys::CREATED => created = value.parse().ok(),
                _ => {}
            }
            false
        }
    });
    let revision = to_revision(rev, created);
    let corrupt = || StoreError::Corrupt("the service has no revision".to_owned());
    Ok(StorageContents {
        revision: revision.ok_or_else(corrupt)?,
        texts: fields,
        binaries: binaries.into_iter().collect::<Result<_, _>>()?,
    })
}
