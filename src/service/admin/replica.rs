//! A running replica.

use serde::{Deserialize, Serialize};

use super::replica_stats::ReplicaStats;
use crate::model::{NodeStatus, StatusRequest, Timestamp};

/// A replica as the admin API returns it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// The id of the process.
    pub id: String,
    /// The version of the program.
    pub version: String,
    /// The host name, which distinguishes replicas in containers that all listen on the same address. Empty for
    /// replicas of older versions.
    #[serde(default)]
    pub host: String,
    /// The listen address.
    pub address: String,
    /// The private listen address.
    pub private_address: Option<String>,
    /// The start time, in ISO 8601.
    #[serde(default)]
    pub started_at: String,
    /// The version of the stored catalog that is in effect on it; absent while unknown.
    pub catalog_version: Option<String>,
    /// The status that operators set.
    #[serde(flatten)]
    pub status: ReplicaStatus,
    /// The status that an operator requested, while the replica has another one.
    #[serde(skip)]
    pub requested: Option<StatusRequest>,
    /// Its statistics.
    #[serde(flatten)]
    pub stats: ReplicaStats,
}

/// The status of a replica in its heartbeat. Replicas of older versions are ONLINE.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicaStatus {
    /// The status.
    pub status: NodeStatus,
    /// The user name of the operator who set it last; absent if it was not set since the start.
    pub status_by: Option<String>,
    /// When it was set last, in ISO 8601.
    pub status_since: Option<String>,
}

impl From<Option<&StatusRequest>> for ReplicaStatus {
    fn from(applied: Option<&StatusRequest>) -> Self {
        Self {
            status: applied.map(|request| request.status).unwrap_or_default(),
            status_by: applied.map(|request| request.by.clone()),
            status_since: applied.map(|request| request.at.to_string()),
        }
    }
}

impl ReplicaStatus {
    /// When it was set last.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.status_since.as_deref().and_then(Timestamp::parse)
    }

    /// Whether `request` is later than this status and changes it.
    pub(super) fn is_changed_by(&self, request: &StatusRequest) -> bool {
        request.status != self.status && self.since().is_none_or(|since| request.at > since)
    }
}

impl Replica {
    /// Its host and address, for operators.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.host, self.address)
            .trim_start()
            .to_owned()
    }

    /// Whether operators set it OFFLINE.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.status.status == NodeStatus::Offline
    }

    /// The status that it has or will have: the requested one, otherwise the current one.
    #[must_use]
    pub fn target_status(&self) -> NodeStatus {
        let requested = self.requested.as_ref();
        requested.map_or(self.status.status, |request| request.status)
    }
}
