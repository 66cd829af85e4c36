//! The Lua scripts, each a file beside this one whose head tells keys, arguments, result and cost.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// A script, and the name that Redis gives it.
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

    /// Its text.
    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

/// Makes a service whole.
pub(super) static CREATE: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/create.lua")]));
/// Reads all fields of a service, unless they are too much.
pub(super) static READ_ALL: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/read_all.lua")));
/// Changes the storage of a living service.
pub(super) static WRITE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/write.lua")));
/// Empties the storage of a living service.
pub(super) static CLEAR: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/clear.lua")));
/// Moves the end of a service and of what belongs to it.
pub(super) static SET_END: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/set_end.lua")]));
/// Notes that a service runs on a backend.
pub(super) static ATTACH_SESSION: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/attach_session.lua")));
/// Ends a service.
pub(super) static DELETE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/delete.lua")));
/// Moves the end of an idempotency key, or gives it back.
pub(super) static EXTEND_IDEMPOTENCY_KEY: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/extend_idempotency_key.lua")]));
/// Lets binaries that were replaced end soon.
pub(super) static EXPIRE_BLOBS: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/expire_blobs.lua")));
/// Stores a chunk of a binary.
pub(super) static WRITE_CHUNK: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/write_chunk.lua")));
/// Lists what a service is about to hold.
pub(super) static REGISTER_OWNED: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/register_owned.lua")]));
/// Decides that a service is over, and tells what it held.
pub(super) static CLAIM_CLEANUP: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/claim_cleanup.lua")]));
/// Has the sweep look after a service at another time.
pub(super) static RESCHEDULE_CLEANUP: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/reschedule_cleanup.lua")));
/// Becomes or stays the replica that cleans up.
pub(super) static LEASE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/lease.lua")));
/// Hands a number out.
pub(super) static BOOK_NUMBER: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/book_number.lua")));
/// Finds the booking that a call is for.
pub(super) static MATCH_BOOKING: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/match_booking.lua")));
/// Gives numbers back.
pub(super) static RELEASE: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/release.lua")));
/// Moves the end of bookings.
pub(super) static EXTEND_BOOKINGS: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/extend_bookings.lua")));
/// Puts numbers into a group, or takes them out.
pub(super) static SYNC_GROUP: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/sync_group.lua")));

/// Tells a group as it is at one moment.
pub(super) static GROUP_SNAPSHOT: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/group_snapshot.lua")));
/// Counts what a group consists of.
pub(super) static GROUP_COUNTS: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/group_counts.lua")));
/// Makes the keys of a group agree again.
pub(super) static REPAIR_GROUP: LazyLock<LuaScript> =
    LazyLock::new(|| with_booking_functions(include_str!("scripts/repair_group.lua")));
/// Counts one more.
pub(super) static RATE_LIMIT_TAKE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/rate_limit_take.lua")));
/// Takes one back.
pub(super) static RATE_LIMIT_REFUND: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/rate_limit_refund.lua")));
/// Changes what operators made.
pub(super) static CHANGE_CATALOG: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/change_catalog.lua")));
/// Tells what operators made.
pub(super) static READ_CATALOG: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/read_catalog.lua")));
/// Says that a replica is up.
pub(super) static HEARTBEAT: LazyLock<LuaScript> =
    LazyLock::new(|| with_clock(&[include_str!("scripts/heartbeat.lua")]));
/// Tells what stands behind a place of a list.
pub(super) static PAGE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/page.lua")));

/// Tells how values of a service begin.
pub(super) static PREVIEWS: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::new(include_str!("scripts/previews.lua")));

/// All scripts: a lane makes them known to Redis when it opens, so that a call by name finds them.
pub(super) fn all() -> [&'static LuaScript; 29] {
    [
        &CREATE,
        &WRITE,
        &CLEAR,
        &READ_ALL,
        &SET_END,
        &ATTACH_SESSION,
        &DELETE,
        &EXTEND_IDEMPOTENCY_KEY,
        &EXPIRE_BLOBS,
        &REGISTER_OWNED,
        &CLAIM_CLEANUP,
        &RESCHEDULE_CLEANUP,
        &LEASE,
        &BOOK_NUMBER,
        &MATCH_BOOKING,
        &RELEASE,
        &EXTEND_BOOKINGS,
        &SYNC_GROUP,
        &RATE_LIMIT_TAKE,
        &RATE_LIMIT_REFUND,
        &WRITE_CHUNK,
        &GROUP_SNAPSHOT,
        &GROUP_COUNTS,
        &REPAIR_GROUP,
        &CHANGE_CATALOG,
        &READ_CATALOG,
        &HEARTBEAT,
        &PAGE,
        &PREVIEWS,
    ]
}

/// A script behind what those about bookings share.
fn with_booking_functions(script: &str) -> LuaScript {
    with_clock(&[include_str!("scripts/bookings.lua"), script])
}

/// A script behind what tells it the time of the server.
fn with_clock(parts: &[&str]) -> LuaScript {
    LuaScript::new(&[include_str!("scripts/clock.lua"), &parts.concat()].concat())
}

/// A call of `script` by its name; its arguments are added behind the keys.
pub(super) fn evalsha(script: &LuaScript, keys: &[String]) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.hash.get_hash()).arg(keys.len()).arg(keys);
    call
}
