//! Human-readable durations and sizes.

use std::time::Duration;

/// Units in seconds, with their symbols.
const DURATION_UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
/// Each unit is 1024 of the previous one.
const BYTE_UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];

/// A duration in its largest unit and the next smaller one, truncated to seconds.
pub(super) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = DURATION_UNITS.iter();
    let mut units = units.skip_while(|(unit, _)| seconds < *unit && *unit > 1);
    let Some((large, symbol)) = units.next() else {
        return String::new();
    };
    let text = format!("{} {symbol}", seconds / large);
    let small = units
        .next()
        .map(|(small, symbol)| (seconds % large / small, symbol));
    match small {
        Some((count, symbol)) if count > 0 => format!("{text} {count} {symbol}"),
        _ => text,
    }
}

/// A number with commas between groups of three digits.
pub(super) fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes, rounded to a tenth of its unit.
pub(super) fn format_bytes(bytes: u64) -> String {
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    // Computed in tenths, without floating point.
    let mut tenths = u128::from(bytes) * 10;
    let mut symbol = "";
    for unit in BYTE_UNITS {
        tenths = (tenths + 512) / 1024;
        symbol = unit;
        if tenths < 10_240 {
            break;
        }
    }
    format!("{}.{} {symbol}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_has_at_most_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min 59 s"),
            (3_601, "1 h"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d"),
            (2_592_000, "30 d"),
            (2_591_999, "29 d 23 h"),
        ] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(format_duration(Duration::from_millis(999)), "0 s");
    }

    #[test]
    fn counts_have_separators() {
        for (count, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (20_220, "20,220"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(format_count(count), expected);
        }
    }

    #[test]
    fn bytes_are_rounded_to_a_tenth_of_the_unit() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1_023, "1023 bytes"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (1_048_576, "1.0 MiB"),
            (67_108_864, "64.0 MiB"),
            (5_368_709_120, "5.0 GiB"),
            (u64::MAX, "17179869184.0 GiB"),
        ] {
            assert_eq!(format_bytes(bytes), expected);
        }
    }
}
