//! The TTL and expiration time of services.

use std::{borrow::Cow, time::Duration};

use super::{
    FormData, ServiceError, definition::Definition, parameters::Parameters,
    parse_value::parse_integer_in_range,
};
use crate::model::Timestamp;

/// The TTL of a storage area whose request has no valid one.
const DEFAULT_STORAGE_AREA_TTL: Duration = Duration::from_secs(30);

/// The maximum length of a valid TTL of a storage area in the path, and of one in a warning or error.
const MAX_TTL_CHARACTERS: usize = 32;

/// The TTL of a new service: the effective value of `_ttl`.
pub(super) fn initial_ttl(
    definition: &Definition,
    parameters: &Parameters,
    max_ttl: Duration,
) -> Result<Duration, ServiceError> {
    let seconds = match parameters.effective(definition, "_ttl") {
        Some(ttl) => parse_integer_in_range("_ttl", ttl, 1, max_ttl.as_secs())?,
        None => definition.ttl().min(max_ttl.as_secs()),
    };
    Ok(Duration::from_secs(seconds))
}

/// The TTL of a storage area, from the path of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageAreaTtl {
    /// The effective TTL.
    pub ttl: Duration,
    /// Set if the path has no valid TTL: what was used in its place.
    pub warning: Option<String>,
}

/// Parses the TTL of a storage area. In place of an invalid one the default is used, as in the vendor's product, or if
/// `is_strict` it is an error.
pub(super) fn storage_area_ttl(
    text: &str,
    max_ttl: Duration,
    is_strict: bool,
) -> Result<StorageAreaTtl, ServiceError> {
    let text = match text.char_indices().nth(MAX_TTL_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    };
    match parse_integer_in_range("ttl", &text, 1, max_ttl.as_secs()) {
        Ok(seconds) => Ok(StorageAreaTtl {
            ttl: Duration::from_secs(seconds),
            warning: None,
        }),
        Err(ServiceError::InvalidParameter(problem)) if !is_strict => {
            let ttl = DEFAULT_STORAGE_AREA_TTL.min(max_ttl);
            let warning = format!("{problem}; {} seconds are used", ttl.as_secs());
            Ok(StorageAreaTtl {
                ttl,
                warning: Some(warning),
            })
        }
        Err(error) => Err(error),
    }
}

/// The expiration time in a request: `ttl` in seconds from `now`, otherwise `expiration_time`.
pub(super) fn requested_end(
    form: &FormData,
    now: Timestamp,
    max_ttl: Duration,
) -> Result<Timestamp, ServiceError> {
    if let Some(ttl) = form.text("ttl") {
        let seconds = parse_integer_in_range("ttl", ttl, 1, max_ttl.as_secs())?;
        return Ok(now.after(Duration::from_secs(seconds)));
    }
    let Some(text) = form.text("expiration_time") else {
        return Err(ServiceError::InvalidParameter(
            "\"ttl\" (seconds) or \"expiration_time\" (ISO 8601) is required".to_owned(),
        ));
    };
    let end = Timestamp::parse(text).ok_or_else(|| {
        ServiceError::InvalidParameter(format!(
            "expiration_time is {text:?}; expected ISO 8601, such as \"2031-05-17T09:30:00.000Z\""
        ))
    })?;
    let latest = now.after(max_ttl);
    if end <= now || end > latest {
        return Err(ServiceError::InvalidParameter(format!(
            "expiration_time is {text:?}; expected a time after now ({now}) and up to {latest}"
        )));
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::FieldValue;

    const MAX_TTL: Duration = Duration::from_secs(3_600);
    const NOW: i64 = 1_795_455_943_000; // 2026-11-23T17:45:43Z

    fn end(fields: &[(&str, &str)]) -> Result<i64, String> {
        let mut form = FormData::default();
        for (name, value) in fields {
            form.insert((*name).to_owned(), FieldValue::Text((*value).to_owned()));
        }
        let end = requested_end(&form, Timestamp::from_millis(NOW), MAX_TTL);
        end.map(Timestamp::millis)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_ttl_of_a_storage_area_is_shortened_in_messages() {
        let ttl = |text: &str| storage_area_ttl(text, MAX_TTL, false).unwrap();
        assert_eq!(ttl("600").ttl, Duration::from_secs(600));
        assert_eq!(ttl("600").warning, None);
        for text in [
            format!("600{}", " ".repeat(30)),
            "9".repeat(4_000),
            "\u{1f600}".repeat(4_000),
        ] {
            let StorageAreaTtl { ttl, warning } = ttl(&text);
            let warning = warning.unwrap();
            assert_eq!(ttl, DEFAULT_STORAGE_AREA_TTL);
            assert!(warning.chars().count() < 120, "{warning}");
            assert!(warning.contains("...\""), "{warning}");
        }
    }

    #[test]
    fn ttl_counts_from_now_and_wins_over_expiration_time() {
        assert_eq!(end(&[("ttl", "60")]), Ok(NOW + 60_000));
        let both = [("expiration_time", "2026-11-23T18:00:00Z"), ("ttl", "1")];
        assert_eq!(end(&both), Ok(NOW + 1_000));
        assert_eq!(end(&both[..1]), Ok(NOW + 857_000));
    }

    #[test]
    fn an_error_for_an_invalid_end_names_the_allowed_range() {
        for (name, value, expected) in [
            ("ttl", "0", "from 1 to 3600"),
            ("ttl", "3601", "from 1 to 3600"),
            (
                "expiration_time",
                "2026-11-23T17:45:43Z",
                "after now (2026-11-23T17:45:43.000Z)",
            ),
            (
                "expiration_time",
                "2026-11-23T18:45:43.001Z",
                "up to 2026-11-23T18:45:43.000Z",
            ),
            ("expiration_time", "soon", "ISO 8601"),
            ("other", "1", "\"ttl\" (seconds) or \"expiration_time\""),
        ] {
            let message = end(&[(name, value)]).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
