//! The Lua scripts. Each is a file with a header that documents its keys, arguments, reply and cost.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// A script and its SHA-1 hash.
pub(super) struct LuaScript {
    code: String,
    hash: Script,
}

impl LuaScript {
    fn new(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            hash: Script::new(code),
        }
    }

    /// The source code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

/// Creates a complete service.
pub(super) static CREATE: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/create.lua")]));
/// Creates a complete service and writes its event.
pub(super) static CREATE_WITH_EVENT: LazyLock<LuaScript> =
    LazyLock::new(|| with_service_events(&[include_str!("scripts/create.lua")]));
/// Reads all fields of a service, up to a size limit.
pub(super) static READ_ALL: LazyLock<LuaScript> =
    LazyLock::new(|| with_revision(&[include_str!("scripts/read_all.lua")]));
/// Returns the sizes of the fields of a service.
pub(super) static FIELD_SIZES: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/field_sizes.lua")));
/// Changes the storage of an active service.
pub(super) static WRITE: LazyLock<LuaScript> =
    LazyLock::new(|| with_revision(&[include_str!("scripts/write.lua")]));
/// Changes the storage and the expiration of an active service.
pub(super) static WRITE_WITH_TTL: LazyLock<LuaScript> = LazyLock::new(|| {
    let clock = include_str!("scripts/clock.lua");
    let resources = include_str!("scripts/resources.lua");
    with_revision(&[clock, resources, include_str!("scripts/write.lua")])
});
/// Removes all keys of an active service.
pub(super) static CLEAR: LazyLock<LuaScript> =
    LazyLock::new(|| with_revision(&[include_str!("scripts/clear.lua")]));
/// Records that a storage is watched.
pub(super) static WATCH: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/watch.lua")]));
/// Changes the expiration of a service and of its resources.
pub(super) static SET_END: LazyLock<LuaScript> = LazyLock::new(|| {
    with_service_events(&[
        include_str!("scripts/resources.lua"),
        include_str!("scripts/set_end.lua"),
    ])
});
/// Records the backend session of a service.
pub(super) static ATTACH_SESSION: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/attach_session.lua")));
/// Deletes a service.
pub(super) static DELETE: LazyLock<LuaScript> =
    LazyLock::new(|| with_revision(&[include_str!("scripts/delete.lua")]));
/// Deletes a service and writes its event.
pub(super) static DELETE_WITH_EVENT: LazyLock<LuaScript> = LazyLock::new(|| {
    let revision = include_str!("scripts/revision.lua");
    with_service_events(&[revision, include_str!("scripts/delete.lua")])
});
/// Changes the expiration of an idempotency key, or deletes it.
pub(super) static EXTEND_IDEMPOTENCY_KEY: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/extend_idempotency_key.lua")]));
/// Removes released resources of a custom id from the list of its resources.
pub(super) static REMOVE_RELEASED: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/remove_released.lua")));
/// Sets a short TTL on replaced binaries.
pub(super) static EXPIRE_BLOBS: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/expire_blobs.lua")));
/// Stores a chunk of a binary.
pub(super) static WRITE_CHUNK: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/write_chunk.lua")));
/// Records a resource of a service before it is acquired.
pub(super) static REGISTER_OWNED: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/register_owned.lua")]));
/// Removes a booking from the resources of a service that was not created.
pub(super) static UNREGISTER_PENDING: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/unregister_pending.lua")));
/// Decides that a service has ended, and returns its resources.
pub(super) static CLAIM_CLEANUP: LazyLock<LuaScript> =
    LazyLock::new(|| with_events(&[include_str!("scripts/claim_cleanup.lua")]));
