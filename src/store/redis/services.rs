//! A service from its making to its end.

use std::time::Duration;

use redis::{Cmd, cmd};
use tracing::warn;

use super::{
    MAX_ATTEMPTS, OWNED_TTL_MARGIN, RedisStore,
    binaries::field_and_value,
    binaries_of, conflict,
    connection::parse_reply,
    keys::{self, Field, OwnedResource},
    millis,
    script_reply::{self, ScriptReply, reply_array},
    scripts::{ATTACH_SESSION, CREATE, DELETE, EXTEND_IDEMPOTENCY_KEY, SET_END, evalsha},
};
use crate::store::{
    BackendSession, CreateResult, Description, IdempotencyClaim, IdempotencyKey, NewService,
    RunningService, ServiceId, StoreError, Timestamp,
};

/// When the sweep looks after a service that is given a binary; it finds the true end then.
const CLEANUP_CHECK_DELAY: Duration = Duration::from_secs(60);

impl RedisStore {
    pub(super) async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError> {
        let claim = self.keys.idempotency_key(key);
        let mut bind = cmd("SET");
        let end = self.redis.to_server_time(&claim, end)?;
        bind.arg(&claim).arg(id.as_str()).arg("NX");
        bind.arg("PXAT").arg(end.millis());
        let get = cmd("GET").arg(&claim).to_owned();
        for _ in 0..MAX_ATTEMPTS {
            let [won, bound] = reply_array(
                self.redis
                    .pipeline_ordered(vec![bind.clone(), get.clone()])
                    .await?,
            )?;
            let (won, bound): (Option<String>, Option<String>) =
                (parse_reply(won)?, parse_reply(bound)?);
            match bound.map(ServiceId::from) {
                Some(bound) if won.is_some() => return Ok(IdempotencyClaim::Create(bound)),
                Some(bound) => {
                    let mut get = cmd("HGET");
                    get.arg(self.keys.service(&bound)).arg(keys::ANSWER);
                    let kept: Option<String> = self.redis.query(&get).await?;
                    return Ok(match kept {
                        Some(kept) => IdempotencyClaim::Replayed { id: bound, kept },
                        None => IdempotencyClaim::Create(bound),
                    });
                }
                None => {} // it ended between the two commands
            }
        }
        Err(conflict(&id))
    }

    /// Gives `claim` back, or moves it to `end`, if it is this service's.
    async fn extend_idempotency_key(
        &self,
        claim: &str,
        id: &ServiceId,
        end: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let end = end.map(|end| end.millis().to_string()).unwrap_or_default();
        let mut moves = evalsha(&EXTEND_IDEMPOTENCY_KEY, &[claim.to_owned()]);
        moves.arg(id.as_str()).arg(self.redis.now()?.millis());
        self.redis.query_replicated(moves.arg(end)).await
    }

