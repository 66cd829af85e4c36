//! The only place that spells a Redis key or a field of ours.
//!
//! | key, after the prefix | type | holds | life |
//! |---|---|---|---|
//! | `svc:{id}` | hash | the service: the fields below and, beside them, its strings as they are | the service's |
//! | `blob:{id}:<blob>` | hash | a binary in chunks: fields `0`, `1`, ... | minutes while uploaded, then the service's |
//! | `own:{id}` | hash | what belongs to the service outside `svc:{id}`: `blob:<blob>` per binary, `book:<group>:<booking>` per booking, `sess:...` per session; `_over`, since when, once it is being given back | the service's and an hour |
//! | `idem:{definition/key}` | string | the id that an idempotency key is bound to | the service's |
//! | `grp:{group}:...` | see `scripts/bookings.lua` | the numbers of a resource group and their bookings | none; entries carry their end |
//! | `rl:{<what>/<of whom>}` | string | how often, for a limit | `rate_limit.window_seconds` from the first one |
//! | `idx:{00}` .. `idx:{3f}` | zset | id of each service that owns something, by when to look after it | none; swept |
//! | `end:{00}` .. `end:{3f}` | zset | id of each service by its end, for operators to look at | none; swept |
//! | `{catalog}:version`, `:services`, `:resources`, `:retired` | string, hash | what operators made: its version; definitions and groups by name, each its revision and, behind a line feed, what it says; deleted ones by table and name, each since when and what it said | none |
//! | `{catalog}:history` | stream | who changed what, when | none; about `admin.history` events |
//! | `{catalog}:replicas` | hash | who is up: when it last said so and, behind a line feed, what is told of it | a minute |
//! | `session:{<name>}` | string | an operator who is signed in, and until when at most | `admin.session_idle_seconds` from the last request on |
//! | `probe:{<tag>}` | string | nothing: commands are tried on it, and that it is deleted and expires shows whether Redis sends notifications; the readiness check reads it, and writes it if it exists | milliseconds |
//! | `lease:cleanup` | string | which replica cleans up after services | seconds |
//!
//! `{...}` is the Cluster hash tag: keys of one service share a slot, so one script may change them
//! together; in it `%` and `}` of a name are `%25` and `%7D`. Names of user data never begin with `_`, so they cannot meet our fields.

use std::{borrow::Cow, fmt::Display};

use crate::store::{
    BackendSession, BlobId, BookingId, IdempotencyKey, KeyName, RateLimitKey, ServiceId,
    stable_hash,
};

/// Field: name of the configured service.
pub(super) const DEFINITION: &str = "_service";
/// Field: when it was made, in milliseconds.
pub(super) const CREATED: &str = "_created";
/// Field: when it ends, in milliseconds; the expiry of the key says the same.
pub(super) const END: &str = "_end";
/// Field: the `gms_user` of its creator.
pub(super) const GMS_USER: &str = "_gms_user";
/// Field: the Redis key of the claim it was created under, if any.
pub(super) const CLAIM: &str = "_claim";
/// Field: the answer that a repeated create gets, if any.
pub(super) const ANSWER: &str = "_answer";
/// Field: the backend that it runs on, if any.
pub(super) const BACKEND: &str = "_backend";
/// Field: its name on that backend.
pub(super) const SESSION: &str = "_session";
/// Before the name of a binary: the field of its descriptor.
const BINARY: &str = "_bin:";
/// Before a blob's id: its field in `own:{id}`.
const OWNED_BLOB: &str = "blob:";
/// Before a booking's group and id: its field in `own:{id}`.
const OWNED_BOOKING: &str = "book:";
/// Before a session's definition, backend and name, on a line each: its field in `own:{id}`.
const OWNED_SESSION: &str = "sess:";
/// Field of `own:{id}`: it is being given back; holds since when.
pub(super) const ENDED_SINCE: &str = "_over";
/// Number of shards of the index, and of the list of services.
pub(super) const SHARDS: u64 = 64;

