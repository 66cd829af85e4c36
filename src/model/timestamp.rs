//! The timestamps of stores.

use std::{fmt, time::Duration};

use jiff::{civil::DateTime, tz::TimeZone};

/// A point in time in whole milliseconds since 1970 (UTC), the unit of Redis' `PEXPIREAT`.
///
/// It belongs to the clock of the store (`store::Clock`), independent of the clock of the
/// replica.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates the timestamp `millis` milliseconds after 1970.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Returns the timestamp `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Returns the timestamp `duration` earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Returns the duration from `earlier` to this timestamp; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Parses ISO 8601 with an offset (`2026-11-23T17:45:43.123Z`, `...+01:00`); without an offset it is
    /// UTC. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Some(Self(timestamp.as_millisecond()));
        }
        let local: DateTime = text.parse().ok()?;
        let zoned = local.to_zoned(TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC, always with three digits of milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{timestamp:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_formatted_in_utc_with_milliseconds() {
        assert_eq!(Timestamp(1_000).to_string(), "1970-01-01T00:00:01.000Z");
        assert_eq!(
            Timestamp(1_795_455_943_120).to_string(),
            "2026-11-23T17:45:43.120Z"
        );
    }

    #[test]
    fn timestamp_parses_with_and_without_offset() {
        let expected = Some(Timestamp(1_795_455_943_120));
        assert_eq!(Timestamp::parse("2026-11-23T17:45:43.120Z"), expected);
        assert_eq!(Timestamp::parse("2026-11-23T18:45:43.120+01:00"), expected);
        assert_eq!(Timestamp::parse("2026-11-23T17:45:43.120"), expected);
        assert_eq!(Timestamp::parse("tomorrow"), None);
        assert_eq!(Timestamp::parse(""), None);
    }
}