    pub(super) async fn create(&self, service: NewService) -> Result<CreateResult, StoreError> {
        let NewService { id, end, data, .. } = service;
        let binaries = binaries_of(&data);
        let blobs = binaries
            .iter()
            .map(|binary| self.keys.blob(&id, &binary.blob));
        let mut keys = vec![self.keys.service(&id), self.keys.owned(&id)];
        keys.extend(blobs);
        let blobs = binaries
            .iter()
            .map(|binary| keys::owned_blob_field(&binary.blob));
        let booking = service.booking.iter();
        let booking = booking.map(|held| keys::owned_booking_field(&held.group, &held.id));
        let owned: Vec<String> = blobs.chain(booking).collect();
        if owned.is_empty() {
            keys.truncate(1);
        }
        let mut create = evalsha(&CREATE, &keys);
        create.arg(self.redis.now()?.millis());
        create.arg(service.created.millis()).arg(end.millis());
        create.arg(millis(OWNED_TTL_MARGIN));
        create.arg(owned.len()).arg(&owned);
        for binary in &binaries {
            create.arg(binary.chunks());
        }
        create.arg(keys::DEFINITION).arg(service.definition);
        if let Some(user) = service.gms_user {
            create.arg(keys::GMS_USER).arg(user);
        }
        let mut claim = None;
        if let Some((key, kept)) = service.idempotency {
            let key = claim.insert(self.keys.idempotency_key(&key));
            create.arg(keys::CLAIM).arg(&*key);
            create.arg(keys::ANSWER).arg(kept);
        }
        for (name, value) in data {
            let (field, value) = field_and_value(name, value)?;
            create.arg(field).arg(value);
        }
        // With a number it was listed when that was held.
        let look = (!binaries.is_empty()).then(|| self.schedule_cleanup_soon(&id));
        let look = look.transpose()?;
        let list = self.add_listing(&id, end);
        let reply = self
            .redis
            .with_cleanup_index_and_listing(look, list, create)
            .await?;
        match reply {
            ScriptReply::Done(_) => {
                // It was bound before anybody knew how long the service would live. Not before the
                // service stands: a slower request of the same key must not move it.
                if let Some(claim) = claim
                    && let Err(error) = self.extend_idempotency_key(&claim, &id, Some(end)).await
                {
                    warn!(id = %id.redacted(), %error, "an idempotency key ends at another time than its service");
                }
                Ok(CreateResult::Created)
            }
            ScriptReply::UploadLost => Ok(CreateResult::UploadLost),
            ScriptReply::Refused(mut answer) => match answer.pop() {
                Some(answer) => Ok(CreateResult::Replayed(answer)),
                None => Err(StoreError::Bug(format!(
                    "the new service id {} is in use",
                    id.redacted()
                ))),
            },
            other => Err(other.unexpected()),
        }
    }

    /// The command that has the sweep look after `id`, which is about to hold something, if it does not
    /// already. It is sent before anybody knows whether that comes to be, so it names no end that might
    /// be wrong: the sweep finds the true one, or that there is nothing.
    pub(super) fn schedule_cleanup_soon(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("NX");
        let soon = self.redis.now()?.after(CLEANUP_CHECK_DELAY);
        add.arg(soon.millis()).arg(id.as_str());
        Ok(add)
    }

    /// The command that has the sweep look after `id`, if it does at all, no later than `when`. Never
    /// later than it would have: whoever sends this does not know yet whether the service lives.
    fn schedule_cleanup_by(&self, id: &ServiceId, when: Timestamp) -> Cmd {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("XX").arg("LT");
        add.arg(when.millis()).arg(id.as_str());
        add
    }

    /// The command that has the sweep look after `id`, if it does at all, now.
    fn schedule_cleanup_now(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("XX");
        add.arg(self.redis.now()?.millis()).arg(id.as_str());
        Ok(add)
    }

