//! What one of the *Services* holds, a page of names at a time.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    http::{Api, ApiError, admin, pages::figures},
    service::{Pairs, ServiceError},
    store::{Binary, Description, ServiceId},
};

/// Bytes of a string that are shown; a longer one is cut.
const SHOWN: usize = 1024;
/// Strings that are read at a time: all at once may be more than anybody has room for.
const AT_ONCE: usize = 8;

/// Some of the names, in their order, and what they hold.
pub(super) struct DataPage {
    pub(super) rows: Vec<(String, Held)>,
    /// Names in all.
    pub(super) names: usize,
    pub(super) is_first: bool,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
    /// Names on a page.
    pub(super) limit: usize,
}

/// What a name holds.
pub(super) enum Held {
    Text {
        /// All of it, or how it begins.
        shown: String,
        /// Bytes of all of it.
        bytes: usize,
    },
    Binary(Binary),
}

impl DataPage {
    /// The page that `limit` and `after` of the query ask for.
    ///
    /// # Errors
    /// [`ApiError::InvalidParameter`], [`ApiError::ServiceNotFound`]; what the store says.
    pub(super) async fn of(
        api: &Api,
        id: &ServiceId,
        told: &Description,
        query: &Pairs,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (query.text("after"), admin::page_size(query)?);
        let texts = told.keys.iter().map(|key| (key.as_str(), None));
        let binaries = told.binaries.iter();
        let binaries = binaries.map(|(key, binary)| (key.as_str(), Some(binary)));
        let all: BTreeMap<&str, Option<&Binary>> = texts.chain(binaries).collect();
        let mut behind = all.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded));
        let some: Vec<_> = behind.by_ref().take(limit).collect();
        let next = behind.next().and(some.last());
        let next = next.map(|(key, _)| (**key).to_owned());
        let held = some
            .iter()
            .map(|(key, binary)| held(api, id, key, **binary));
        let held: Vec<_> = stream::iter(held).buffered(AT_ONCE).try_collect().await?;
        Ok(Self {
            rows: held.into_iter().flatten().collect(),
            names: all.len(),
            is_first: after.is_none(),
            next,
            limit,
        })
    }
}

/// What `key` holds; `None` where it holds nothing of the kind any more.
async fn held(
    api: &Api,
    id: &ServiceId,
    key: &str,
    binary: Option<&Binary>,
) -> Result<Option<(String, Held)>, ApiError> {
    let held = match binary {
        Some(binary) => Held::Binary(binary.clone()),
        None => match api.services.read(id, key).await {
            Ok(text) => Held::of(text),
            Err(ServiceError::NoSuchKey { .. } | ServiceError::BinaryKey { .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Some((key.to_owned(), held)))
}

impl Held {
    fn of(mut text: String) -> Self {
        let bytes = text.len();
        let mut end = SHOWN.min(bytes);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.shrink_to_fit();
        Self::Text { shown: text, bytes }
    }

    /// Whether there is more of it than is shown.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self, Self::Text { shown, bytes } if shown.len() < *bytes)
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Text { bytes, .. } => *bytes as u64,
            Self::Binary(binary) => binary.size,
        }
    }

    pub(super) fn size(&self) -> String {
        figures::size(self.bytes())
    }
}
