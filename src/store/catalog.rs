//! What operators make while the service runs, and who runs: definitions and resource groups, the history
//! of their changes, and the replicas.
//!
//! A store keeps them as text and knows nothing of what it means. All of it is one whole with one
//! *version*: a change names the version it was made from, and is not made if there has been another one.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::{Clock, StoreError, Timestamp};

/// After which silence a replica counts as gone.
pub const REPLICA_TIMEOUT: Duration = Duration::from_secs(15);
/// After which silence nothing is kept of a replica.
pub(super) const REPLICA_TTL: Duration = Duration::from_secs(60);

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

/// Something that happened, and its place in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Names the place; grows with time.
    pub id: String,
    /// What happened.
    pub text: String,
}

/// What a store keeps for operators.
#[async_trait]
pub trait CatalogStore: Clock {
    /// The version of what was made here; empty where nothing was.
    async fn catalog_version(&self) -> Result<String, StoreError>;

    /// Everything that was made here.
    async fn read_catalog(&self) -> Result<StoredCatalog, StoreError>;

    /// Makes a change and tells all replicas.
    async fn change_catalog(
        &self,
        change: &CatalogChange,
    ) -> Result<CatalogChangeResult, StoreError>;

    /// Returns when somebody may have made a change. Such a message may be lost.
    async fn catalog_changed(&self);

    /// Adds to the history, which keeps about `most` events.
    async fn append_audit_event(&self, event: &str, most: usize) -> Result<(), StoreError>;

    /// The newest events before the place `before`, or of all, newest first; `most` at most.
    async fn audit_events(
        &self,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<AuditEvent>, StoreError>;

    /// Says that the replica is up, and what is to be told of it. It counts as gone when it has not said
    /// so for [`REPLICA_TIMEOUT`].
    async fn heartbeat(&self, replica: &str, told: &str) -> Result<(), StoreError>;

    /// Says that the replica is gone.
    async fn deregister(&self, replica: &str) -> Result<(), StoreError>;

    /// What is told of the replicas that are up, in the order of their names.
    async fn replicas(&self) -> Result<Vec<String>, StoreError>;
}
