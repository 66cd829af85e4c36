//! The revision of a storage, and conditions on it.

use std::fmt;

use super::ServiceId;

/// The prefix of [`storage_signal_id`]s.
const SIGNAL_PREFIX: &str = "storage:";

/// The revision of a storage: an integer that grows with each change of its keys. A custom id that is used again has
/// larger revisions than before.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The revision with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision after one change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A set of revisions that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revisions {
    /// All revisions.
    Any,
    /// These revisions.
    Listed(Vec<Revision>),
}

impl Default for Revisions {
    /// No revision.
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl Revisions {
    /// Whether the set contains `revision`.
    #[must_use]
    pub fn contains(&self, revision: Revision) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.contains(&revision),
        }
    }
}

/// The condition under which a storage is changed. The default is none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct WriteCondition {
    /// The revisions of which one must be the current one. A storage that does not exist has none, not even if these are
    /// [`Revisions::Any`].
    pub revisions: Option<Revisions>,
    /// Whether none of the names of the change may exist, as a string or as a binary.
    pub names_are_new: bool,
}

/// The id that stands for the storage of the service `id` in signals: it is sent when watched keys change.
#[must_use]
pub fn storage_signal_id(id: &ServiceId) -> ServiceId {
    ServiceId::from([SIGNAL_PREFIX, id.as_str()].concat())
}

/// The service whose storage `signal_id` stands for; `None` if it stands for something else.
#[must_use]
pub fn service_of_storage_signal(signal_id: &ServiceId) -> Option<ServiceId> {
    let id = signal_id.as_str().strip_prefix(SIGNAL_PREFIX)?;
    Some(ServiceId::from(id.to_owned()))
}
