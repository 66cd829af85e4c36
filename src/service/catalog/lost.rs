//! Detects a loss of the stored catalog: the store is empty or has an older catalog than this replica.

use std::sync::Arc;

use crate::store::{EntryName, StoredCatalog, StoredEntry, Timestamp};

/// A catalog that the store has lost and this replica can restore.
#[derive(Debug, Clone)]
pub(crate) struct LostCatalog {
    /// When this replica detected the loss.
    pub(crate) detected_at: Timestamp,
    /// The lost catalog.
    catalog: Arc<StoredCatalog>,
    /// The number of missing entries.
    missing: usize,
}

impl LostCatalog {
    /// Compares the stored catalog `now` with `before`, which this replica read previously. `lost` is the loss that
    /// was detected before.
    pub(super) fn detect(
        lost: Option<&Self>,
        before: Option<&Arc<StoredCatalog>>,
        now: &StoredCatalog,
        at: Timestamp,
    ) -> Option<Self> {
        let found = match (lost, before) {
            (Some(lost), _) => lost.clone(),
            (None, Some(before)) if is_older(now, before) => Self {
                detected_at: at,
                catalog: Arc::clone(before),
                missing: 0,
            },
            _ => return None,
        };
        let missing = found.missing_from(now).count();
        (missing > 0).then_some(Self { missing, ..found })
    }

    /// The version that was lost.
    #[must_use]
    pub(crate) fn version(&self) -> &str {
        &self.catalog.version
    }

    /// The number of missing entries.
    #[must_use]
    pub(crate) fn missing_count(&self) -> usize {
        self.missing
    }

    /// The entries that are missing in `now` or older there.
    pub(crate) fn missing_from<'a>(
        &'a self,
        now: &'a StoredCatalog,
    ) -> impl Iterator<Item = (&'a EntryName, &'a StoredEntry)> {
        self.catalog.entries.iter().filter(|(name, entry)| {
            let current = now.entries.get(*name);
            current.is_none_or(|current| {
                current.text != entry.text
                    && version_number(&current.revision) < version_number(&entry.revision)
            })
        })
    }
}

/// Whether `now` is not a successor of `before`. Every change of a catalog increments its number.
fn is_older(now: &StoredCatalog, before: &StoredCatalog) -> bool {
    now.version != before.version && version_number(&now.version) <= version_number(&before.version)
}

/// The number of a version; 0 for an empty catalog.
fn version_number(version: &str) -> u64 {
    let number = version.split('-').next();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Table;

    fn catalog(version: &str, entries: &[(&str, &str)]) -> Arc<StoredCatalog> {
        let entries = entries.iter().map(|(name, revision)| {
            let (revision, text) = ((*revision).to_owned(), format!("of {revision}"));
            let name = (Table::Services, (*name).to_owned());
            (name, StoredEntry { revision, text })
        });
        Arc::new(StoredCatalog {
            version: version.to_owned(),
            entries: entries.collect(),
            ..StoredCatalog::default()
        })
    }

    fn lost(before: &Arc<StoredCatalog>, now: &StoredCatalog) -> Option<usize> {
        let lost = LostCatalog::detect(None, Some(before), now, Timestamp::default());
        lost.map(|lost| lost.missing_count())
    }

    #[test]
    fn an_empty_or_older_store_has_lost_entries() {
        let before = catalog("7-a", &[("a", "3-x"), ("b", "7-a")]);
        assert_eq!(lost(&before, &catalog("", &[])), Some(2));
        assert_eq!(lost(&before, &catalog("5-y", &[("a", "3-x")])), Some(1));
        let older = catalog("5-y", &[("a", "3-x"), ("b", "4-z")]);
        assert_eq!(lost(&before, &older), Some(1));
        // An entry was created in the empty store before this replica read it.
        assert_eq!(lost(&before, &catalog("1-n", &[("c", "1-n")])), Some(2));
    }

    #[test]
    fn deleted_and_changed_entries_are_not_lost() {
        let before = catalog("7-a", &[("a", "3-x"), ("b", "7-a")]);
        for now in [
            catalog("7-a", &[("a", "3-x"), ("b", "7-a")]),
            catalog("8-b", &[("a", "8-b")]),
            catalog("9-c", &[]),
        ] {
            assert_eq!(lost(&before, &now), None, "{}", now.version);
        }
    }

    #[test]
    fn lost_entries_are_reported_until_all_are_restored() {
        let before = catalog("7-a", &[("a", "3-x"), ("b", "7-a")]);
        let first =
            LostCatalog::detect(None, Some(&before), &catalog("", &[]), Timestamp::default());
        let first = first.unwrap();
        let partly_restored = catalog("1-r", &[("a", "1-r")]);
        let then = LostCatalog::detect(Some(&first), None, &partly_restored, Timestamp::default())
            .unwrap();
        assert_eq!((then.missing_count(), then.version()), (2, "7-a"));
        let mut restored = (*before).clone();
        restored.version = "2-s".to_owned();
        for entry in restored.entries.values_mut() {
            entry.revision = "2-s".to_owned();
        }
        assert!(LostCatalog::detect(Some(&then), None, &restored, Timestamp::default()).is_none());
    }
}
