//! Access codes: length and prefix.

use super::{
    ServiceError,
    options::{CODE_LENGTH_RANGE, DEFAULT_CODE_LENGTH},
    parse_value::parse_integer_in_range,
};
use crate::model::Codes;

/// Maximum number of prefixes in a range.
const MAX_PREFIXES: u64 = 10_000;

/// Parses `_access_code_length` and `_access_code_prefix`. A prefix is digits, or a range of them such as `7-9` or
/// `010-019`; the length includes it.
pub(super) fn parse_access_codes(
    length: Option<&str>,
    prefix: Option<&str>,
) -> Result<Codes, ServiceError> {
    let (min, max) = CODE_LENGTH_RANGE;
    let length =
        length.map(|length| parse_integer_in_range("_access_code_length", length, min, max));
    let length = length.transpose()?.unwrap_or(DEFAULT_CODE_LENGTH);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(prefix) = prefix else {
        let prefixes = vec![String::new()];
        return Ok(Codes { length, prefixes });
    };
    let parsed_prefixes = prefixes(prefix, length).ok_or_else(|| {
        ServiceError::InvalidParameter(format!(
            "_access_code_prefix is {prefix:?}; expected up to {length} digits (the code length) or an \
             ascending range such as 7-9"
        ))
    })?;
    Ok(Codes {
        length,
        prefixes: parsed_prefixes,
    })
}

fn prefixes(prefix: &str, length: usize) -> Option<Vec<String>> {
    let (low, high) = prefix.split_once('-').unwrap_or((prefix, prefix));
    let (low, high) = (low.trim(), high.trim());
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let width = low.len();
    let fits = (1..=length).contains(&width) && high.len() == width;
    if !fits || !digits(low) || !digits(high) {
        return None;
    }
    let (low, high): (u64, u64) = (low.parse().ok()?, high.parse().ok()?);
    let count = high.checked_sub(low)?;
    let prefixes = (low..=high).map(|number| format!("{number:0width$}"));
    (count < MAX_PREFIXES).then(|| prefixes.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_has_its_length_and_begins_with_its_prefix() {
        for (length, prefix, begins) in [
            (None, None, ""),
            (Some("4"), None, ""),
            (Some("4"), Some("12"), "12"),
            (Some("16"), Some("0"), "0"),
            (Some("2"), Some("12"), "12"),
        ] {
            let codes = parse_access_codes(length, prefix).unwrap();
            let expected: usize = length.map_or(6, |length| length.parse().unwrap());
            for code in codes.candidates(20) {
                assert_eq!(code.len(), expected, "{code}");
                assert!(code.starts_with(begins), "{code}");
                assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
            }
        }
    }

    #[test]
    fn a_prefix_range_expands_to_every_prefix() {
        let codes = parse_access_codes(Some("2"), Some("7-9")).unwrap();
        let all: BTreeSet<String> = codes.candidates(100).into_iter().collect();
        let expected: BTreeSet<String> = (70..100).map(|code| code.to_string()).collect();
        assert_eq!(all, expected);
        assert_eq!(codes.count(), 30);
        let padded = parse_access_codes(Some("3"), Some("008-011")).unwrap();
        assert_eq!(padded.prefixes, ["008", "009", "010", "011"]);
    }

    #[test]
    fn candidates_are_distinct() {
        let codes = parse_access_codes(Some("2"), None).unwrap();
        let all: BTreeSet<String> = codes.candidates(1_000).into_iter().collect();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn an_invalid_prefix_is_rejected() {
        for prefix in ["", "x", "9-7", "7-", "-7", "7-10", "12345", "1.5", "7-8-9"] {
            let message = parse_access_codes(Some("4"), Some(prefix))
                .unwrap_err()
                .to_string();
            assert!(message.contains(&format!("{prefix:?}")), "{message}");
        }
    }
}
