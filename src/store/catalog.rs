//! Catalog entries that operators make at run time: service definitions and resource groups.
//!
//! The store treats an entry as opaque text. All entries share one *version*: a change names the version
//! that it is based on, and is rejected if that is no longer the current version.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Clock, StoreError, Timestamp};

/// Which table of the catalogue an entry is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Resource groups.
    Resources,
    /// Configured services.
    Services,
}

impl Table {
    /// Both, in the order that a catalogue is read in.
    pub const ALL: [Self; 2] = [Self::Resources, Self::Services];

    /// Its name in a catalogue file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Services => "services",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// An entry by table and name.
pub type EntryName = (Table, String);

/// An entry that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The version in which it was made or last replaced.
    pub revision: String,
    /// What it says.
    pub text: String,
}

/// An entry that was deleted. Services made from it may live on, and numbers of it may be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredEntry {
    /// When it was deleted.
    pub since: Timestamp,
    /// What it said.
    pub text: String,
}

/// Everything that was made here, of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredCatalog {
    /// Empty where nothing was ever made.
    pub version: String,
    /// What there is.
    pub entries: BTreeMap<EntryName, StoredEntry>,
    /// What there was.
    pub retired: BTreeMap<EntryName, RetiredEntry>,
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogStep {
    /// The entry says this from now on.
    Put(EntryName, String),
    /// The entry is deleted, and retired from now on.
    Retire(EntryName),
    /// The retired entry is forgotten.
    Forget(EntryName),
}

/// A change of what was made here; all of it or nothing.
#[derive(Debug, Clone)]
pub struct CatalogChange {
    /// The version that it was made from.
    pub from: String,
    /// The version that there is afterwards.
    pub to: String,
    /// When it is made.
    pub changed_at: Timestamp,
    /// What changes.
    pub steps: Vec<CatalogStep>,
    /// What the history tells of it.
    pub events: Vec<String>,
    /// Events that the history keeps, about.
    pub history: usize,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogChangeResult {
    /// It is made, and replicas are told.
    Applied,
    /// There is another version than it was made from. Nothing changed.
    Superseded,
}

/// The store of the entries that operators make at run time.
#[async_trait]
pub trait CatalogStore: Clock {
    /// Returns the version of the stored catalog; empty if nothing was ever stored.
    async fn catalog_version(&self) -> Result<String, StoreError>;

    /// Reads all stored and retired entries.
    async fn read_catalog(&self) -> Result<StoredCatalog, StoreError>;

    /// Applies a change and notifies all replicas.
    async fn change_catalog(
        &self,
        change: &CatalogChange,
    ) -> Result<CatalogChangeResult, StoreError>;

    /// Returns after a notification that the catalog may have changed. Notifications can be lost.
    async fn catalog_changed(&self);
}
