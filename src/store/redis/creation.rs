//! The command that creates a service.

use std::borrow::Cow;

use redis::Cmd;

use super::{
    OWNED_TTL_MARGIN, RedisStore,
    binaries::field_and_value,
    keys, millis,
    scripts::{CREATE, CREATE_WITH_EVENT, evalsha},
};
use crate::model::{Binary, NewService, StoreError, binaries, webhook::EventType};

/// A call of the script that creates a service, and what belongs to it.
pub(super) struct Creation {
    /// The call of the script.
    pub(super) command: Cmd,
    /// The command that schedules the sweep of the service, if it has resources.
    pub(super) schedule: Option<Cmd>,
    /// Whether the script writes an event.
    pub(super) has_event: bool,
    /// The key of the idempotency key of the create.
    pub(super) claim: Option<String>,
}

impl RedisStore {
    /// The commands that create `service`.
    pub(super) fn creation(&self, service: &NewService) -> Result<Creation, StoreError> {
        let id = &service.id;
        let binaries: Vec<&Binary> = binaries(&service.data).collect();
        let hook = subscription_of(service);
        let owned = owned_fields(service, &binaries, hook.as_deref());
        let mut keys = vec![self.keys.service(id)];
        if !owned.is_empty() || id.is_custom() {
            keys.push(self.keys.owned(id));
        }
        let blobs = binaries.iter();
        keys.extend(blobs.map(|binary| self.keys.blob(id, &binary.blob)));
        let created_event = service.webhook.filter(|webhook| {
            !service.is_pending && webhook.events.contains(EventType::ServiceCreated)
        });
        let event = created_event.and(hook.as_deref());
        let mut script = &CREATE;
        if event.is_some() {
            keys.push(self.keys.events(id));
            script = &CREATE_WITH_EVENT;
        }
        let claim = service.idempotency.as_ref();
        let claim = claim.map(|(key, _)| self.keys.idempotency_key(key));
        let fields = fields_of(service, hook.as_deref(), claim.as_deref())?;
        let mut command = evalsha(script, &keys);
        command.arg(self.redis.now()?.millis());
        command.arg(service.created.millis());
        command.arg(service.end.millis());
        command.arg(fields.len()).arg(&fields);
        if keys.len() > 1 {
            command.arg(millis(OWNED_TTL_MARGIN));
            command.arg(event.unwrap_or_default());
            command.arg(event.map_or("", |_| id.as_str()));
            command.arg(u8::from(id.is_custom()));
            command.arg(owned.len()).arg(&owned);
            for binary in &binaries {
                command.arg(binary.chunks());
            }
        }
        // A service with a number is in the cleanup index since it was booked.
        let schedule = if hook.is_some() {
            Some(self.schedule_outbox_check(id, service.end)?)
        } else if binaries.is_empty() {
            None
        } else {
            Some(self.schedule_cleanup_soon(id)?)
        };
        Ok(Creation {
            command,
            schedule,
            has_event: event.is_some(),
            claim,
        })
    }
}

/// The fields of `own:{id}`.
fn owned_fields(service: &NewService, binaries: &[&Binary], hook: Option<&str>) -> Vec<String> {
    let blobs = binaries.iter();
    let blobs = blobs.map(|binary| keys::owned_blob_field(&binary.blob));
    let booking = service.booking.iter();
    let booking = booking.map(|booking| keys::owned_booking_field(&booking.group, &booking.id));
    let hook = hook.map(|hook| keys::owned_webhook_field(hook, &service.definition));
    blobs.chain(booking).chain(hook).collect()
}

/// The fields of `svc:{id}`, each followed by its value.
fn fields_of<'a>(
    service: &'a NewService,
    hook: Option<&'a str>,
    claim: Option<&'a str>,
) -> Result<Vec<Cow<'a, str>>, StoreError> {
    let stored_response = service.idempotency.as_ref();
    let has_resources = service.id.is_storage_area() && binaries(&service.data).next().is_some();
    let internal = [
        (keys::DEFINITION, Some(&*service.definition)),
        (keys::GMS_USER, service.gms_user.as_deref()),
        (keys::HOOK, hook),
        (keys::CLAIM, claim),
        (keys::RESPONSE, stored_response.map(|(_, stored)| &**stored)),
        (keys::HAS_RESOURCES, has_resources.then_some("1")),
    ];
    let mut fields = Vec::with_capacity(2 * (internal.len() + service.data.len()));
    for (field, value) in internal {
        if let Some(value) = value {
            fields.extend([field.into(), value.into()]);
        }
    }
    for (name, value) in &service.data {
        fields.extend(field_and_value(name, value)?);
    }
    Ok(fields)
}

/// The field `_hook` of a service with a webhook.
fn subscription_of(service: &NewService) -> Option<String> {
    let code = service.webhook?.code();
    Some(if service.is_pending {
        [keys::PENDING_HOOK, &code].concat()
    } else {
        code
    })
}
