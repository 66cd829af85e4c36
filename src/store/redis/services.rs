//! A service from its making to its end.

use std::time::Duration;

use redis::{Cmd, cmd};
use tracing::warn;

use super::{
    ATTEMPTS, OWN_OUTLIVES_BY, RedisStore,
    binaries::entry,
    binaries_of, conflict,
    connection::typed,
    keys::{self, Field, Owned},
    millis,
    reply::{self, Reply, replies},
    scripts::{ATTACH, CREATE, DELETE, MOVE_CLAIM, SET_END, call},
};
use crate::store::{
    Claim, Created, Description, IdempotencyKey, Moment, NewService, Running, ServiceId, Session,
    StoreError,
};

/// When the sweep looks after a service that is given a binary; it finds the true end then.
const LOOK_SOON: Duration = Duration::from_secs(60);

impl RedisStore {
    pub(super) async fn claim_key(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Moment,
    ) -> Result<Claim, StoreError> {
        let claim = self.keys.claim(key);
        let mut bind = cmd("SET");
        let end = self.redis.for_server(&claim, end)?;
        bind.arg(&claim).arg(id.as_str()).arg("NX");
        bind.arg("PXAT").arg(end.millis());
        let get = cmd("GET").arg(&claim).to_owned();
        for _ in 0..ATTEMPTS {
            let [won, bound] = replies(self.redis.in_turn(vec![bind.clone(), get.clone()]).await?)?;
            let (won, bound): (Option<String>, Option<String>) = (typed(won)?, typed(bound)?);
            match bound.map(ServiceId::from) {
                Some(bound) if won.is_some() => return Ok(Claim::Create(bound)),
                Some(bound) => {
                    let mut get = cmd("HGET");
                    get.arg(self.keys.service(&bound)).arg(keys::ANSWER);
                    let kept: Option<String> = self.redis.query(&get).await?;
                    return Ok(match kept {
                        Some(kept) => Claim::Answered { id: bound, kept },
                        None => Claim::Create(bound),
                    });
                }
                None => {} // it ended between the two commands
            }
        }
        Err(conflict(&id))
    }

    /// Gives `claim` back, or moves it to `end`, if it is this service's.
    async fn move_claim(
        &self,
        claim: &str,
        id: &ServiceId,
        end: Option<Moment>,
    ) -> Result<(), StoreError> {
        let end = end.map(|end| end.millis().to_string()).unwrap_or_default();
        let mut moves = call(&MOVE_CLAIM, &[claim.to_owned()]);
        moves.arg(id.as_str()).arg(self.redis.now()?.millis());
        self.redis.change(moves.arg(end)).await
    }

    pub(super) async fn create_service(&self, service: NewService) -> Result<Created, StoreError> {
        let NewService { id, end, data, .. } = service;
        let binaries = binaries_of(&data);
        let blobs = binaries
            .iter()
            .map(|binary| self.keys.blob(&id, &binary.blob));
        let mut keys = vec![self.keys.service(&id), self.keys.own(&id)];
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
        let mut create = call(&CREATE, &keys);
        create.arg(self.redis.now()?.millis());
        create.arg(service.created.millis()).arg(end.millis());
        create.arg(millis(OWN_OUTLIVES_BY));
        create.arg(owned.len()).arg(&owned);
        for binary in &binaries {
            create.arg(binary.chunks());
        }
        create.arg(keys::DEFINITION).arg(service.definition);
        if let Some(user) = service.gms_user {
            create.arg(keys::GMS_USER).arg(user);
        }
        let mut claim = None;
        if let Some((key, kept)) = service.repeatable {
            let key = claim.insert(self.keys.claim(&key));
            create.arg(keys::CLAIM).arg(&*key);
            create.arg(keys::ANSWER).arg(kept);
        }
        for (name, value) in data {
            let (field, value) = entry(name, value)?;
            create.arg(field).arg(value);
        }
        // With a number it was listed when that was held.
        let look = (!binaries.is_empty()).then(|| self.look_soon(&id));
        let look = look.transpose()?;
        let list = self.list_service(&id, end);
        let reply = self.redis.listed(look, list, create).await?;
        match reply {
            Reply::Done(_) => {
                // It was bound before anybody knew how long the service would live. Not before the
                // service stands: a slower request of the same key must not move it.
                if let Some(claim) = claim
                    && let Err(error) = self.move_claim(&claim, &id, Some(end)).await
                {
                    warn!(id = %id.hint(), %error, "an idempotency key ends at another time than its service");
                }
                Ok(Created::New)
            }
            Reply::UploadLost => Ok(Created::UploadLost),
            Reply::Refused(mut answer) => match answer.pop() {
                Some(answer) => Ok(Created::Before(answer)),
                None => Err(StoreError::Bug(format!(
                    "the new service id {} is in use",
                    id.hint()
                ))),
            },
            other => Err(other.unexpected()),
        }
    }

    /// The command that has the sweep look after `id`, which is about to hold something, if it does not
    /// already. It is sent before anybody knows whether that comes to be, so it names no end that might
    /// be wrong: the sweep finds the true one, or that there is nothing.
    pub(super) fn look_soon(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("NX");
        let soon = self.redis.now()?.after(LOOK_SOON);
        add.arg(soon.millis()).arg(id.as_str());
        Ok(add)
    }

    /// The command that has the sweep look after `id`, if it does at all, no later than `when`. Never
    /// later than it would have: whoever sends this does not know yet whether the service lives.
    fn look_by(&self, id: &ServiceId, when: Moment) -> Cmd {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("XX").arg("LT");
        add.arg(when.millis()).arg(id.as_str());
        add
    }

