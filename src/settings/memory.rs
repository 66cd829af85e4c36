//! `[memory]`: the embedded store.

use serde::{Deserialize, Deserializer};

use super::values::integer;

const MIB: usize = 1024 * 1024;

/// `[memory]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Maximum size of the embedded store; the setting `memory.limit_mib` is in MiB.
    #[serde(rename = "limit_mib", deserialize_with = "mib")]
    pub limit_bytes: usize,
}

fn mib<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    integer::<1, 1_048_576, D, usize>(from).map(|mib| mib.saturating_mul(MIB))
}
