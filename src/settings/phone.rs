//! `[phone]`: parsing of phone numbers.

use rlibphonenumber::Region;
use serde::{Deserialize, Deserializer};

use super::values;

/// The regions of the phone number library. Its own list is in its metadata, which takes 6 MiB of memory and is loaded
/// for the first phone number only.
const REGIONS: &str = "\
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG \
    EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT \
    HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR \
    LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF \
    NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD \
    SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW \
    TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

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
        let is_known = REGIONS.split(' ').any(|region| region == code);
        is_known.then(|| code.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use rlibphonenumber::PHONE_NUMBER_UTIL;

    use super::*;

    #[test]
    fn the_regions_are_those_of_the_library() {
        let letters = || ('A'..='Z').map(String::from);
        let codes =
            letters().flat_map(|first| letters().map(move |second| first.clone() + &second));
        let is_supported = |code: &String| {
            let region = code.parse().ok();
            region
                .and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region))
                .is_some()
        };
        let supported: Vec<String> = codes.filter(is_supported).collect();
        assert_eq!(REGIONS, supported.join(" "));
    }
}