    /// The command that has the sweep look after `id`, if it does at all, now.
    fn look_now(&self, id: &ServiceId) -> Result<Cmd, StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("XX");
        add.arg(self.redis.now()?.millis()).arg(id.as_str());
        Ok(add)
    }

    pub(super) async fn describe_service(
        &self,
        id: &ServiceId,
    ) -> Result<Option<Description>, StoreError> {
        // Two round trips, so that no value travels, however large.
        let key = self.keys.service(id);
        let fields: Vec<String> = self.redis.query(cmd("HKEYS").arg(&key)).await?;
        let ours = [keys::DEFINITION, keys::CREATED, keys::END, keys::GMS_USER];
        let described = fields.iter().filter_map(|field| match Field::of(field) {
            Field::Binary(name) => Some((name, field)),
            Field::Text(_) | Field::Ours => None,
        });
        let (names, descriptors): (Vec<&str>, Vec<&String>) = described.unzip();
        let mut get = cmd("HMGET");
        get.arg(&key).arg(&ours).arg(&descriptors);
        let values: Vec<Option<String>> = self.redis.query(&get).await?;
        let texts = fields.iter().filter_map(|field| match Field::of(field) {
            Field::Text(name) => Some(name.to_owned()),
            Field::Binary(_) | Field::Ours => None,
        });
        let Some(mut told) = reply::description(values, texts.collect(), &names)? else {
            return Ok(None);
        };
        told.created = self.redis.of_server(&key, told.created)?;
        told.end = self.redis.of_server(&key, told.end)?;
        Ok(Some(told))
    }

    pub(super) async fn find_running(&self, id: &ServiceId) -> Result<Option<Running>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(keys::BACKEND).arg(keys::SESSION);
        let fields: (Option<String>, Option<String>, Option<String>) =
            self.redis.query(&get).await?;
        let (Some(definition), backend, name) = fields else {
            return Ok(None);
        };
        let session = backend.map(|backend| Session {
            definition: definition.clone(),
            backend,
            name: name.unwrap_or_default(),
        });
        Ok(Some(Running {
            definition,
            session,
        }))
    }

    pub(super) async fn attach_session(
        &self,
        id: &ServiceId,
        session: &Session,
    ) -> Result<Option<()>, StoreError> {
        let mut attach = call(&ATTACH, &[self.keys.service(id), self.keys.own(id)]);
        attach.arg(keys::owned_session_field(session));
        attach.arg(millis(OWN_OUTLIVES_BY));
        attach.arg(keys::BACKEND).arg(&session.backend);
        attach.arg(keys::SESSION).arg(&session.name);
        match self.redis.indexed(self.look_soon(id)?, attach).await? {
            Reply::Done(_) => Ok(Some(())),
            Reply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    /// Moves the end; where there is an `answer`, a repeat of the create gets it from then on.
    pub(super) async fn move_end(
        &self,
        id: &ServiceId,
        end: Moment,
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        let (mut claim, mut owned) = (String::new(), Vec::new());
        for _ in 0..ATTEMPTS {
            let (blobs, others): (Vec<_>, Vec<_>) = owned
                .into_iter()
                .partition(|(blob, _)| matches!(blob, Some(Owned::Blob(_))));
            let mut keys = vec![self.keys.service(id), self.keys.own(id)];
            keys.extend(blobs.iter().filter_map(|(owned, _)| match owned {
                Some(Owned::Blob(blob)) => Some(self.keys.blob(id, blob)),
                _ => None,
            }));
            let mut set = call(&SET_END, &keys);
            set.arg(self.redis.now()?.millis()).arg(end.millis());
            set.arg(millis(OWN_OUTLIVES_BY)).arg(&claim);
            set.arg(answer.unwrap_or_default());
            for (_, field) in blobs.iter().chain(&others) {
                set.arg(field);
            }
            let (look, list) = (self.look_by(id, end), self.list_again(id, end));
            match self.redis.listed(Some(look), list, set).await? {
                Reply::Done(_) => return Ok(Some(())),
                Reply::Refused(_) => return Ok(None),
                Reply::Again(needed) => {
                    let mut needed = needed.into_iter();
                    claim = needed.next().unwrap_or_default();
                    owned = needed.map(|field| (Owned::of(&field), field)).collect();
                }
                other => return Err(other.unexpected()),
            }
            if !claim.is_empty() {
                self.move_claim(&claim, id, Some(end)).await?;
            }
            let bookings: Vec<_> = owned
                .iter()
                .filter_map(|(owned, _)| match owned {
                    Some(Owned::Booking(group, booking)) => Some((group.clone(), booking.clone())),
                    _ => None,
                })
                .collect();
            self.move_bookings(&bookings, end).await?;
        }
        Err(conflict(id))
    }

    pub(super) async fn delete_service(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let mut claim = String::new();
        for _ in 0..ATTEMPTS {
            // First, so that the sweep knows even if Redis' message about the end is lost.
            let look = self.look_now(id)?;
            let mut delete = call(&DELETE, &[self.keys.service(id)]);
            delete.arg(&claim);
            let unlist = self.unlist_service(id);
            match self.redis.listed(Some(look), unlist, delete).await? {
                Reply::Done(_) => return Ok(Some(())),
                Reply::Refused(_) => return Ok(None),
                Reply::Again(needed) => claim = needed.concat(),
                other => return Err(other.unexpected()),
            }
            self.move_claim(&claim, id, None).await?;
        }
        Err(conflict(id))
    }
}
