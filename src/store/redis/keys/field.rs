//! The fields of hashes.

use crate::model::KeyName;

/// Field: the name of the configured service.
pub(in crate::store::redis) const DEFINITION: &str = "_service";
/// Field: the creation time in milliseconds.
pub(in crate::store::redis) const CREATED: &str = "_created";
/// Field: the expiration time in milliseconds; equal to the expiration of the key.
pub(in crate::store::redis) const END: &str = "_end";
/// Field: the revision of the storage. Absent before the first change: it is then the creation time in microseconds.
pub(in crate::store::redis) const REVISION: &str = "_rev";
/// Field: the `gms_user` of the create request.
pub(in crate::store::redis) const GMS_USER: &str = "_gms_user";
/// Field: the Redis key of its idempotency key, if any.
pub(in crate::store::redis) const CLAIM: &str = "_claim";
/// Field: the value for a repeated create: the digest of the request, and the response once it is known.
pub(in crate::store::redis) const RESPONSE: &str = "_answer";
/// Field: the backend of its session, if any.
pub(in crate::store::redis) const BACKEND: &str = "_backend";
/// Field: the id of the session on that backend.
pub(in crate::store::redis) const SESSION: &str = "_session";
/// Field: set if a storage area has or had resources in `own:{id}`.
pub(in crate::store::redis) const HAS_RESOURCES: &str = "_own";
/// Field: the subscription of the webhook of the configured service, see `scripts/service_events.lua`.
pub(in crate::store::redis) const HOOK: &str = "_hook";
/// The beginning of the subscription while the create is pending.
pub(in crate::store::redis) const PENDING_HOOK: &str = "p";
/// Field of `own:{id}`: the cleanup has begun; the value is the time at which it detected the end.
pub(in crate::store::redis) const ENDED_SINCE: &str = "_over";
/// Fields of `comet:{user}`: the number of signals about the user, and two that do not exist, as in [`CHAT_VERSION`].
pub(in crate::store::redis) const COMET_VERSION: [&str; 3] = ["changes", "ended", "typing"];
/// Field of `chat:{id}`: the position of the last event.
const CHAT_LAST: &str = "last";
/// Fields of `chat:{id}`: those of a summary.
pub(in crate::store::redis) const CHAT_SUMMARY: [&str; 8] = [
    "definition",
    "nickname",
    "subject",
    "started",
    "last_at",
    CHAT_LAST,
    "ended",
    "members",
];
/// Fields of `chat:{id}`: those that a poll reads.
pub(in crate::store::redis) const CHAT_VERSION: [&str; 3] = [CHAT_LAST, "ended", "typing"];
/// Fields of `svc:{id}` that a poll reads, and one that does not exist.
pub(in crate::store::redis) const STORAGE_VERSION: [&str; 3] = [REVISION, CREATED, "_typing"];
/// Fields of `chat:{id}`: whether the client is present, when it was last seen, and its timeout in milliseconds.
pub(in crate::store::redis) const CHAT_PRESENCE: [&str; 3] = ["present", "seen", "timeout"];
/// Prefix of the field of a binary's descriptor, before the name of the binary.
const BINARY: &str = "_bin:";

/// The field of the descriptor of the binary `name`.
pub(in crate::store::redis) fn binary_field(name: &KeyName) -> String {
    [BINARY, name.as_str()].concat()
}

/// The kind of a field of `svc:{id}`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store::redis) enum Field<'a> {
    /// A string key.
    Text(&'a str),
    /// The descriptor of the binary key with this name.
    Binary(&'a str),
    /// An internal field.
    Internal,
}

impl<'a> Field<'a> {
    pub(in crate::store::redis) fn parse(field: &'a str) -> Self {
        match field.strip_prefix(BINARY) {
            Some(name) => Self::Binary(name),
            None if field.starts_with('_') => Self::Internal,
            None => Self::Text(field),
        }
    }
}
