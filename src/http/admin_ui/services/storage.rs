//! What one of the *Services* holds, a page of names at a time.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
};

use crate::{
    http::{ApiError, AppState, admin_api, admin_ui::format},
    service::FormData,
    store::{Binary, Description, KeyName, Preview, ServiceId},
};

/// Bytes of a string that are shown; a longer one is cut.
const MAX_PREVIEW_BYTES: usize = 1024;

/// Some of the names, in their order, and what they hold.
pub(super) struct StoragePage {
    pub(super) rows: Vec<(String, StoredValue)>,
    /// Names in all.
    pub(super) key_count: usize,
    pub(super) is_first: bool,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
    /// Names on a page.
    pub(super) limit: usize,
}

/// What a name holds.
pub(super) enum StoredValue {
    Text(Preview),
    Binary(Binary),
}

impl StoragePage {
    /// The page that `limit` and `after` of the query ask for.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameter`], [`ApiError::ServiceNotFound`]; what the store says.
    pub(super) async fn load(
        api: &AppState,
        id: &ServiceId,
        told: &Description,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (query.text("after"), admin_api::page_size(query)?);
        let texts = told.keys.iter().map(|key| (key.as_str(), None));
        let binaries = told.binaries.iter();
        let binaries = binaries.map(|(key, binary)| (key.as_str(), Some(binary)));
        let all: BTreeMap<&str, Option<&Binary>> = texts.chain(binaries).collect();
        let mut behind = all.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded));
        let some = behind.by_ref().take(limit);
        let some: Vec<_> = some.map(|(key, binary)| (*key, *binary)).collect();
        let next = behind.next().and(some.last());
        let next = next.map(|(key, _)| (*key).to_owned());
        let rows = Self::load_rows(api, id, &some).await?;
        Ok(Self {
            rows,
            key_count: all.len(),
            is_first: after.is_none(),
            next,
            limit,
        })
    }

    /// What these names hold, but for those that hold nothing of the kind any more.
    async fn load_rows(
        api: &AppState,
        id: &ServiceId,
        names: &[(&str, Option<&Binary>)],
    ) -> Result<Vec<(String, StoredValue)>, ApiError> {
        let texts = names.iter().filter(|(_, binary)| binary.is_none());
        let texts = texts.filter_map(|(key, _)| KeyName::new((*key).to_owned()));
        let texts: Vec<KeyName> = texts.collect();
        let begin = admin_api::admin_service(api)?
            .previews(id, &texts, MAX_PREVIEW_BYTES)
            .await?;
        let begin = texts.iter().map(KeyName::as_str).zip(begin);
        let mut begin: HashMap<&str, Option<Preview>> = begin.collect();
        let rows = names.iter().filter_map(|(key, binary)| {
            let held = match binary {
                Some(binary) => StoredValue::Binary((*binary).clone()),
                None => StoredValue::Text(begin.remove(*key)??),
            };
            Some(((*key).to_owned(), held))
        });
        Ok(rows.collect())
    }
}

impl StoredValue {
    /// Whether there is more of it than is shown.
    pub(super) fn is_truncated(&self) -> bool {
        matches!(self, Self::Text(begin) if begin.text.len() < begin.bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Text(begin) => begin.bytes as u64,
            Self::Binary(binary) => binary.size,
        }
    }

    pub(super) fn size(&self) -> String {
        format::format_bytes(self.bytes())
    }
}