/// Spells keys under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn service(&self, id: &ServiceId) -> String {
        [&self.prefix, "svc:{", &encode_tag(id.as_str()), "}"].concat()
    }

    /// The id in a key made by [`Keys::service`]; `None` for any other key.
    pub(super) fn service_id(&self, key: &str) -> Option<ServiceId> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("svc:{")?;
        Some(ServiceId::from(decode_tag(rest.strip_suffix('}')?)))
    }

    pub(super) fn blob(&self, id: &ServiceId, blob: &BlobId) -> String {
        let tag = encode_tag(id.as_str());
        [&self.prefix, "blob:{", &tag, "}:", blob.as_str()].concat()
    }

    pub(super) fn owned(&self, id: &ServiceId) -> String {
        [&self.prefix, "own:{", &encode_tag(id.as_str()), "}"].concat()
    }

    pub(super) fn idempotency_key(&self, key: &IdempotencyKey) -> String {
        [&self.prefix, "idem:{", &key.key, "}"].concat()
    }

    /// No two tallies are spelled alike: the kinds differ before the first `/`.
    pub(super) fn rate_limit(&self, tally: &RateLimitKey) -> String {
        let (kind, of) = match tally {
            RateLimitKey::CreatesByAddress(address) => ("from", address),
            RateLimitKey::CreatesByService(definition) => ("of", definition),
            RateLimitKey::FailedMatches(number) => ("failed", number),
            RateLimitKey::FailedSignIns(address) => ("sign-in", address),
        };
        [&self.prefix, "rl:{", kind, "/", of, "}"].concat()
    }

    /// The eight keys of a group, in the order that `scripts/bookings.lua` has them.
    pub(super) fn group(&self, group: &str) -> [String; 8] {
        let parts = [
            "free", "numbers", "booked", "bookings", "index", "codes", "version", "regions",
        ];
        let tag = encode_tag(group);
        parts.map(|part| [&self.prefix, "grp:{", &tag, "}:", part].concat())
    }

    /// Who fills a group holds this.
    pub(super) fn group_sync_lock(&self, group: &str) -> String {
        [&self.prefix, "grp:{", &encode_tag(group), "}:filling"].concat()
    }

    pub(super) fn index_shard(&self, shard: u64) -> String {
        format!("{}idx:{{{shard:02x}}}", self.prefix)
    }

    /// The index shard that lists `id`.
    pub(super) fn index(&self, id: &ServiceId) -> String {
        self.index_shard(stable_hash(id.as_str().as_bytes()) % SHARDS)
    }

    pub(super) fn ends_shard(&self, shard: u64) -> String {
        format!("{}end:{{{shard:02x}}}", self.prefix)
    }

    /// The shard that lists `id` by its end.
    pub(super) fn ends(&self, id: &ServiceId) -> String {
        self.ends_shard(stable_hash(id.as_str().as_bytes()) % SHARDS)
    }

    pub(super) fn admin_session(&self, name: &str) -> String {
        [&self.prefix, "session:{", &encode_tag(name), "}"].concat()
    }

    /// A key that means nothing, to ask the server that has its slot.
    pub(super) fn probe(&self, tag: impl Display) -> String {
        format!("{}probe:{{{tag}}}", self.prefix)
    }

    pub(super) fn cleanup_lease(&self) -> String {
        [&self.prefix, "lease:cleanup"].concat()
    }

    /// Version, services, resource groups and retired entries of what operators made.
    pub(super) fn catalog(&self) -> [String; 4] {
        let parts = ["version", "services", "resources", "retired"];
        parts.map(|part| self.catalog_key(part))
    }

    pub(super) fn audit_log(&self) -> String {
        self.catalog_key("history")
    }

    pub(super) fn replicas(&self) -> String {
        self.catalog_key("replicas")
    }

    /// The channel that tells of changes of what operators made.
    pub(super) fn catalog_channel(&self) -> String {
        self.catalog_key("changes")
    }

    fn catalog_key(&self, part: &str) -> String {
        [&self.prefix, "{catalog}:", part].concat()
    }

    /// A key of each kind that nothing lives under or that has no such field as `random`, and the pattern
    /// of all keys of its kind as ACL rules have it.
    pub(super) fn samples(&self, random: &str) -> Vec<(String, String)> {
        let kinds = [
            ("svc:", true),
            ("blob:", true),
            ("own:", true),
            ("idem:", true),
            ("grp:", true),
            ("rl:", true),
            ("session:", true),
            ("idx:", true),
            ("end:", true),
            ("{catalog}:", false),
            ("lease:cleanup", false),
        ];
        let sample = |(kind, is_tagged): (&str, bool)| {
            let key = match (kind, is_tagged) {
                (_, true) => [&self.prefix, kind, "{", random, "}"].concat(),
                ("lease:cleanup", _) => self.cleanup_lease(),
                (_, _) => [&self.prefix, kind, random].concat(),
            };
            let any = if kind == "lease:cleanup" { "" } else { "*" };
            (key, [&self.prefix, kind, any].concat())
        };
        kinds.into_iter().map(sample).collect()
    }

    /// A pattern, as `SCAN` takes it, of all keys made by [`Keys::own`].
    pub(super) fn owned_pattern(&self) -> String {
        self.scan_pattern("own:{*}")
    }

    fn scan_pattern(&self, keys: &str) -> String {
        let mut pattern = String::new();
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern + keys
    }

    /// The id in a key made by [`Keys::own`].
    pub(super) fn owned_service_id(&self, key: &str) -> Option<ServiceId> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("own:{")?;
        Some(ServiceId::from(decode_tag(rest.strip_suffix('}')?)))
    }
}

/// A name as it stands in a hash tag. Ours are as they are; one that a client made up may have a brace
/// that would end the tag too early, or be empty, which is no tag: what belongs together would not share
/// a slot.
fn encode_tag(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        return Cow::Borrowed("%");
    }
    if name.contains(['%', '}']) {
        return Cow::Owned(name.replace('%', "%25").replace('}', "%7D"));
    }
    Cow::Borrowed(name)
}

