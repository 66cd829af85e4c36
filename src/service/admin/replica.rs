//! A running replica.

use serde::{Deserialize, Serialize};

use super::replica_stats::ReplicaStats;

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
    /// Its statistics.
    #[serde(flatten)]
    pub stats: ReplicaStats,
}
