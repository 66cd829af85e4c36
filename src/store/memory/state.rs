//! The maps of the embedded store and its expiry queue.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
};

use bytes::Bytes;

use self::{
    audit_log::AuditLogTable,
    expiry_queue::{Expiry, ExpiryKey, ExpiryQueue},
    failed_matches::FailedMatchTable,
    rate_limits::RateLimits,
    service_record::cost,
    statistics::StatisticsTable,
};
pub(super) use self::{
    chat_record::ChatRecord,
    ended_service::EndedService,
    endpoint_queue::EndpointQueue,
    group_state::{AllocationResult, GroupState},
    service_record::ServiceRecord,
    webhooks::WebhookTable,
};
use crate::{
    model::{
        BlobId, Booking, BookingId, Call, Group, Groups, IdempotencyKey, KeyName, Revision,
        ServiceId, StatusRequest, StoreError, StoredCatalog, Timestamp, Value, webhook::EventType,
    },
    store::clock::AnchoredClock,
};

mod audit_log;
mod blobs;
mod chat_record;
mod ended_service;
mod endpoint_queue;
mod expiry_queue;
mod failed_matches;
mod group_state;
mod rate_limits;
mod service_record;
mod statistics;
mod values;
mod webhooks;

#[derive(Default)]
struct Blob {
    chunks: Vec<Bytes>,
    /// The key of its entry in the expiry queue; `None` while an active service refers to it.
    expiry_key: Option<ExpiryKey>,
}

/// A bound [`IdempotencyKey`].
struct IdempotencyBinding {
    id: ServiceId,
    /// The key of its entry in the expiry queue; `None` once the service exists, with which it expires.
    expiry_key: Option<ExpiryKey>,
}

/// The whole state of the embedded store.
pub(super) struct State {
    pub(super) services: HashMap<ServiceId, ServiceRecord>,
    blobs: HashMap<BlobId, Blob>,
    claims: HashMap<IdempotencyKey, IdempotencyBinding>,
    expiries: ExpiryQueue,
    pub(super) groups: HashMap<String, GroupState>,
    /// Ended services whose backend sessions are to be terminated.
    pub(super) ended_services: Vec<EndedService>,
    pub(super) rate_limits: RateLimits,
    /// The expiration time and value of each admin session, by id.
    pub(super) admin_sessions: HashMap<String, (Timestamp, String)>,
    pub(super) catalog: StoredCatalog,
    pub(super) audit_log: AuditLogTable,
    pub(super) failed_matches: FailedMatchTable,
    /// The time of the last heartbeat and its text, by replica.
    pub(super) replicas: BTreeMap<String, (Timestamp, String)>,
    /// The last requested status, by replica.
    pub(super) status_requests: HashMap<String, StatusRequest>,
    /// The available agents: the end of the availability and the definitions, by user name.
    pub(super) agents: HashMap<String, (Timestamp, Vec<String>)>,
    pub(super) statistics: StatisticsTable,
    pub(super) webhooks: WebhookTable,
    pub(super) clock: AnchoredClock,
    /// The largest revision of all storages. New ones begin after it, so those of a custom id that is used again are
    /// larger than before.
    last_revision: Revision,
    used_bytes: usize,
    max_bytes: usize,
}

impl State {
    pub(super) fn new(max_bytes: usize, clock: AnchoredClock) -> Self {
        Self {
            services: HashMap::new(),
            blobs: HashMap::new(),
            claims: HashMap::new(),
            expiries: ExpiryQueue::default(),
            groups: HashMap::new(),
            ended_services: Vec::new(),
            rate_limits: RateLimits::default(),
            admin_sessions: HashMap::new(),
            catalog: StoredCatalog::default(),
            audit_log: AuditLogTable::default(),
            failed_matches: FailedMatchTable::default(),
            replicas: BTreeMap::new(),
            status_requests: HashMap::new(),
            agents: HashMap::new(),
            statistics: StatisticsTable::default(),
            webhooks: WebhookTable::default(),
            clock,
            last_revision: Revision::default(),
            used_bytes: 0,
            max_bytes,
        }
    }

    /// Removes everything that expires at or before `now`.
    pub(super) fn remove_expired(&mut self, now: Timestamp) {
        self.rate_limits.remove_expired(now);
        let mut with_events = Vec::new();
        for (name, group) in &mut self.groups {
            group.reclaim(now);
            if !group.events.is_empty() {
                with_events.push(name.clone());
            }
        }
        for group in with_events {
            self.add_number_events(&group);
        }
        while let Some(expiry) = self.expiries.pop_expired(now) {
            match expiry {
                Expiry::Service(id) => drop(self.end_service(&id, EventType::ServiceExpired)),
                Expiry::Blob(blob) => self.drop_blob(&blob),
                Expiry::Claim(key) => drop(self.claims.remove(&key)),
            }
        }
    }

    pub(super) fn service(&self, id: &ServiceId) -> Option<&ServiceRecord> {
        self.services.get(id)
    }

