//! Tests of `trait Store` that run on every implementation; any difference in behavior is a bug. Each
//! test takes `&dyn Store` and is independent of the implementation; tests of one implementation are in
//! `embedded` and `on_redis`.

mod backend_sessions;
mod binaries;
mod bookings;
mod chats;
mod comet;
mod conditions;
mod creation;
mod custom_ids;
mod embedded;
mod expiry;
mod idempotency_claims;
mod identifiers;
mod key_kinds;
mod key_limit;
mod match_diagnostics;
mod number_states;
mod on_redis;
mod quarantine;
mod rate_limit;
mod service_list;
mod statistics;
mod storage_areas;
mod webhook_events;
mod webhooks;
mod writes;
