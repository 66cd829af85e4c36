//! Parses values of options and parameters.

use super::ServiceError;

/// Parses an integer from `low` to `high`.
///
/// # Errors
/// [`ServiceError::InvalidParameter`] with the parameter, its value and the valid values.
pub(super) fn parse_integer_in_range(
    name: &str,
    value: &str,
    low: u64,
    high: u64,
) -> Result<u64, ServiceError> {
    parse_integer(value)
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| {
            ServiceError::InvalidParameter(format!(
                "{name} is {value:?}; expected an integer from {low} to {high}"
            ))
        })
}

/// Parses an integer in any notation of JSON numbers: `60`, `60.0`, `6e1` and `" 060 "` are equal.
#[must_use]
pub fn parse_integer(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = [whole, fraction].concat();
    // The position of the decimal point in the digits, after it is shifted by the exponent.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let leading = digits.bytes().take_while(|byte| *byte == b'0').count();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let point = usize::try_from(point).ok()?.checked_sub(leading)?;
    // u64 has 20 digits.
    if point < significant.len() || point > 20 {
        return None;
    }
    format!("{significant:0<point$}").parse().ok()
}

/// Parses `true` or `false`, case-insensitive.
///
/// # Errors
/// [`ServiceError::InvalidParameter`] with the parameter, its value and the valid values.
pub(super) fn parse_boolean(name: &str, value: &str) -> Result<bool, ServiceError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ServiceError::InvalidParameter(format!(
            "{name} is {value:?}; expected true or false"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_for_an_integer_names_parameter_value_and_range() {
        for value in ["0", "11", "-1", "x", "", "1.5", "99999999999999999999"] {
            let message = parse_integer_in_range("_n", value, 1, 10)
                .unwrap_err()
                .to_string();
            assert!(
                message.contains("_n") && message.contains("from 1 to 10"),
                "{message}"
            );
        }
        assert_eq!(parse_integer_in_range("_n", " 10 ", 1, 10).unwrap(), 10);
    }

    #[test]
    fn an_integer_can_have_a_fraction_or_an_exponent() {
        for text in [
            "60",
            " 60 ",
            "+60",
            "060",
            "60.0",
            "60.000",
            "6e1",
            "6E+1",
            "0.6e2",
            "600e-1",
            "6.0e1",
            "0.060e3",
            "6000.0E-2",
        ] {
            assert_eq!(parse_integer(text), Some(60), "{text}");
        }
        for text in ["0", "0.0", "0e9", "0e-9", "0.0e2147483647"] {
            assert_eq!(parse_integer(text), Some(0), "{text}");
        }
        for text in [
            "",
            ".",
            "e",
            "60.",
            ".5",
            "60.5",
            "6e-1",
            "-60",
            "++60",
            "0x3c",
            "6 0",
            "6e",
            "e1",
            "1e",
            "6e1.0",
            "NaN",
            "inf",
            "1e20",
            "1e2147483647",
            "1e99999999999",
            "99999999999999999999",
            "1e-2147483648",
            "0.1e0",
            "\u{663}",
        ] {
            assert_eq!(parse_integer(text), None, "{text}");
        }
        assert_eq!(parse_integer("18446744073709551615"), Some(u64::MAX));
    }
}
