//! `[metrics]`: whether metrics are enabled.

use serde::Deserialize;

use super::values::boolean;

/// `[metrics]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Whether metrics are recorded and served.
    #[serde(deserialize_with = "boolean")]
    pub enabled: bool,
}
