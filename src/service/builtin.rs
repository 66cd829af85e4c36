//! The services that need no backend.

mod match_interaction;
mod request_access;
mod request_interaction;

/// A builtin, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    /// Asked by the routing side when a call arrives. Makes no service.
    MatchInteraction,
    /// Gives a number for a service that exists.
    RequestAccess,
    /// Makes a service and gives a number for it.
    RequestInteraction,
    /// Plain storage with a life: the answer of its create is the id.
    Store,
}

impl Builtin {
    const ALL: [(&str, Self); 5] = [
        ("app-to-connect-basic", Self::RequestInteraction),
        ("match-interaction", Self::MatchInteraction),
        ("request-access", Self::RequestAccess),
        ("request-interaction", Self::RequestInteraction),
        ("store", Self::Store),
    ];

    /// All names that `_service` may have.
    pub(super) const NAMES: [&str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].0;
            at += 1;
        }
        names
    };

    /// The builtin that `_service` names.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, builtin)| builtin)
    }

    /// Whether a create makes a service; if not it only answers.
    pub(super) fn creates_service(self) -> bool {
        matches!(self, Self::RequestInteraction | Self::Store)
    }
}
