//! Changes of the expiration time of a service and of its resources.
//!
//! A script may only access the keys that it was given, in one slot. Its first call therefore assumes that the service
//! has nothing outside of its hash; if it has, the script changes nothing and returns it. The caller then changes the
//! expiration of what is in other slots, and calls the script again with the rest.

use redis::{Cmd, cmd};

use super::{
    MAX_ATTEMPTS, OWNED_TTL_MARGIN, RedisStore, conflict,
    keys::{Keys, OwnedResource},
    millis,
    script_reply::ScriptReply,
    scripts::{SET_END, evalsha},
};
use crate::{
    model::{BookingId, ServiceId, StoreError, Timestamp},
    store::webhook_hub::Outbox,
};

/// The reason of a change of the expiration time.
#[derive(Clone, Copy)]
pub(super) enum EndChange<'a> {
    /// A request to change it.
    Update,
    /// The create is finished. The text becomes the response to repeated creates.
    FinishCreate(Option<&'a str>),
}

/// What a service has outside of its hash, as far as it is known.
#[derive(Default)]
pub(super) struct KnownResources {
    /// The Redis key of its idempotency key; empty if it has none.
    pub(super) claim: String,
    /// The keys in the slot of the service, and their fields of `own:{id}`.
    in_slot: Vec<(String, String)>,
    bookings: Vec<(String, BookingId)>,
    /// The fields of `own:{id}` that have no key in the slot of the service.
    other_fields: Vec<String>,
    /// Whether one of the keys in the slot is the outbox.
    has_outbox: bool,
}

impl KnownResources {
    /// Parses [`ScriptReply::Retry`]: the idempotency key, and the fields of `own:{id}`.
    fn from_reply(keys: &Keys, id: &ServiceId, reply: Vec<String>) -> Self {
        let mut reply = reply.into_iter();
        let mut known = Self {
            claim: reply.next().unwrap_or_default(),
            ..Self::default()
        };
        for field in reply {
            match OwnedResource::parse(&field) {
                Some(OwnedResource::Blob(blob)) => {
                    known.in_slot.push((keys.blob(id, &blob), field));
                    continue;
                }
                Some(OwnedResource::Chat) => {
                    known.in_slot.push((keys.chat(id), field));
                    continue;
                }
                Some(OwnedResource::Webhook) => {
                    known.has_outbox = true;
                    known.in_slot.push((keys.events(id), field));
                    continue;
                }
                Some(OwnedResource::Booking(group, booking)) => {
                    known.bookings.push((group, booking));
                }
                Some(OwnedResource::Session(_)) | None => {}
            }
            known.other_fields.push(field);
        }
        known
    }

    /// Whether it is known to have anything.
    pub(super) fn has_any(&self) -> bool {
        self.fields().next().is_some()
    }

    /// The keys in the slot of the service, in the order of the first [`KnownResources::fields`].
    pub(super) fn keys_in_slot(&self) -> impl Iterator<Item = &String> {
        self.in_slot.iter().map(|(key, _)| key)
    }

    /// The fields of `own:{id}`.
    pub(super) fn fields(&self) -> impl Iterator<Item = &String> {
        let in_slot = self.in_slot.iter().map(|(_, field)| field);
        in_slot.chain(&self.other_fields)
    }
}

impl RedisStore {
    /// Changes the expiration time.
    pub(super) async fn change_end(
        &self,
        id: &ServiceId,
        end: Timestamp,
        change: EndChange<'_>,
    ) -> Result<Option<()>, StoreError> {
        let (finishes, response) = match change {
            EndChange::Update => (false, None),
            EndChange::FinishCreate(response) => (true, response),
        };
        let mut known = KnownResources::default();
        for _ in 0..MAX_ATTEMPTS {
            let mut keys = vec![self.keys.service(id), self.keys.owned(id)];
            keys.extend(known.keys_in_slot().cloned());
            let mut set = evalsha(&SET_END, &keys);
            set.arg(self.redis.now()?.millis()).arg(end.millis());
            set.arg(millis(OWNED_TTL_MARGIN)).arg(&known.claim);
            set.arg(response.unwrap_or_default());
            set.arg(u8::from(finishes));
            set.arg(if known.has_outbox { id.as_str() } else { "" });
            for field in known.fields() {
                set.arg(field);
            }
            let schedule = if known.has_outbox {
                self.schedule_outbox_check(id, end)?
            } else {
                self.schedule_cleanup_by(id, end)
            };
            let list = self.update_listing(id, end);
            match self
                .redis
                .with_cleanup_index_and_listing(Some(schedule), list, set)
                .await?
            {
                ScriptReply::Done(_) => {
                    if known.has_outbox {
                        self.webhooks.relay(Outbox::Service(id.clone()));
                    }
                    return Ok(Some(()));
                }
                ScriptReply::Refused(_) => {
                    self.unlist(id).await;
                    return Ok(None);
                }
                ScriptReply::Retry(reply) => known = self.extend_known(id, reply, end).await?,
                other => return Err(other.unexpected()),
            }
        }
        Err(conflict(id))
    }

    /// Changes the expiration of what a service has in other slots, and returns all that it has according to the
    /// `reply` of a script.
    pub(super) async fn extend_known(
        &self,
        id: &ServiceId,
        reply: Vec<String>,
        end: Timestamp,
    ) -> Result<KnownResources, StoreError> {
        let known = KnownResources::from_reply(&self.keys, id, reply);
        if !known.claim.is_empty() {
            self.extend_idempotency_key(&known.claim, id, Some(end))
                .await?;
        }
        self.extend_bookings(&known.bookings, end).await?;
        Ok(known)
    }

    /// The command that reschedules the sweep of `id`, if it is scheduled, to `when` or earlier. It
    /// never delays the sweep, because the caller does not know yet whether the service is active.
    pub(super) fn schedule_cleanup_by(&self, id: &ServiceId, when: Timestamp) -> Cmd {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id)).arg("XX").arg("LT");
        add.arg(when.millis()).arg(id.as_str());
        add
    }
}
