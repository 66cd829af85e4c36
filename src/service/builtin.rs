//! The services that need no backend.

/// A builtin, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    /// Plain storage with a life: the answer of its create is the id.
    Store,
}

impl Builtin {
    const ALL: [(&str, Self); 1] = [("store", Self::Store)];

    /// The builtin that `_service` names.
    pub(super) fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, builtin)| builtin)
    }

    /// All names that `_service` may have.
    pub(super) fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }
}
