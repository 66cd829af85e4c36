//! `[storage]`: the Storage API.

use serde::{Deserialize, Deserializer};

use super::values;

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// The scope of custom ids.
    pub custom_ids: CustomIds,
}

/// The scope of custom ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomIds {
    /// The user in the header `gms_user`: equal custom ids of two users are two storage areas.
    User,
    /// All users.
    Shared,
}

impl<'de> Deserialize<'de> for CustomIds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        values::parsed(from, "expected user or shared", |text| match text {
            "user" => Some(Self::User),
            "shared" => Some(Self::Shared),
            _ => None,
        })
    }
}
