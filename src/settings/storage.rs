//! `[storage]`: the Storage API.

use serde::{Deserialize, Deserializer};

use super::values;

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Whose storage area a custom id is.
    pub custom_ids: CustomIds,
}

/// Whose storage area a custom id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomIds {
    /// That of the user in the header `gms_user`: equal custom ids of two users are two storage areas.
    User,
    /// That of all users.
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
