//! The only module that defines Redis keys and internal fields.
//!
//! | key, after the prefix | type | content | TTL |
//! |---|---|---|---|
//! | `svc:{id}` | hash | the service: the fields below, and its strings under their names | until the end of the service |
//! | `blob:{id}:<blob>` | hash | a binary in chunks: fields `0`, `1`, ... | minutes during the upload, then until the end of the service |
//! | `own:{id}` | hash | the resources of the service outside of `svc:{id}`: `blob:<blob>` per binary, `book:<group>:<booking>` per booking, `sess:...` per session, `chat` for a chat, `hook:...` for the subscription of its webhook; during the cleanup also `_over`, the time at which it detected the end | until three days after the end of the service |
//! | `chat:{id}` | hash | the chat of the service: its state and its events, see `scripts/chats.lua` | until the end of the service |
//! | `idem:{digest}` | string | the service id that an idempotency key is bound to; the digest is over caller and key | a day, then until the end of the service |
//! | `grp:{group}:...` | see `scripts/bookings.lua` | the numbers of a resource group and their bookings | none; entries have expiration times, `:exhausted` expires after a minute, `:exhausted_at` (the time at which a booking last found no free number) after a week |
//! | `rl:{<kind>/<subject>}` | string | a rate limit counter; the kinds are in [`Keys::rate_limit`] | `rate_limit.window_seconds` after the first increment; ten minutes of single sign-on |
//! | `idx:{00}` .. `idx:{3f}` | zset | the cleanup index: service ids with resources, by the time at which the sweep checks them | none; swept |
//! | `end:{00}` .. `end:{3f}` | zset | the list of services for the admin queries: service ids by expiration time | none; swept |
//! | `comet:{user}` | hash | the chats that are pushed to a user of Bayeux sessions, and the expirations of its sessions, see `scripts/comet.lua`; the user is a digest | that of the last session, or until the end of the last chat |
//! | `comet:{user}:<secret>` | hash | a Bayeux session, see `scripts/comet.lua` | `comet.max_interval_seconds` after its last connect |
//! | `{chats}:open`, `{chats}:ended` | zset | the lists of chats: service ids by the time of the start | none; swept |
//! | `{chats}:agents` | hash | the available agents by user name, each the time until which it is available and the definitions of its chats, on a line each | an hour after the last change |
//! | `{catalog}:version`, `:services`, `:resources`, `:retired` | string, hash | the stored catalog: its version; the service definitions and groups by name, each its revision, a line feed and its text; the deleted ones by table and name, each the time of deletion, a line feed and its text | none |
//! | `{catalog}:history` | stream | the audit log | none; trimmed to about `admin.audit_log_entries` |
//! | `{catalog}:replicas` | hash | the running replicas: the time of the last heartbeat, a line feed and the heartbeat; by `<replica>:status` the last status that was requested for one: the time, the status and the user name, on a line each | a minute |
//! | `{matches}:failed` | stream | the last failed matches | a week after the last one |
//! | `{catalog}:statistics:hour`, `:day` | hash | the statistics of all replicas by interval, in a ring: by slot the start of its interval, and on a line each its counts and gauges, see `scripts/add_statistics.lua` | an hour, a day after the last sample |
//! | `session:{<id>}` | string | an admin session, including its latest end | `admin.session_idle_seconds` after the last request |
//! | `probe:{<tag>}` | string | no content: probes of rights and keyspace notifications create it, delete it and let it expire; the readiness check reads it, and writes it if it exists | milliseconds |
//! | `events:{id}` | list | the outbox of a service: events that are not in the queues of their endpoints yet, see `scripts/events.lua` | none; relayed within seconds |
//! | `webhook:{<endpoint>}:...` | see `scripts/webhooks.lua` | the pending events and dead letters of a webhook endpoint, `services/<name>` or `resources/<name>` | none; bounded, and removed a week after the endpoint was last used |
//! | `{webhooks}:endpoints` | zset | the webhook endpoints by the time at which they were last used, to the hour | none; swept |
//! | `lease:cleanup` | string | a random token of the cleanup leader | 5 s |
//!
//! `{...}` is the Cluster hash tag: the keys of one service share a slot, so one script can change them
//! atomically. In a tag, `%` and `}` of a name are encoded as `%25` and `%7D`. Names of user data never begin
//! with `_`, so they cannot collide with internal fields.

use std::fmt::Display;

use crate::model::{
    BlobId, IdempotencyKey, RateLimitKey, ServiceId,
    comet::{CometSessionId, CometUser},
    stable_hash,
    statistics::StatisticsRange,
    webhook::WebhookEndpoint,
};