    /// Returns the id that `key` is bound to; binds it to `id` if it is unbound.
    pub(super) fn claim(
        &mut self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> ServiceId {
        if let Some(binding) = self.claims.get(key) {
            return binding.id.clone();
        }
        let expiry_key = self.expiries.schedule(end, Expiry::Claim(key.clone()));
        let binding = IdempotencyBinding {
            id: id.clone(),
            expiry_key: Some(expiry_key),
        };
        self.claims.insert(key.clone(), binding);
        id
    }

    /// Checks that there is space for the strings of `values`; the chunks of binaries have been counted
    /// already.
    pub(super) fn check_room_for(&self, values: &[(KeyName, Value)]) -> Result<(), StoreError> {
        self.check_room(cost_of(values))
    }

    pub(super) fn check_room(&self, required: usize) -> Result<(), StoreError> {
        let used_bytes = self.used_bytes + self.webhooks.used_bytes();
        if used_bytes + required > self.max_bytes {
            let message = format!("{used_bytes} of {} bytes are in use", self.max_bytes);
            return Err(StoreError::Full(message));
        }
        Ok(())
    }

    pub(super) fn add_used_bytes(&mut self, bytes: usize) {
        self.used_bytes += bytes;
    }

    pub(super) fn insert(&mut self, id: ServiceId, mut record: ServiceRecord) {
        let claim = record.claim.as_ref();
        let binding = claim.and_then(|key| self.claims.get_mut(key));
        let binding = binding.filter(|binding| binding.id == id);
        let expiry_key = binding.and_then(|binding| binding.expiry_key.take());
        self.expiries.cancel(expiry_key);
        record.expiry_key = Some(
            self.expiries
                .schedule(record.end, Expiry::Service(id.clone())),
        );
        record.revision = self.first_revision();
        self.services.insert(id, record);
    }

    /// Returns the bookings of a group after applying its configuration.
    pub(super) fn group_bookings(&mut self, group: &Group) -> &mut GroupState {
        let now = self.clock.now();
        let state = self.groups.entry(group.name.clone()).or_default();
        state.sync_group(group, now);
        state
    }

    /// Applies a change of the configured groups: also of those without a booking since, and of deleted ones, whose numbers
    /// and quarantines are removed.
    pub(super) fn sync_groups(&mut self, groups: &Groups) {
        let now = self.clock.now();
        for group in groups.all() {
            if let Some(state) = self.groups.get_mut(&group.name) {
                state.sync_group(&group, now);
            }
        }
    }

    /// Records a booking with its service, if the service exists.
    pub(super) fn record_booking(&mut self, id: &ServiceId, booking: &Booking) {
        if let Some(record) = self.services.get_mut(id) {
            let booking = (booking.group.clone(), booking.id.clone());
            record.bookings.push(booking);
        }
    }

    /// Releases a booking. Returns whether it existed.
    pub(super) fn release_number(
        &mut self,
        id: &ServiceId,
        group: &str,
        booking: &BookingId,
    ) -> bool {
        if let Some(record) = self.services.get_mut(id) {
            record.bookings.retain(|(_, recorded)| recorded != booking);
        }
        let now = self.clock.now();
        let state = self.groups.get_mut(group);
        let released =
            state.and_then(|state| state.release(booking, EventType::NumberReleased, now));
        self.add_number_events(group);
        released.is_some()
    }

    /// Returns the service of the newest booking that matches a call, and releases its number.
    pub(super) fn match_call(&mut self, groups: &[String], call: &Call) -> Option<ServiceId> {
        let now = self.clock.now();
        let newest = groups.iter().filter_map(|group| {
            let is_active = |id: &ServiceId| self.services.contains_key(id);
            let booking = self
                .groups
                .get(group)?
                .match_booking(call, now, is_active)?;
            Some((booking, group))
        });
        let (booking, group) = newest.max()?;
        let state = self.groups.get_mut(group)?;
        let entry = state.release(&booking, EventType::NumberMatched, now)?;
        self.release_number(&entry.service, group, &booking);
        Some(entry.service)
    }

    pub(super) fn set_end(&mut self, id: &ServiceId, end: Timestamp) -> Option<()> {
        let previous = self.services.get_mut(id)?.expiry_key.take();
        self.expiries.cancel(previous);
        let expiry_key = self.expiries.schedule(end, Expiry::Service(id.clone()));
        let record = self.services.get_mut(id)?;
        (record.end, record.expiry_key) = (end, Some(expiry_key));
        for (group, booking) in &record.bookings {
            if let Some(state) = self.groups.get_mut(group) {
                state.set_end(booking, end);
            }
        }
        Some(())
    }

    /// Deletes a service with all its resources.
    pub(super) fn delete(&mut self, id: &ServiceId) -> Option<()> {
        self.end_service(id, EventType::ServiceDeleted)
    }

    /// Removes a service with all its resources; `event_type` is the reason.
    fn end_service(&mut self, id: &ServiceId, event_type: EventType) -> Option<()> {
        let mut record = self.services.remove(id)?;
        self.add_end_event(id, &record, event_type);
        self.expiries.cancel(record.expiry_key);
        let sessions = mem::take(&mut record.sessions);
        if !sessions.is_empty() {
            self.ended_services
                .push(EndedService::new(self.clock.now(), id.clone(), sessions));
        }
        for (group, booking) in &record.bookings {
            if let Some(state) = self.groups.get_mut(group) {
                state.release(booking, EventType::NumberReleased, self.clock.now());
            }
            self.add_number_events(group);
        }
        if let Some(key) = &record.claim
            && self
                .claims
                .get(key)
                .is_some_and(|binding| binding.id == *id)
        {
            self.claims.remove(key);
        }
        let blobs: HashSet<BlobId> = record.values.values().filter_map(blob_of).collect();
        for blob in &blobs {
            self.drop_blob(blob);
        }
        self.used_bytes -= record.chat.map_or(0, |chat| chat.bytes);
        let values = record.values.iter();
        self.used_bytes -= values.map(|(name, value)| cost(name, value)).sum::<usize>();
        Some(())
    }
}

fn blob_of(value: &Value) -> Option<BlobId> {
    value.binary().map(|binary| binary.blob.clone())
}

/// The accounted bytes of these keys, without the chunks of binaries.
fn cost_of(values: &[(KeyName, Value)]) -> usize {
    values.iter().map(|(name, value)| cost(name, value)).sum()
}