    pub(super) async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        // Two round trips, so that no value travels, however large.
        let key = self.keys.service(id);
        let fields: Vec<String> = self.redis.query(cmd("HKEYS").arg(&key)).await?;
        let ours = [keys::DEFINITION, keys::CREATED, keys::END, keys::GMS_USER];
        let described = fields.iter().filter_map(|field| match Field::parse(field) {
            Field::Binary(name) => Some((name, field)),
            Field::Text(_) | Field::Internal => None,
        });
        let (names, descriptors): (Vec<&str>, Vec<&String>) = described.unzip();
        let mut get = cmd("HMGET");
        get.arg(&key).arg(&ours).arg(&descriptors);
        let values: Vec<Option<String>> = self.redis.query(&get).await?;
        let texts = fields.iter().filter_map(|field| match Field::parse(field) {
            Field::Text(name) => Some(name.to_owned()),
            Field::Binary(_) | Field::Internal => None,
        });
        let Some(mut told) = script_reply::parse_description(values, texts.collect(), &names)?
        else {
            return Ok(None);
        };
        told.created = self.redis.from_server_time(&key, told.created)?;
        told.end = self.redis.from_server_time(&key, told.end)?;
        Ok(Some(told))
    }

    pub(super) async fn running_service(
        &self,
        id: &ServiceId,
    ) -> Result<Option<RunningService>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(keys::BACKEND).arg(keys::SESSION);
        let fields: (Option<String>, Option<String>, Option<String>) =
            self.redis.query(&get).await?;
        let (Some(definition), backend, name) = fields else {
            return Ok(None);
        };
        let session = backend.map(|backend| BackendSession {
            definition: definition.clone(),
            backend,
            name: name.unwrap_or_default(),
        });
        Ok(Some(RunningService {
            definition,
            session,
        }))
    }

    pub(super) async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError> {
        let mut attach = evalsha(
            &ATTACH_SESSION,
            &[self.keys.service(id), self.keys.owned(id)],
        );
        attach.arg(keys::owned_session_field(session));
        attach.arg(millis(OWNED_TTL_MARGIN));
        attach.arg(keys::BACKEND).arg(&session.backend);
        attach.arg(keys::SESSION).arg(&session.name);
        match self
            .redis
            .with_cleanup_index(self.schedule_cleanup_soon(id)?, attach)
            .await?
        {
            ScriptReply::Done(_) => Ok(Some(())),
            ScriptReply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    /// Moves the end; where there is an `answer`, a repeat of the create gets it from then on.
    pub(super) async fn set_end(
        &self,
        id: &ServiceId,
        end: Timestamp,
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        let (mut claim, mut owned) = (String::new(), Vec::new());
        for _ in 0..MAX_ATTEMPTS {
            let (blobs, others): (Vec<_>, Vec<_>) = owned
                .into_iter()
                .partition(|(blob, _)| matches!(blob, Some(OwnedResource::Blob(_))));
            let mut keys = vec![self.keys.service(id), self.keys.owned(id)];
            keys.extend(blobs.iter().filter_map(|(owned, _)| match owned {
                Some(OwnedResource::Blob(blob)) => Some(self.keys.blob(id, blob)),
                _ => None,
            }));
            let mut set = evalsha(&SET_END, &keys);
            set.arg(self.redis.now()?.millis()).arg(end.millis());
            set.arg(millis(OWNED_TTL_MARGIN)).arg(&claim);
            set.arg(answer.unwrap_or_default());
            for (_, field) in blobs.iter().chain(&others) {
                set.arg(field);
            }
            let (look, list) = (
                self.schedule_cleanup_by(id, end),
                self.update_listing(id, end),
            );
            match self
                .redis
                .with_cleanup_index_and_listing(Some(look), list, set)
                .await?
            {
                ScriptReply::Done(_) => return Ok(Some(())),
                ScriptReply::Refused(_) => return Ok(None),
                ScriptReply::Retry(needed) => {
                    let mut needed = needed.into_iter();
                    claim = needed.next().unwrap_or_default();
                    owned = needed
                        .map(|field| (OwnedResource::parse(&field), field))
                        .collect();
                }
                other => return Err(other.unexpected()),
            }
            if !claim.is_empty() {
                self.extend_idempotency_key(&claim, id, Some(end)).await?;
            }
            let bookings: Vec<_> = owned
                .iter()
                .filter_map(|(owned, _)| match owned {
                    Some(OwnedResource::Booking(group, booking)) => {
                        Some((group.clone(), booking.clone()))
                    }
                    _ => None,
                })
                .collect();
            self.extend_bookings(&bookings, end).await?;
        }
        Err(conflict(id))
    }

    pub(super) async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let mut claim = String::new();
        for _ in 0..MAX_ATTEMPTS {
            // First, so that the sweep knows even if Redis' message about the end is lost.
            let look = self.schedule_cleanup_now(id)?;
            let mut delete = evalsha(&DELETE, &[self.keys.service(id)]);
            delete.arg(&claim);
            let unlist = self.remove_listing(id);
            match self
                .redis
                .with_cleanup_index_and_listing(Some(look), unlist, delete)
                .await?
            {
                ScriptReply::Done(_) => return Ok(Some(())),
                ScriptReply::Refused(_) => return Ok(None),
                ScriptReply::Retry(needed) => claim = needed.concat(),
                other => return Err(other.unexpected()),
            }
            self.extend_idempotency_key(&claim, id, None).await?;
        }
        Err(conflict(id))
    }
}