/// Reschedules the sweep of a service.
pub(super) static RESCHEDULE_CLEANUP: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/reschedule_cleanup.lua")));
/// Acquires or renews the lease of the cleanup.
pub(super) static LEASE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/lease.lua")));
/// Books a number.
pub(super) static BOOK_NUMBER: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/book_number.lua")));
/// Books a number and writes events.
pub(super) static BOOK_NUMBER_WITH_EVENTS: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_events(&[include_str!("scripts/book_number.lua")]));
/// Finds the booking of a call.
pub(super) static MATCH_BOOKING: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_release(include_str!("scripts/match_booking.lua")));
/// Reads the bookings of a call.
pub(super) static MATCH_CANDIDATES: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/match_candidates.lua")));
/// Appends failed matches to their list.
pub(super) static RECORD_FAILED_MATCHES: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/record_failed_matches.lua")));
/// Releases bookings.
pub(super) static RELEASE: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_release(include_str!("scripts/release.lua")));
/// Changes the expiration of bookings.
pub(super) static EXTEND_BOOKINGS: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/extend_bookings.lua")));
/// Adds numbers to a group, or removes them.
pub(super) static SYNC_GROUP: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/sync_group.lua")));
/// Quarantines a number of a group.
pub(super) static QUARANTINE_NUMBER: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/quarantine_number.lua")));
/// Ends the quarantine of a number.
pub(super) static END_QUARANTINE: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/end_quarantine.lua")));
/// Reads a consistent snapshot of a group.
pub(super) static GROUP_SNAPSHOT: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/group_snapshot.lua")));
/// Counts the entries of the keys of a group.
pub(super) static GROUP_COUNTS: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/group_counts.lua")));
/// Repairs the keys of a group.
pub(super) static REPAIR_GROUP: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/repair_group.lua")));
/// Increments a rate limit counter.
pub(super) static RATE_LIMIT_TAKE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/rate_limit_take.lua")));
/// Decrements a rate limit counter.
pub(super) static RATE_LIMIT_REFUND: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/rate_limit_refund.lua")));
/// Changes the stored catalog.
pub(super) static CHANGE_CATALOG: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/change_catalog.lua")));
/// Reads the stored catalog.
pub(super) static READ_CATALOG: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/read_catalog.lua")));
/// Records the heartbeat of a replica.
pub(super) static HEARTBEAT: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/heartbeat.lua")]));
/// Requests a status for a replica.
pub(super) static REQUEST_STATUS: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/request_status.lua")]));
/// Adds a sample of a replica to the statistics.
pub(super) static ADD_STATISTICS: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/add_statistics.lua")]));
/// Reads the entries after a cursor of a list.
pub(super) static PAGE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/page.lua")));

/// Starts the chat of a service.
pub(super) static START_CHAT: LazyLock<LuaScript> =
    LazyLock::new(|| with_chat_functions(include_str!("scripts/start_chat.lua")));
/// Performs an action of a party of a chat.
pub(super) static UPDATE_CHAT: LazyLock<LuaScript> =
    LazyLock::new(|| with_chat_functions(include_str!("scripts/update_chat.lua")));
/// Renews the availability of an agent.
pub(super) static RENEW_AGENT: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/renew_agent.lua")));

/// Opens a Bayeux session.
pub(super) static OPEN_SESSION: LazyLock<LuaScript> =
    LazyLock::new(|| with_comet_functions(include_str!("scripts/open_session.lua")));
/// Begins a connect of a Bayeux session.
pub(super) static CONNECT_SESSION: LazyLock<LuaScript> =
    LazyLock::new(|| with_comet_functions(include_str!("scripts/connect_session.lua")));
/// Records a batch of a Bayeux session.
pub(super) static RECORD_SENT: LazyLock<LuaScript> =
    LazyLock::new(|| with_comet_functions(include_str!("scripts/record_sent.lua")));
/// Changes the subscription of a Bayeux session.
pub(super) static SET_SUBSCRIPTION: LazyLock<LuaScript> =
    LazyLock::new(|| with_comet_functions(include_str!("scripts/set_subscription.lua")));
/// Closes a Bayeux session.
pub(super) static CLOSE_SESSION: LazyLock<LuaScript> =
    LazyLock::new(|| with_comet_functions(include_str!("scripts/close_session.lua")));
/// Adds a chat that is pushed to a user.
pub(super) static ADD_PUSHED_CHAT: LazyLock<LuaScript> =
    LazyLock::new(|| with_comet_functions(include_str!("scripts/add_pushed_chat.lua")));

/// Adds events to a webhook endpoint.
pub(super) static ADD_EVENTS: LazyLock<LuaScript> =
    LazyLock::new(|| with_webhook_functions(include_str!("scripts/add_events.lua")));
/// Claims due events of a webhook endpoint.
pub(super) static CLAIM_DELIVERIES: LazyLock<LuaScript> =
    LazyLock::new(|| with_webhook_functions(include_str!("scripts/claim_deliveries.lua")));
/// Records results of deliveries.
pub(super) static FINISH_DELIVERIES: LazyLock<LuaScript> =
    LazyLock::new(|| with_webhook_functions(include_str!("scripts/finish_deliveries.lua")));
/// Removes relayed events from an outbox.
pub(super) static REMOVE_RELAYED: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/remove_relayed.lua")));
/// Reads the state of a webhook endpoint.
pub(super) static ENDPOINT_STATUS: LazyLock<LuaScript> =
    LazyLock::new(|| with_webhook_functions(include_str!("scripts/endpoint_status.lua")));
/// Makes dead letters pending again.
pub(super) static RESEND_DEAD_LETTERS: LazyLock<LuaScript> =
    LazyLock::new(|| with_webhook_functions(include_str!("scripts/resend_dead_letters.lua")));

/// Deletes the events of a webhook endpoint.
pub(super) static DELETE_WEBHOOK_EVENTS: LazyLock<LuaScript> =
    LazyLock::new(|| with_webhook_functions(include_str!("scripts/delete_webhook_events.lua")));

