//! The only place that spells a Redis key or a field of ours.
//!
//! | key, after the prefix | type | holds | life |
//! |---|---|---|---|
//! | `svc:{id}` | hash | the service: the fields below and, beside them, its strings as they are | the service's |
//! | `blob:{id}:<blob>` | hash | a binary in chunks: fields `0`, `1`, ... | minutes while uploaded, then the service's |
//! | `own:{id}` | hash | what belongs to the service outside `svc:{id}`: `blob:<blob>` per binary | the service's and an hour |
//! | `idem:{definition/key}` | string | the id that an idempotency key is bound to | the service's |
//! | `clean:{id}` | string | who is cleaning up after a service | seconds |
//!
//! `{...}` is the Cluster hash tag: keys of one service share a slot, so one script may change them
//! together. Names of user data never begin with `_`, so they cannot meet our fields.

use crate::store::{BlobId, IdempotencyKey, KeyName, ServiceId};

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
/// Before the name of a binary: the field of its descriptor.
const BINARY: &str = "_bin:";
/// Before a blob's id: its field in `own:{id}`.
const OWNED_BLOB: &str = "blob:";

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
        [&self.prefix, "svc:{", id.as_str(), "}"].concat()
    }

    /// The id in a key made by [`Keys::service`]; `None` for any other key.
    pub(super) fn service_id(&self, key: &str) -> Option<ServiceId> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix("svc:{")?;
        Some(ServiceId::from(rest.strip_suffix('}')?.to_owned()))
    }

    pub(super) fn blob(&self, id: &ServiceId, blob: &BlobId) -> String {
        [&self.prefix, "blob:{", id.as_str(), "}:", blob.as_str()].concat()
    }

    pub(super) fn own(&self, id: &ServiceId) -> String {
        [&self.prefix, "own:{", id.as_str(), "}"].concat()
    }

    /// No configured service has a `/` in its name, so no two pairs are spelled alike.
    pub(super) fn claim(&self, key: &IdempotencyKey) -> String {
        let IdempotencyKey { definition, key } = key;
        [&self.prefix, "idem:{", definition, "/", key, "}"].concat()
    }

    pub(super) fn cleaning(&self, id: &ServiceId) -> String {
        [&self.prefix, "clean:{", id.as_str(), "}"].concat()
    }
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
    Ours,
}

impl<'a> Field<'a> {
    pub(super) fn of(field: &'a str) -> Self {
        match field.strip_prefix(BINARY) {
            Some(name) => Self::Binary(name),
            None if field.starts_with('_') => Self::Ours,
            None => Self::Text(field),
        }
    }
}

/// The blob that a field of `own:{id}` stands for.
pub(super) fn owned_blob(field: &str) -> Option<BlobId> {
    let blob = field.strip_prefix(OWNED_BLOB)?;
    Some(BlobId::from(blob.to_owned()))
}

/// The field of `own:{id}` that stands for `blob`.
pub(super) fn owned_blob_field(blob: &BlobId) -> String {
    [OWNED_BLOB, blob.as_str()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_service_key_gives_back_its_id(id in ".{0,80}") {
            let keys = Keys::new("sb1:");
            let id = ServiceId::from(id);
            prop_assert_eq!(keys.service_id(&keys.service(&id)), Some(id));
        }

        #[test]
        fn no_name_of_user_data_meets_a_field_of_ours(name in ".{1,80}") {
            if let Some(name) = KeyName::new(name) {
                prop_assert_eq!(Field::of(name.as_str()), Field::Text(name.as_str()));
                let field = binary_field(&name);
                prop_assert_eq!(Field::of(&field), Field::Binary(name.as_str()));
            }
        }
    }

    #[test]
    fn keys_of_others_are_not_taken_for_services() {
        let keys = Keys::new("sb1:");
        for key in ["", "sb1:", "sb1:own:{x}", "sb2:svc:{x}", "sb1:svc:{x"] {
            assert_eq!(keys.service_id(key), None, "{key}");
        }
        for field in [DEFINITION, CREATED, END, GMS_USER, CLAIM, ANSWER] {
            assert_eq!(Field::of(field), Field::Ours, "{field}");
        }
    }

    #[test]
    fn what_a_service_owns_is_found_by_its_field() {
        let blob = BlobId::fresh();
        assert_eq!(owned_blob(&owned_blob_field(&blob)), Some(blob));
        assert_eq!(owned_blob("ors:1"), None);
    }
}