/// The name in a hash tag.
fn decode_tag(tag: &str) -> String {
    if tag == "%" {
        return String::new();
    }
    tag.replace("%7D", "}").replace("%25", "%")
}

/// The field that describes the binary called `name`.
pub(super) fn binary_field(name: &KeyName) -> String {
    [BINARY, name.as_str()].concat()
}

/// What a field of `svc:{id}` is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// A string key of the user.
    Text(&'a str),
    /// The descriptor of the binary key of this name.
    Binary(&'a str),
    /// One of ours.
    Internal,
}

impl<'a> Field<'a> {
    pub(super) fn parse(field: &'a str) -> Self {
        match field.strip_prefix(BINARY) {
            Some(name) => Self::Binary(name),
            None if field.starts_with('_') => Self::Internal,
            None => Self::Text(field),
        }
    }
}

/// What a field of `own:{id}` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnedResource {
    /// A binary.
    Blob(BlobId),
    /// A booking in the group of this name.
    Booking(String, BookingId),
    /// A session on a backend.
    Session(BackendSession),
}

impl OwnedResource {
    pub(super) fn parse(field: &str) -> Option<Self> {
        if let Some(blob) = field.strip_prefix(OWNED_BLOB) {
            return Some(Self::Blob(BlobId::from(blob.to_owned())));
        }
        if let Some(session) = field.strip_prefix(OWNED_SESSION) {
            let mut lines = session.splitn(3, '\n').map(str::to_owned);
            return Some(Self::Session(BackendSession {
                definition: lines.next()?,
                backend: lines.next()?,
                name: lines.next()?,
            }));
        }
        let (group, booking) = field.strip_prefix(OWNED_BOOKING)?.rsplit_once(':')?;
        Some(Self::Booking(group.to_owned(), booking.to_owned().into()))
    }
}

/// The field of `own:{id}` that stands for a booking in `group`.
pub(super) fn owned_booking_field(group: &str, booking: &BookingId) -> String {
    [OWNED_BOOKING, group, ":", booking.as_str()].concat()
}

/// The field of `own:{id}` that stands for `blob`.
pub(super) fn owned_blob_field(blob: &BlobId) -> String {
    [OWNED_BLOB, blob.as_str()].concat()
}

/// The field of `own:{id}` that stands for `session`.
pub(super) fn owned_session_field(session: &BackendSession) -> String {
    let BackendSession {
        definition,
        backend,
        name,
    } = session;
    [OWNED_SESSION, definition, "\n", backend, "\n", name].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn service_key_round_trips(id in ".{0,80}") {
            let keys = Keys::new("sb1:");
            let id = ServiceId::from(id);
            prop_assert_eq!(keys.service_id(&keys.service(&id)), Some(id));
        }

        #[test]
        fn user_data_names_never_collide_with_internal_fields(name in ".{1,80}") {
            if let Some(name) = KeyName::new(name) {
                prop_assert_eq!(Field::parse(name.as_str()), Field::Text(name.as_str()));
                let field = binary_field(&name);
                prop_assert_eq!(Field::parse(&field), Field::Binary(name.as_str()));
            }
        }
    }

    #[test]
    fn foreign_keys_are_not_service_keys() {
        let keys = Keys::new("sb1:");
        for key in ["", "sb1:", "sb1:own:{x}", "sb2:svc:{x}", "sb1:svc:{x"] {
            assert_eq!(keys.service_id(key), None, "{key}");
        }
        for field in [
            DEFINITION, CREATED, END, GMS_USER, CLAIM, ANSWER, BACKEND, SESSION,
        ] {
            assert_eq!(Field::parse(field), Field::Internal, "{field}");
        }
    }

    #[test]
    fn owned_resource_fields_round_trip() {
        let blob = BlobId::generate();
        let field = owned_blob_field(&blob);
        assert_eq!(
            OwnedResource::parse(&field),
            Some(OwnedResource::Blob(blob))
        );
        let booking = BookingId::generate(crate::store::Timestamp::from_millis(1_795_455_943_000));
        let field = owned_booking_field("a:b", &booking);
        assert_eq!(
            OwnedResource::parse(&field),
            Some(OwnedResource::Booking("a:b".to_owned(), booking))
        );
        let session = BackendSession {
            definition: "chat".to_owned(),
            backend: "http://localhost:1".to_owned(),
            name: String::new(),
        };
        let field = owned_session_field(&session);
        assert_eq!(
            OwnedResource::parse(&field),
            Some(OwnedResource::Session(session))
        );
        assert_eq!(OwnedResource::parse("_over"), None);
    }

    #[test]
    fn index_shard_is_stable() {
        let keys = Keys::new("sb1:");
        let id = |text: &str| ServiceId::from(text.to_owned());
        assert_eq!(keys.index(&id("")), "sb1:idx:{25}");
        assert_eq!(keys.index(&id("a")), "sb1:idx:{0c}");
    }
}