/// Reads the first bytes of values of a service.
pub(super) static PREVIEWS: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/previews.lua")));

/// All scripts. Each connection loads them when it opens, so that `EVALSHA` finds them.
pub(super) fn all() -> [&'static LuaScript; 59] {
    [
        &CREATE,
        &CREATE_WITH_EVENT,
        &DELETE_WITH_EVENT,
        &WRITE,
        &WRITE_WITH_TTL,
        &CLEAR,
        &WATCH,
        &READ_ALL,
        &FIELD_SIZES,
        &SET_END,
        &ATTACH_SESSION,
        &DELETE,
        &EXTEND_IDEMPOTENCY_KEY,
        &EXPIRE_BLOBS,
        &REMOVE_RELEASED,
        &REGISTER_OWNED,
        &UNREGISTER_PENDING,
        &CLAIM_CLEANUP,
        &RESCHEDULE_CLEANUP,
        &LEASE,
        &BOOK_NUMBER,
        &BOOK_NUMBER_WITH_EVENTS,
        &MATCH_BOOKING,
        &MATCH_CANDIDATES,
        &RECORD_FAILED_MATCHES,
        &RELEASE,
        &EXTEND_BOOKINGS,
        &SYNC_GROUP,
        &QUARANTINE_NUMBER,
        &END_QUARANTINE,
        &RATE_LIMIT_TAKE,
        &RATE_LIMIT_REFUND,
        &WRITE_CHUNK,
        &GROUP_SNAPSHOT,
        &GROUP_COUNTS,
        &REPAIR_GROUP,
        &CHANGE_CATALOG,
        &READ_CATALOG,
        &HEARTBEAT,
        &REQUEST_STATUS,
        &ADD_STATISTICS,
        &PAGE,
        &PREVIEWS,
        &START_CHAT,
        &UPDATE_CHAT,
        &RENEW_AGENT,
        &OPEN_SESSION,
        &CONNECT_SESSION,
        &RECORD_SENT,
        &SET_SUBSCRIPTION,
        &CLOSE_SESSION,
        &ADD_PUSHED_CHAT,
        &ADD_EVENTS,
        &CLAIM_DELIVERIES,
        &FINISH_DELIVERIES,
        &REMOVE_RELAYED,
        &ENDPOINT_STATUS,
        &RESEND_DEAD_LETTERS,
        &DELETE_WEBHOOK_EVENTS,
    ]
}

/// Prepends the functions of the booking scripts to a script.
fn with_booking_functions(script: &str) -> LuaScript {
    with_clock(&[include_str!("scripts/bookings.lua"), script])
}

/// Prepends the functions that write events about bookings to the parts of a booking script.
fn with_booking_events(parts: &[&str]) -> LuaScript {
    let functions = include_str!("scripts/bookings.lua");
    let events = include_str!("scripts/booking_events.lua");
    with_events(&[functions, events, &parts.concat()])
}

/// Prepends the functions that release bookings to a booking script.
fn with_booking_release(script: &str) -> LuaScript {
    with_booking_events(&[include_str!("scripts/booking_release.lua"), script])
}

/// Prepends the functions of the chat scripts to a script.
fn with_chat_functions(script: &str) -> LuaScript {
    with_service_events(&[include_str!("scripts/chats.lua"), script])
}

/// Prepends the functions of the scripts of Bayeux sessions to a script.
fn with_comet_functions(script: &str) -> LuaScript {
    with_clock(&[include_str!("scripts/comet.lua"), script])
}

/// Prepends the functions of the scripts of webhook endpoints to a script.
fn with_webhook_functions(script: &str) -> LuaScript {
    with_clock(&[include_str!("scripts/webhooks.lua"), script])
}

/// Prepends the functions of revisions to the parts of a script.
fn with_revision(parts: &[&str]) -> LuaScript {
    LuaScript::new(&[include_str!("scripts/revision.lua"), &parts.concat()].concat())
}

/// Prepends the functions that write events about services to a script.
fn with_service_events(parts: &[&str]) -> LuaScript {
    let functions = include_str!("scripts/service_events.lua");
    with_events(&[functions, &parts.concat()])
}

/// Prepends the functions that write events to a script.
fn with_events(parts: &[&str]) -> LuaScript {
    with_clock(&[include_str!("scripts/events.lua"), &parts.concat()])
}

/// Prepends the clock functions to a script.
fn with_clock(parts: &[&str]) -> LuaScript {
    LuaScript::new(&[include_str!("scripts/clock.lua"), &parts.concat()].concat())
}

/// A call of `script` by its hash; the caller appends the arguments.
pub(super) fn evalsha(script: &LuaScript, keys: &[String]) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.hash.get_hash()).arg(keys.len()).arg(keys);
    call
}
