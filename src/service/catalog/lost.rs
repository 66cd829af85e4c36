//! Detects a loss of the stored catalog: the store is empty or has an older catalog than this replica.

use std::collections::BTreeMap;

use crate::model::{EntryName, StoredCatalog, StoredEntry, Timestamp};

/// Entries that the store has lost and this replica can restore.
#[derive(Debug, Clone)]
pub(crate) struct LostCatalog {
    /// When this replica detected the first loss.
    pub(crate) detected_at: Timestamp,
    /// The version of the catalog at the first loss.
    version: String,
    entries: BTreeMap<EntryName, LostEntry>,
}

#[derive(Debug, Clone)]
struct LostEntry {
    entry: StoredEntry,
    /// The older revision that the store had after the loss; `None` if the entry was missing.
    remaining: Option<String>,
}

impl LostEntry {
    /// Whether the entry was neither restored nor changed in `now` since the loss.
    fn is_lost_in(&self, name: &EntryName, now: &StoredCatalog) -> bool {
        now.entries.get(name).map(|current| &current.revision) == self.remaining.as_ref()
    }
}

impl LostCatalog {
    /// Compares the stored catalog `now` with `before`, which this replica read previously, at `read_at`. `lost` is
    /// the loss that was detected before. Entries that were restored, changed or deleted since are no longer lost.
    pub(super) fn detect(
        lost: Option<&Self>,
        before: Option<&StoredCatalog>,
        read_at: Timestamp,
        now: &StoredCatalog,
        at: Timestamp,
    ) -> Option<Self> {
        let before = before?;
        let known = lost.map(|lost| &lost.entries);
        let known = known.into_iter().flatten();
        let mut entries: BTreeMap<EntryName, LostEntry> =
            if is_older(now, before) || lost.is_some_and(|lost| lost.is_partly_in(now)) {
                let known = known.map(|(name, lost)| (name, &lost.entry));
                // A known lost entry is newer than the one that remained.
                let all: BTreeMap<_, _> = before.entries.iter().chain(known).collect();
                let missing = all.into_iter().filter_map(|(name, entry)| {
                    let current = now.entries.get(name);
                    let lost = LostEntry {
                        entry: entry.clone(),
                        remaining: current.map(|current| current.revision.clone()),
                    };
                    is_missing(entry, current).then(|| (name.clone(), lost))
                });
                missing.collect()
            } else {
                let lost = known.filter(|(name, lost)| lost.is_lost_in(name, now));
                lost.map(|(name, lost)| (name.clone(), lost.clone()))
                    .collect()
            };
        entries.retain(|name, _| {
            let deleted = now.retired.get(name);
            deleted.is_none_or(|deleted| deleted.since < read_at)
        });
        let (detected_at, version) = lost.map_or_else(
            || (at, before.version.clone()),
            |lost| (lost.detected_at, lost.version.clone()),
        );
        (!entries.is_empty()).then_some(Self {
            detected_at,
            version,
            entries,
        })
    }

    /// The version that was lost first.
    #[must_use]
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The number of missing entries.
    #[must_use]
    pub(crate) fn missing_count(&self) -> usize {
        self.entries.len()
    }

    /// Whether an entry was lost that `other` does not contain.
    pub(super) fn exceeds(&self, other: Option<&Self>) -> bool {
        let is_known = |name| other.is_some_and(|other| other.entries.contains_key(name));
        self.entries.keys().any(|name| !is_known(name))
    }

    /// The entries that are missing in `now` or older there.
    pub(crate) fn missing_from<'a>(
        &'a self,
        now: &'a StoredCatalog,
    ) -> impl Iterator<Item = (&'a EntryName, &'a StoredEntry)> {
        let lost = self.entries.iter();
        lost.filter(|(name, lost)| lost.is_lost_in(name, now))
            .map(|(name, lost)| (name, &lost.entry))
    }

    /// Whether `now` contains a lost revision: the store was restored from its own data.
    fn is_partly_in(&self, now: &StoredCatalog) -> bool {
        self.entries.iter().any(|(name, lost)| {
            let current = now.entries.get(name);
            current.is_some_and(|current| current.revision == lost.entry.revision)
        })
    }
}

