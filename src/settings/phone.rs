//! `[phone]`: parsing of phone numbers.

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use serde::{Deserialize, Deserializer};

use super::values;

/// `[phone]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// The country of numbers without a country code.
    #[serde(deserialize_with = "region")]
    pub default_region: Region,
}

fn region<'de, D: Deserializer<'de>>(from: D) -> Result<Region, D::Error> {
    let expected = "expected a country's two capital letters (ISO 3166), such as US";
    values::parsed(from, expected, |text| {
        let code = text.trim();
        if !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let region = code.parse().ok()?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
        Some(region)
    })
}
