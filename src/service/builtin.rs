//! Builtin services, which need no backend.

mod match_interaction;
mod request_access;
mod request_interaction;

/// A builtin service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    /// Requested by the routing side when a call arrives. Creates no service.
    MatchInteraction,
    /// Books a number for an existing service.
    RequestAccess,
    /// A service with a chat between a client and agents.
    RequestChat,
    /// Creates a service and books a number for it.
    RequestInteraction,
    /// Plain storage with a TTL. The response to its create is the id.
    Store,
}

impl Builtin {
    const ALL: [(&str, Self); 6] = [
        ("app-to-connect-basic", Self::RequestInteraction),
        ("match-interaction", Self::MatchInteraction),
        ("request-access", Self::RequestAccess),
        ("request-chat", Self::RequestChat),
        ("request-interaction", Self::RequestInteraction),
        ("store", Self::Store),
    ];

    /// All valid values of `_service`.
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
        let builtin = Self::ALL.into_iter().find(|(other, _)| *other == name);
        builtin.map(|(_, builtin)| builtin)
    }

    /// Whether a create creates a service.
    pub(super) fn creates_service(self) -> bool {
        matches!(
            self,
            Self::RequestChat | Self::RequestInteraction | Self::Store
        )
    }
}