/// Whether the store has no entry or an older one instead of `entry`.
fn is_missing(entry: &StoredEntry, current: Option<&StoredEntry>) -> bool {
    current.is_none_or(|current| {
        current.text != entry.text
            && version_number(&current.revision) < version_number(&entry.revision)
    })
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
    use crate::model::{RetiredEntry, Table};

    fn name(name: &str) -> EntryName {
        (Table::Services, name.to_owned())
    }

    fn catalog(version: &str, entries: &[(&str, &str)]) -> StoredCatalog {
        let entries = entries.iter().map(|(entry, revision)| {
            let (revision, text) = ((*revision).to_owned(), format!("of {revision}"));
            (name(entry), StoredEntry { revision, text })
        });
        StoredCatalog {
            version: version.to_owned(),
            entries: entries.collect(),
            ..StoredCatalog::default()
        }
    }

    fn deleted(mut catalog: StoredCatalog, entry: &str, at: i64) -> StoredCatalog {
        let retired = RetiredEntry {
            since: Timestamp::from_millis(at),
            text: String::new(),
        };
        catalog.retired.insert(name(entry), retired);
        catalog
    }

    /// The names of the lost entries after each catalog of a sequence, with the last loss. The catalogs are read at
    /// 1000, 2000 and so on.
    fn sequence(catalogs: &[StoredCatalog]) -> (Vec<String>, Option<LostCatalog>) {
        let (mut lost, mut before, mut at) = (None, None, 0);
        let mut all = Vec::new();
        for now in catalogs {
            let (read_at, time) = (at, at + 1_000);
            let [read_at, time_of_read] = [read_at, time].map(Timestamp::from_millis);
            lost = LostCatalog::detect(lost.as_ref(), before, read_at, now, time_of_read);
            let names = lost.iter().flat_map(|lost| lost.missing_from(now));
            let names: Vec<_> = names.map(|((_, name), _)| name.as_str()).collect();
            assert_eq!(
                names.len(),
                lost.as_ref().map_or(0, LostCatalog::missing_count)
            );
            all.push(names.join(" "));
            (before, at) = (Some(now), time);
        }
        (all, lost)
    }

    fn lost_names(catalogs: &[StoredCatalog]) -> Vec<String> {
        sequence(catalogs).0
    }

    #[test]
    fn an_empty_or_older_store_has_lost_entries() {
        let before = catalog("7-a", &[("a", "3-x"), ("b", "7-a")]);
        for (now, lost) in [
            (catalog("", &[]), "a b"),
            (catalog("5-y", &[("a", "3-x")]), "b"),
            (catalog("5-y", &[("a", "3-x"), ("b", "4-z")]), "b"),
            // An entry was created in the empty store before this replica read it.
            (catalog("1-n", &[("c", "1-n")]), "a b"),
        ] {
            assert_eq!(lost_names(&[before.clone(), now]), ["", lost]);
        }
    }

    #[test]
    fn deleted_and_changed_entries_are_not_lost() {
        let before = catalog("7-a", &[("a", "3-x"), ("b", "7-a")]);
        for now in [
            catalog("7-a", &[("a", "3-x"), ("b", "7-a")]),
            catalog("8-b", &[("a", "8-b")]),
            catalog("9-c", &[]),
        ] {
            assert_eq!(lost_names(&[before.clone(), now]), ["", ""]);
        }
    }

    #[test]
    fn entries_deleted_or_changed_after_a_loss_are_not_lost() {
        let before = catalog(
            "9-a",
            &[("a", "1-x"), ("b", "8-x"), ("c", "9-a"), ("d", "3-x")],
        );
        let snapshot = catalog("3-x", &[("a", "1-x"), ("b", "2-x"), ("d", "3-x")]);
        let without_a = catalog("4-e", &[("b", "2-x"), ("d", "3-x")]);
        let changed = catalog("5-e", &[("b", "5-e"), ("d", "3-x")]);
        let none = catalog("6-e", &[]);
        let catalogs = [before, snapshot, without_a, changed, none];
        assert_eq!(lost_names(&catalogs), ["", "b c", "b c", "c", "c"]);
    }

    #[test]
    fn entries_deleted_before_the_loss_was_read_are_not_lost() {
        let before = catalog("4-a", &[("a", "1-x"), ("b", "2-x"), ("c", "4-a")]);
        let without_a = catalog("4-e", &[("b", "2-x")]);
        let later = deleted(without_a.clone(), "a", 1_500);
        assert_eq!(lost_names(&[before.clone(), later]), ["", "c"]);
        // The entry was deleted and created again before the first read.
        let earlier = deleted(without_a, "a", 500);
        assert_eq!(lost_names(&[before, earlier]), ["", "a c"]);
        // A lost entry was created and deleted again between two reads.
        let full = catalog("2-a", &[("a", "1-x"), ("b", "2-a")]);
        let again = deleted(catalog("2-e", &[]), "a", 2_500);
        assert_eq!(
            lost_names(&[full, catalog("", &[]), again]),
            ["", "a b", "b"]
        );
    }

    #[test]
    fn a_second_loss_adds_to_the_first() {
        let before = catalog("4-a", &[("a", "1-x"), ("b", "4-a")]);
        let (empty, with_x) = (catalog("", &[]), catalog("1-n", &[("x", "1-n")]));
        let catalogs = [before, empty.clone(), with_x, empty];
        let (names, last) = sequence(&catalogs);
        assert_eq!(names, ["", "a b", "a b", "a b x"]);
        let (_, first) = sequence(&catalogs[..3]);
        let (first, last) = (first.unwrap(), last.unwrap());
        assert!(first.exceeds(None) && last.exceeds(Some(&first)));
        assert!(!first.exceeds(Some(&last)) && !last.exceeds(Some(&last)));
        assert_eq!(
            (last.version(), last.detected_at),
            ("4-a", Timestamp::from_millis(2_000))
        );
    }

    #[test]
    fn an_older_copy_after_a_loss_restores_only_its_entries() {
        let before = catalog("9-a", &[("a", "1-x"), ("b", "8-x"), ("c", "9-a")]);
        let copy = catalog("3-x", &[("a", "1-x"), ("b", "2-x")]);
        let changed = catalog("4-e", &[("a", "1-x"), ("b", "4-e")]);
        let catalogs = [before, catalog("", &[]), copy, changed];
        assert_eq!(lost_names(&catalogs), ["", "a b c", "b c", "c"]);
    }

    #[test]
    fn lost_entries_are_reported_until_all_are_restored() {
        let before = catalog("7-a", &[("a", "3-x"), ("b", "7-a")]);
        let restored_as = |revision: &str, names: &[&str]| {
            let mut restored = before.clone();
            restored.version = revision.to_owned();
            restored
                .entries
                .retain(|(_, name), _| names.contains(&name.as_str()));
            for entry in restored.entries.values_mut() {
                entry.revision = revision.to_owned();
            }
            restored
        };
        let partly = restored_as("1-r", &["a"]);
        let restored = restored_as("2-s", &["a", "b"]);
        let deleted = catalog("3-t", &[]);
        let catalogs = [before.clone(), catalog("", &[]), partly, restored, deleted];
        assert_eq!(lost_names(&catalogs), ["", "a b", "b", "", ""]);
    }
}
