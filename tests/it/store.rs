//! One suite against `trait Store`, run on every store there is: what differs between them is a bug
//! in one of them. Each test takes `&dyn Store` and knows nothing of what is behind it; what only
//! one of them can show is in `embedded` and `on_redis`.

mod backend_sessions;
mod binaries;
mod creation;
mod embedded;
mod expiry;
mod idempotency_claims;
mod identifiers;
mod key_kinds;
mod key_limit;
mod on_redis;
mod rate_limit;
mod writes;
