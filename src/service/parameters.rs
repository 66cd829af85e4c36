//! Parameters of a request, and which of them count.

use std::collections::BTreeMap;

use super::{ServiceError, definition::Definition, schema::is_server_side};

/// The stated exception to the precedence: the request's value wins.
const REQUEST_PRECEDENCE_OPTION: &str = "_booking_expiration_timeout";

/// The pairs of a request whose names begin with `_`: they are addressed to the service.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// What the request says, whatever is configured. An empty or blank value is an
    /// absent one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.trim().is_empty())
    }

    /// Whether the request has it with an empty or blank value.
    pub(super) fn is_blank(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|value| value.trim().is_empty())
    }

    /// What counts for `option`: the configured value, unless `_overwritable_options` lists it and
    /// the request has one; where nothing is configured, the request's.
    pub(super) fn effective<'a>(
        &'a self,
        definition: &'a Definition,
        option: &str,
    ) -> Option<&'a str> {
        let requested = self.get(option);
        match definition.option(option) {
            Some(configured) if definition.is_overwritable(option) => {
                requested.or(Some(configured))
            }
            Some(configured) => Some(configured),
            None => requested,
        }
    }
}

impl Parameters {
    /// Names of those that do not count, because the definition says something else and does not let requests
    /// overwrite it.
    pub(super) fn overridden(&self, definition: &Definition) -> Vec<String> {
        let names = self.0.keys().filter(|name| {
            let requested = self.get(name).map(str::trim);
            let counts = match name.as_str() {
                REQUEST_PRECEDENCE_OPTION => requested,
                _ => self.effective(definition, name).map(str::trim),
            };
            requested.is_some() && requested != counts && !is_server_side(name)
        });
        names.cloned().collect()
    }

    /// Those that a backend is sent, with the values that count. What says how the service runs is none
    /// of them, whoever sends it.
    pub(super) fn backend_fields(&self, definition: &Definition) -> Vec<(String, String)> {
        let names = self.0.keys().filter(|name| !is_server_side(name));
        let sent = names.map(|name| {
            let value = self.effective(definition, name);
            (name.clone(), value.unwrap_or_default().to_owned())
        });
        sent.collect()
    }
}

/// Reads a whole number from `low` to `high`.
///
/// # Errors
/// [`ServiceError::InvalidParameter`] that says which parameter, its value and what is allowed.
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
                "{name} is {value:?}; a whole number from {low} to {high} is allowed"
            ))
        })
}

/// The whole number that `text` is, however it is written: `60`, `60.0`, `6e1` and `" 060 "` are the same
/// one, as they are in JSON.
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
    // Where the point stands among the digits, once it is moved by the exponent.
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

/// Reads `true` or `false`, in small or capital letters.
///
/// # Errors
/// [`ServiceError::InvalidParameter`] that says which parameter, its value and what is allowed.
pub(super) fn parse_boolean(name: &str, value: &str) -> Result<bool, ServiceError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ServiceError::InvalidParameter(format!(
            "{name} is {value:?}; true or false is allowed"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(options: &[(&str, &str)]) -> Definition {
        let base = [("_type", "builtin"), ("_service", "store")];
        let options = base.iter().chain(options);
        let options = options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Definition::new("test", options.collect(), 1_000_000).unwrap()
    }

    fn parameters(ttl: Option<&str>) -> Parameters {
        let mut parameters = Parameters::default();
        if let Some(ttl) = ttl {
            parameters.insert("_ttl".to_owned(), ttl.to_owned());
        }
        parameters
    }

    #[test]
    fn a_configured_option_wins_over_the_parameter_of_that_name() {
        let definition = definition(&[("_ttl", "60")]);
        assert_eq!(
            parameters(Some("5")).effective(&definition, "_ttl"),
            Some("60")
        );
    }

    #[test]
    fn an_overwritable_option_yields_to_the_parameter() {
        let definition = definition(&[("_ttl", "60"), ("_overwritable_options", " _a, _ttl ")]);
        assert_eq!(
            parameters(Some("5")).effective(&definition, "_ttl"),
            Some("5")
        );
        assert_eq!(
            parameters(Some("")).effective(&definition, "_ttl"),
            Some("60")
        );
        assert_eq!(parameters(None).effective(&definition, "_ttl"), Some("60"));
    }

    #[test]
    fn without_a_configured_option_the_parameter_applies() {
        let definition = definition(&[("_ttl", "")]);
        assert_eq!(
            parameters(Some("5")).effective(&definition, "_ttl"),
            Some("5")
        );
        assert_eq!(parameters(None).effective(&definition, "_ttl"), None);
    }

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
    fn an_integer_may_have_a_fraction_or_an_exponent() {
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
