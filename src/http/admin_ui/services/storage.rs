//! The storage of a service, one page of keys at a time.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
};

use crate::{
    http::{ApiError, AppState, admin_api, admin_ui::format},
    model::{Binary, Description, KeyName, Preview, ServiceId},
    service::FormData,
};

/// Bytes of a string that are shown; longer strings are truncated.
const MAX_PREVIEW_BYTES: usize = 1024;

/// A page of keys and values, sorted by key.
pub(super) struct StoragePage {
    pub(super) rows: Vec<(String, StoredValue)>,
    /// Total number of keys.
    pub(super) key_count: usize,
    pub(super) is_first: bool,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
    /// Page size.
    pub(super) limit: usize,
}

/// The value of a key.
pub(super) enum StoredValue {
    Text(Preview),
    Binary(Binary),
}

impl StoragePage {
    /// Loads the page that `limit` and `after` in the query select.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameter`], [`ApiError::ServiceNotFound`], errors of the store.
    pub(super) async fn load(
        state: &AppState,
        id: &ServiceId,
        description: &Description,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (query.text("after"), admin_api::page_size(query)?);
        let texts = description.keys.iter().map(|key| (key.as_str(), None));
        let binaries = description.binaries.iter();
        let binaries = binaries.map(|(key, binary)| (key.as_str(), Some(binary)));
        let all: BTreeMap<&str, Option<&Binary>> = texts.chain(binaries).collect();
        let mut following = all.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded));
        let page = following.by_ref().take(limit);
        let page: Vec<_> = page.map(|(key, binary)| (*key, *binary)).collect();
        let next = following.next().and(page.last());
        let next = next.map(|(key, _)| (*key).to_owned());
        let rows = Self::load_rows(state, id, &page).await?;
        Ok(Self {
            rows,
            key_count: all.len(),
            is_first: after.is_none(),
            next,
            limit,
        })
    }

    /// The values of these keys, without keys that have no value of this kind any more.
    async fn load_rows(
        state: &AppState,
        id: &ServiceId,
        keys: &[(&str, Option<&Binary>)],
    ) -> Result<Vec<(String, StoredValue)>, ApiError> {
        let texts = keys.iter().filter(|(_, binary)| binary.is_none());
        let texts = texts.filter_map(|(key, _)| KeyName::new((*key).to_owned()));
        let texts: Vec<KeyName> = texts.collect();
        let previews = admin_api::admin_service(state)?
            .previews(id, &texts, MAX_PREVIEW_BYTES)
            .await?;
        let previews = texts.iter().map(KeyName::as_str).zip(previews);
        let mut previews: HashMap<&str, Option<Preview>> = previews.collect();
        let rows = keys.iter().filter_map(|(key, binary)| {
            let value = match binary {
                Some(binary) => StoredValue::Binary((*binary).clone()),
                None => StoredValue::Text(previews.remove(*key)??),
            };
            Some(((*key).to_owned(), value))
        });
        Ok(rows.collect())
    }
}

impl StoredValue {
    /// Whether only the beginning is shown.
    pub(super) fn is_truncated(&self) -> bool {
        matches!(self, Self::Text(preview) if preview.text.len() < preview.bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Text(preview) => preview.bytes as u64,
            Self::Binary(binary) => binary.size,
        }
    }

    pub(super) fn size(&self) -> String {
        format::format_bytes(self.bytes())
    }
}
