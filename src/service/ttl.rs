//! How long a service lives, and who says so.

use std::time::Duration;

use super::{
    FormData, ServiceError,
    definition::Definition,
    parameters::{Parameters, parse_integer_in_range},
};
use crate::store::Timestamp;

/// The life of a new service: what `_ttl` comes to for definition and request.
pub(super) fn initial_ttl(
    definition: &Definition,
    parameters: &Parameters,
    longest: Duration,
) -> Result<Duration, ServiceError> {
    let seconds = match parameters.effective(definition, "_ttl") {
        Some(ttl) => parse_integer_in_range("_ttl", ttl, 1, longest.as_secs())?,
        None => definition.ttl().min(longest.as_secs()),
    };
    Ok(Duration::from_secs(seconds))
}

/// The end that a request to move it asks for: `ttl` in seconds from `now`, else `expiration_time`.
pub(super) fn requested_end(
    pairs: &FormData,
    now: Timestamp,
    longest: Duration,
) -> Result<Timestamp, ServiceError> {
    if let Some(ttl) = pairs.text("ttl") {
        let seconds = parse_integer_in_range("ttl", ttl, 1, longest.as_secs())?;
        return Ok(now.after(Duration::from_secs(seconds)));
    }
    let Some(text) = pairs.text("expiration_time") else {
        return Err(ServiceError::InvalidParameter(
            "neither \"ttl\" (seconds) nor \"expiration_time\" (ISO 8601) was sent".to_owned(),
        ));
    };
    let end = Timestamp::parse(text).ok_or_else(|| {
        ServiceError::InvalidParameter(format!(
            "expiration_time is {text:?}; ISO 8601 is allowed, as in \"2031-05-17T09:30:00.000Z\""
        ))
    })?;
    let latest = now.after(longest);
    if end <= now || end > latest {
        return Err(ServiceError::InvalidParameter(format!(
            "expiration_time is {text:?}; a time after now ({now}) and up to {latest} is allowed"
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

    fn end(pairs: &[(&str, &str)]) -> Result<i64, String> {
        let mut all = FormData::default();
        for (name, value) in pairs {
            all.insert((*name).to_owned(), FieldValue::Text((*value).to_owned()));
        }
        let end = requested_end(&all, Timestamp::from_millis(NOW), MAX_TTL);
        end.map(Timestamp::millis)
            .map_err(|error| error.to_string())
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
            ("other", "1", "neither \"ttl\""),
        ] {
            let message = end(&[(name, value)]).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
