//! Reads of storages that are too large for one reply.
//!
//! Redis handles no other command while it builds a reply, and a worker no other request while it parses one: together
//! up to 0.2 s for 60 MiB. So the fields are read in pieces, and each piece contains the revision. If that changes
//! meanwhile, the read starts again; the result is always the contents at one time.

use redis::cmd;

use super::{
    MAX_ATTEMPTS, RedisStore,
    keys::{self, Field},
    scripts::{FIELD_SIZES, evalsha},
};
use crate::model::{ServiceId, StoreError};

/// The maximum size of a reply, unless a single field is larger: other requests wait for it.
pub(super) const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// The fields from which the revision is calculated.
const REVISION_FIELDS: [&str; 2] = [keys::CREATED, keys::REVISION];

/// The result of reading the fields of a service.
#[derive(Debug)]
pub(super) enum FieldsRead {
    /// The fields and their values; none if there is no such service.
    Fields(Vec<(String, String)>),
    /// They exceed the limit.
    TooLarge {
        /// A lower bound of the total bytes of names and values.
        bytes: usize,
    },
}

/// The names and sizes of the fields of a service at one revision.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// The values of [`REVISION_FIELDS`].
    revision: [Option<String>; 2],
    /// The fields with user data and descriptors of binaries; the bytes are those of name and value.
    fields: Vec<(String, usize)>,
}

impl RedisStore {
    /// Reads all fields of a service except for internal ones that do not concern the revision. Costs a round trip for
    /// each piece, over pooled connections.
    pub(super) async fn read_in_pieces(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<FieldsRead, StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let layout = self.read_layout(id).await?;
            let bytes = layout.fields.iter().map(|(_, bytes)| bytes).sum();
            if bytes > max_bytes {
                return Ok(FieldsRead::TooLarge { bytes });
            }
            if let Some(fields) = self.read_fields(id, layout).await? {
                return Ok(FieldsRead::Fields(fields));
            }
        }
        self.read_in_one_reply(id, max_bytes).await
    }

    async fn read_layout(&self, id: &ServiceId) -> Result<Layout, StoreError> {
        let sizes = evalsha(&FIELD_SIZES, &[self.keys.service(id)]);
        let reply: Vec<Option<String>> = self.redis.query_pooled(&sizes).await?;
        Layout::parse(reply)
            .ok_or_else(|| StoreError::Corrupt("invalid sizes of the fields".to_owned()))
    }

    /// Returns `None` if the service has changed.
    async fn read_fields(
        &self,
        id: &ServiceId,
        layout: Layout,
    ) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let mut read = Vec::with_capacity(layout.fields.len() + REVISION_FIELDS.len());
        for fields in layout.pieces() {
            let mut get = cmd("HMGET");
            get.arg(self.keys.service(id)).arg(&REVISION_FIELDS);
            get.arg(fields.iter().map(|(name, _)| name).collect::<Vec<_>>());
            let reply: Vec<Option<String>> = self.redis.query_pooled(&get).await?;
            let mut values = reply.into_iter();
            let revision = [values.next().flatten(), values.next().flatten()];
            if revision != layout.revision {
                return Ok(None);
            }
            for ((name, _), value) in fields.iter().zip(values) {
                let Some(value) = value else {
                    return Ok(None);
                };
                read.push((name.clone(), value));
            }
        }
        for (field, value) in REVISION_FIELDS.into_iter().zip(layout.revision) {
            read.extend(value.map(|value| (field.to_owned(), value)));
        }
        Ok(Some(read))
    }

    /// Reads a service that changes faster than it can be read in pieces.
    async fn read_in_one_reply(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<FieldsRead, StoreError> {
        let mut read = cmd("HGETALL");
        read.arg(self.keys.service(id));
        let fields: Vec<(String, String)> = self.redis.query_pooled(&read).await?;
        let sizes = fields.iter().map(|(name, value)| name.len() + value.len());
        let bytes = sizes.sum();
        if bytes > max_bytes {
            return Ok(FieldsRead::TooLarge { bytes });
        }
        Ok(FieldsRead::Fields(fields))
    }
}

impl Layout {
    /// Parses the reply of `field_sizes.lua`.
    fn parse(reply: Vec<Option<String>>) -> Option<Self> {
        let mut values = reply.into_iter();
        let revision = [values.next()?, values.next()?];
        let mut fields = Vec::with_capacity(values.len() / 2);
        while let Some(name) = values.next() {
            let name = name?;
            let bytes: usize = values.next()??.parse().ok()?;
            if Field::parse(&name) != Field::Internal {
                let bytes = bytes + name.len();
                fields.push((name, bytes));
            }
        }
        Some(Self { revision, fields })
    }

    /// Splits the fields into pieces of at most [`MAX_REPLY_BYTES`], or of one larger field.
    fn pieces(&self) -> Vec<&[(String, usize)]> {
        let mut pieces = Vec::new();
        let (mut start, mut piece_bytes) = (0, 0);
        for (index, (_, bytes)) in self.fields.iter().enumerate() {
            if index > start && piece_bytes + bytes > MAX_REPLY_BYTES {
                pieces.push(&self.fields[start..index]);
                (start, piece_bytes) = (index, 0);
            }
            piece_bytes += bytes;
        }
        if start < self.fields.len() {
            pieces.push(&self.fields[start..]);
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_omits_internal_fields_and_contains_their_sizes() {
        let reply = ["5", "7", "_created", "1", "key", "10", "_bin:a", "20"];
        let layout = Layout::parse(reply.map(|text| Some(text.to_owned())).into()).unwrap();
        let expected = [("key".to_owned(), 13), ("_bin:a".to_owned(), 26)];
        assert_eq!(layout.fields, expected);
        assert_eq!(
            layout.revision,
            [Some("5".to_owned()), Some("7".to_owned())]
        );
        let odd = vec![Some("5".to_owned()), None, Some("key".to_owned())];
        assert_eq!(Layout::parse(odd), None);
        assert_eq!(Layout::parse(vec![]), None);
    }

    #[test]
    fn pieces_contain_each_field_once_and_respect_the_limit() {
        let sizes = |sizes: &[usize]| Layout {
            revision: [None, None],
            fields: sizes.iter().map(|size| (String::new(), *size)).collect(),
        };
        let lengths = |layout: &Layout| -> Vec<usize> {
            layout.pieces().iter().map(|piece| piece.len()).collect()
        };
        let max = MAX_REPLY_BYTES;
        assert!(lengths(&sizes(&[])).is_empty());
        assert_eq!(lengths(&sizes(&[1, max - 1])), [2]);
        assert_eq!(lengths(&sizes(&[1, max, 1, 1])), [1, 1, 2]);
        assert_eq!(lengths(&sizes(&[2 * max, 2 * max])), [1, 1]);
    }
}
