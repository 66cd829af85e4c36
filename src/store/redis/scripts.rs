//! The Lua scripts, each a file beside this one whose head tells keys, arguments, result and cost.

use std::sync::LazyLock;

use redis::Script;

/// Makes a service whole.
pub(super) static CREATE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/create.lua")));
/// Changes the storage of a living service.
pub(super) static WRITE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/write.lua")));
/// Empties the storage of a living service.
pub(super) static CLEAR: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/clear.lua")));
/// Moves the end of a service and of what belongs to it.
pub(super) static SET_END: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/set_end.lua")));
/// Ends a service.
pub(super) static DELETE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/delete.lua")));
/// Moves the end of an idempotency key, or gives it back.
pub(super) static MOVE_CLAIM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/move_claim.lua")));
/// Lets binaries that were replaced end soon.
pub(super) static RETIRE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/retire.lua")));
