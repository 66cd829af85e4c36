//! Catalog entries that operators make at run time: service definitions and resource groups.
//!
//! The store treats an entry as opaque text. All entries share one *version*: a change names the version
//! that it is based on, and is rejected if that is no longer the current version.

use std::collections::BTreeMap;

use super::Timestamp;

/// The table of a catalog entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Resource groups.
    Resources,
    /// Configured services.
    Services,
}

impl Table {
    /// Both tables, in the order in which a catalog is loaded.
    pub const ALL: [Self; 2] = [Self::Resources, Self::Services];

    /// The name of the table in a catalog file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Services => "services",
        }
    }

    /// Returns the table with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// An entry by table and name.
pub type EntryName = (Table, String);

/// An entry that an operator created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The version in which it was created or last replaced.
    pub revision: String,
    /// The definition.
    pub text: String,
}

/// A deleted entry. Services made from it may still be active, and its numbers may still be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredEntry {
    /// The time of the deletion.
    pub since: Timestamp,
    /// The definition.
    pub text: String,
}

/// A snapshot of all stored entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredCatalog {
    /// Empty if nothing was ever stored.
    pub version: String,
    /// The current entries.
    pub entries: BTreeMap<EntryName, StoredEntry>,
    /// The deleted entries.
    pub retired: BTreeMap<EntryName, RetiredEntry>,
}

/// A step of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogStep {
    /// Creates or replaces an entry.
    Put(EntryName, String),
    /// Deletes an entry and retires it.
    Retire(EntryName),
    /// Removes a retired entry.
    Forget(EntryName),
}

/// An atomic change of stored entries.
#[derive(Debug, Clone)]
pub struct CatalogChange {
    /// The version that the change is based on.
    pub from: String,
    /// The new version.
    pub to: String,
    /// The time of the change.
    pub changed_at: Timestamp,
    /// The steps.
    pub steps: Vec<CatalogStep>,
    /// The events to append to the audit log.
    pub events: Vec<String>,
    /// The approximate number of events that the audit log retains.
    pub history: usize,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogChangeResult {
    /// The change was applied and all replicas were notified.
    Applied,
    /// The current version is not the one that the change is based on. Nothing changed.
    Superseded,
}