use self::tag::{decode_tag, encode_tag, escape_pattern};
pub(super) use self::{
    field::{
        BACKEND, CHAT_PRESENCE, CHAT_SUMMARY, CHAT_VERSION, CLAIM, COMET_VERSION, CREATED,
        DEFINITION, END, ENDED_SINCE, Field, GMS_USER, HAS_RESOURCES, HOOK, PENDING_HOOK, RESPONSE,
        REVISION, SESSION, STORAGE_VERSION, binary_field,
    },
    owned_resource::{
        OWNED_CHAT, OwnedResource, owned_blob_field, owned_booking_field, owned_booking_prefix,
        owned_session_field, owned_webhook_field,
    },
};

mod field;
mod owned_resource;
mod tag;

/// The number of shards of the cleanup index, and of the list of services.
pub(super) const SHARDS: u64 = 64;

/// Builds keys with a common prefix.
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

    /// Extracts the id from a key of [`Keys::service`]; `None` for any other key.
    pub(super) fn service_id(&self, key: &str) -> Option<ServiceId> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("svc:{")?;
        Some(ServiceId::from(decode_tag(rest.strip_suffix('}')?)))
    }

    pub(super) fn blob(&self, id: &ServiceId, blob: &BlobId) -> String {
        let tag = encode_tag(id.as_str());
        [&self.prefix, "blob:{", &tag, "}:", blob.as_str()].concat()
    }

    pub(super) fn chat(&self, id: &ServiceId) -> String {
        [&self.prefix, "chat:{", &encode_tag(id.as_str()), "}"].concat()
    }

    /// The outbox of a service.
    pub(super) fn events(&self, id: &ServiceId) -> String {
        [&self.prefix, "events:{", &encode_tag(id.as_str()), "}"].concat()
    }

    /// Extracts the id from a key of [`Keys::events`].
    pub(super) fn events_service_id(&self, key: &str) -> Option<ServiceId> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("events:{")?;
        Some(ServiceId::from(decode_tag(rest.strip_suffix('}')?)))
    }

    /// A user of Bayeux sessions.
    pub(super) fn comet_user(&self, user: &CometUser) -> String {
        [&self.prefix, "comet:{", user.as_str(), "}"].concat()
    }

    /// The user of a Bayeux session, and the session, in the order of `scripts/comet.lua`.
    pub(super) fn comet_session(&self, id: &CometSessionId) -> [String; 2] {
        let user = self.comet_user(&id.user);
        let session = [&user, ":", &id.secret].concat();
        [user, session]
    }

    /// The list of chats: those that have ended, or the others.
    pub(super) fn chat_list(&self, ended: bool) -> String {
        let list = if ended { "ended" } else { "open" };
        [&self.prefix, "{chats}:", list].concat()
    }

    pub(super) fn chat_agents(&self) -> String {
        [&self.prefix, "{chats}:agents"].concat()
    }

    /// The channel of notifications about changed chats. A message is the id of the service.
    pub(super) fn chat_channel(&self) -> String {
        [&self.prefix, "{chats}:changes"].concat()
    }

    pub(super) fn owned(&self, id: &ServiceId) -> String {
        [&self.prefix, "own:{", &encode_tag(id.as_str()), "}"].concat()
    }

    pub(super) fn idempotency_key(&self, key: &IdempotencyKey) -> String {
        [&self.prefix, "idem:{", &key.key, "}"].concat()
    }

    /// Keys of different counters never collide: the kinds differ before the first `/`.
    pub(super) fn rate_limit(&self, key: &RateLimitKey) -> String {
        let (kind, subject) = match key {
            RateLimitKey::CreatesByAddress(address) => ("creates-address", address),
            RateLimitKey::CreatesByService(definition) => ("creates-service", definition),
            RateLimitKey::ChatMessages(id) => ("chat-messages", id),
            RateLimitKey::FailedMatches(number) => ("failed-matches", number),
            RateLimitKey::FailedSignIns(address) => ("failed-credentials", address),
            RateLimitKey::SingleSignOn(id) => ("single-sign-on", id),
        };
        [&self.prefix, "rl:{", kind, "/", subject, "}"].concat()
    }

    /// The nine keys of a group, in the order of `scripts/bookings.lua`.
    pub(super) fn group(&self, group: &str) -> [String; 9] {
        let parts = [
            "free", "numbers", "booked", "bookings", "index", "codes", "version", "regions",
            "events",
        ];
        let tag = encode_tag(group);
        parts.map(|part| [&self.prefix, "grp:{", &tag, "}:", part].concat())
    }

    /// The keys of a group, followed by its quarantined numbers.
    pub(super) fn group_with_quarantine(&self, group: &str) -> Vec<String> {
        let mut keys = self.group(group).to_vec();
        keys.push(self.group_quarantined(group));
        keys
    }

    /// The quarantined numbers of a group.
    pub(super) fn group_quarantined(&self, group: &str) -> String {
        [&self.prefix, "grp:{", &encode_tag(group), "}:quarantined"].concat()
    }

    /// The nine keys of a webhook endpoint, in the order of `scripts/webhooks.lua`.
    pub(super) fn webhook(&self, endpoint: &WebhookEndpoint) -> [String; 9] {
        let parts = [
            "events",
            "order",
            "due",
            "attempts",
            "pending",
            "dead",
            "dead_letters",
            "state",
            "done",
        ];
        let endpoint = endpoint.to_string();
        let tag = encode_tag(&endpoint);
        parts.map(|part| [&self.prefix, "webhook:{", &tag, "}:", part].concat())
    }

    /// The webhook endpoints that exist.
    pub(super) fn webhook_endpoints(&self) -> String {
        [&self.prefix, "{webhooks}:endpoints"].concat()
    }

    /// When a webhook endpoint got the last event that a group has no free number.
    pub(super) fn group_exhausted(&self, group: &str) -> String {
        [&self.prefix, "grp:{", &encode_tag(group), "}:exhausted"].concat()
    }

    /// When a booking last found no free number in a group.
    pub(super) fn group_exhausted_at(&self, group: &str) -> String {
        [&self.prefix, "grp:{", &encode_tag(group), "}:exhausted_at"].concat()
    }

    /// The lock of the synchronization of a group.
    pub(super) fn group_sync_lock(&self, group: &str) -> String {
        [&self.prefix, "grp:{", &encode_tag(group), "}:filling"].concat()
    }

    pub(super) fn index_shard(&self, shard: u64) -> String {
        format!("{}idx:{{{shard:02x}}}", self.prefix)
    }

    /// The cleanup index shard of `id`.
    pub(super) fn index(&self, id: &ServiceId) -> String {
        self.index_shard(stable_hash(id.as_str().as_bytes()) % SHARDS)
    }

    pub(super) fn ends_shard(&self, shard: u64) -> String {
        format!("{}end:{{{shard:02x}}}", self.prefix)
    }

    /// The shard of the list of services for `id`.
    pub(super) fn ends(&self, id: &ServiceId) -> String {
        self.ends_shard(stable_hash(id.as_str().as_bytes()) % SHARDS)
    }

    pub(super) fn admin_session(&self, id: &str) -> String {
        [&self.prefix, "session:{", &encode_tag(id), "}"].concat()
    }

    /// A key without meaning, on the server that has its slot.
    pub(super) fn probe(&self, tag: impl Display) -> String {
        format!("{}probe:{{{tag}}}", self.prefix)
    }

    pub(super) fn cleanup_lease(&self) -> String {
        [&self.prefix, "lease:cleanup"].concat()
    }

    /// The version, the services, the resource groups and the retired entries of the stored catalog.
    pub(super) fn catalog(&self) -> [String; 4] {
        let parts = ["version", "services", "resources", "retired"];
        parts.map(|part| self.catalog_key(part))
    }

    /// The list of failed matches.
    pub(super) fn failed_matches(&self) -> String {
        [&self.prefix, "{matches}:failed"].concat()
    }

    pub(super) fn audit_log(&self) -> String {
        self.catalog_key("history")
    }

    pub(super) fn replicas(&self) -> String {
        self.catalog_key("replicas")
    }

    /// The statistics of all replicas over a range of time.
    pub(super) fn statistics(&self, range: StatisticsRange) -> String {
        self.catalog_key(&["statistics:", range.name()].concat())
    }

    /// The channel of notifications about catalog changes.
    pub(super) fn catalog_channel(&self) -> String {
        self.catalog_key("changes")
    }

    fn catalog_key(&self, part: &str) -> String {
        [&self.prefix, "{catalog}:", part].concat()
    }

    /// A key of each kind that does not exist or has no field `random`, and the ACL pattern of all keys
    /// of that kind.
    pub(super) fn samples(&self, random: &str) -> Vec<(String, String)> {
        let kinds = [
            ("svc:", true),
            ("blob:", true),
            ("chat:", true),
            ("comet:", true),
            ("own:", true),
            ("idem:", true),
            ("grp:", true),
            ("rl:", true),
            ("session:", true),
            ("idx:", true),
            ("end:", true),
            ("events:", true),
            ("webhook:", true),
            ("{webhooks}:", false),
            ("{chats}:", false),
            ("{matches}:", false),
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

    /// The `SCAN` pattern of all keys of [`Keys::owned`].
    pub(super) fn owned_pattern(&self) -> String {
        self.scan_pattern("own:{*}")
    }

    /// The `SCAN` pattern of all keys of [`Keys::events`].
    pub(super) fn events_pattern(&self) -> String {
        self.scan_pattern("events:{*}")
    }

    fn scan_pattern(&self, keys: &str) -> String {
        escape_pattern(&self.prefix) + keys
    }

    /// Extracts the id from a key of [`Keys::owned`].
    pub(super) fn owned_service_id(&self, key: &str) -> Option<ServiceId> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("own:{")?;
        Some(ServiceId::from(decode_tag(rest.strip_suffix('}')?)))
    }
}

#[cfg(test)]
mod tests;
