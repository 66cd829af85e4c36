//! One suite against `trait Store`, run on every store there is: what differs between them is a bug
//! in one of them. Each test takes `&dyn Store` and knows nothing of what is behind it; what only
//! one of them can show is in `embedded` and `on_redis`.

mod binaries;
mod claims;
mod creation;
mod embedded;
mod life;
mod names;
mod on_redis;
mod room;
mod sessions;
mod slots;
mod tallies;
mod writing;
