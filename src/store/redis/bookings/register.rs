//! The record of a booking in the resources of its service, before the number is booked.

use std::time::Duration;

use redis::{Cmd, Value};

use crate::{
    model::{BookResult, BookingId, BookingOwner, Group, ServiceId, StoreError, Timestamp},
    store::redis::{
        OWNED_TTL_MARGIN, RedisStore,
        connection::parse_reply,
        keys::{self, OwnedResource},
        millis,
        script_reply::ScriptReply,
        scripts::{REGISTER_OWNED, evalsha},
    },
};

/// The time after which a service whose create has begun but not completed is abandoned.
pub(in crate::store::redis) const PENDING_CREATE_TTL: Duration = Duration::from_secs(30);

/// A booking, and the commands that record it.
pub(super) struct Registration {
    pub(super) booking: BookingId,
    /// In this order: into the cleanup index, then into the resources of its service.
    pub(super) commands: [Cmd; 2],
}

impl RedisStore {
    /// The registration of a new booking.
    pub(super) fn registration(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        now: Timestamp,
    ) -> Registration {
        let id = owner.id();
        let (booking, suffix) = match owner {
            BookingOwner::NewRepeatable(_, digest) => (
                BookingId::generate_for_request(now, digest),
                BookingId::suffix_of(digest),
            ),
            BookingOwner::New(_) | BookingOwner::Existing(_) => {
                (BookingId::generate(now), String::new())
            }
        };
        let abandoned_at = now.after(PENDING_CREATE_TTL).millis().to_string();
        let mut schedule = redis::cmd("ZADD");
        schedule.arg(self.keys.index(id));
        if !owner.is_new() {
            // An existing entry is correct; for a new one the sweep determines the actual expiration.
            schedule.arg("NX");
        }
        schedule.arg(&abandoned_at).arg(id.as_str());
        let keys = [self.keys.service(id), self.keys.owned(id)];
        let mut register = evalsha(&REGISTER_OWNED, &keys);
        register.arg(now.millis());
        register.arg(keys::owned_booking_field(&group.name, &booking));
        register.arg(if owner.is_new() {
            abandoned_at.as_str()
        } else {
            ""
        });
        register.arg(millis(OWNED_TTL_MARGIN));
        register.arg(keys::owned_booking_prefix(&group.name));
        register.arg(suffix);
        Registration {
            booking,
            commands: [schedule, register],
        }
    }

    /// The command that removes a booking without a number from the resources of its service. `None` if a concurrent
    /// repetition may use the booking: it remains until the service ends or its create is abandoned.
    pub(super) fn unregister_booking(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        booking: &BookingId,
    ) -> Option<Cmd> {
        if let BookingOwner::NewRepeatable(..) = owner {
            return None;
        }
        Some(self.unregister_command(owner.id(), &group.name, booking))
    }

    /// The command that removes a booking from the resources of the service.
    pub(super) fn unregister_command(
        &self,
        id: &ServiceId,
        group: &str,
        booking: &BookingId,
    ) -> Cmd {
        let mut unregister = redis::cmd("HDEL");
        unregister
            .arg(self.keys.owned(id))
            .arg(keys::owned_booking_field(group, booking));
        unregister
    }
}

/// Parses the reply of the registration: the booking, which for a repetition of a request is that of the first one, and
/// the expiration time of its owner; or why there is none.
pub(super) fn parse_registration(
    reply: Value,
) -> Result<Result<(BookingId, Timestamp), BookResult>, StoreError> {
    match parse_reply(reply)? {
        ScriptReply::Done(reply) => {
            let end = reply.first().and_then(|end| end.parse().ok());
            let end =
                end.ok_or_else(|| StoreError::Corrupt("expiration time of a service".to_owned()))?;
            let registered = reply.get(1).and_then(|field| OwnedResource::parse(field));
            let Some(OwnedResource::Booking(_, booking)) = registered else {
                return Err(StoreError::Corrupt("registered booking".to_owned()));
            };
            Ok(Ok((booking, Timestamp::from_millis(end))))
        }
        ScriptReply::Refused(mut stored) => Ok(Err(stored
            .pop()
            .map_or(BookResult::ServiceNotFound, BookResult::Replayed))),
        other => Err(other.unexpected()),
    }
}
