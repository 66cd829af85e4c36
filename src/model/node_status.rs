//! The node status of a replica, which operators set: a replica that is OFFLINE is not ready, and serves requests.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The status of a replica for load balancers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum NodeStatus {
    /// The replica is ready, unless something else prevents it.
    #[default]
    Online,
    /// The replica is not ready.
    Offline,
}

impl NodeStatus {
    /// All statuses.
    pub const ALL: [Self; 2] = [Self::Online, Self::Offline];

    /// The name in requests, responses and heartbeats.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Offline => "OFFLINE",
        }
    }

    /// The status with this name, ignoring case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|status| status.name().eq_ignore_ascii_case(name))
    }
}

/// A status that an operator requested for a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRequest {
    /// The status.
    pub status: NodeStatus,
    /// The user name of the operator.
    pub by: String,
    /// When it was requested, by the clock of the store. Later requests for the same replica have later times.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_in_any_case() {
        for status in NodeStatus::ALL {
            assert_eq!(NodeStatus::parse(status.name()), Some(status));
            let lower = status.name().to_lowercase();
            assert_eq!(NodeStatus::parse(&lower), Some(status));
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{}\"", status.name()));
        }
        for wrong in ["", "ON", "ONLINE ", "READY"] {
            assert_eq!(NodeStatus::parse(wrong), None, "{wrong}");
        }
    }
}
