//! Values of options: strings or lists of strings, from any format.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use super::is_secret;

/// The placeholder of secrets in responses. In requests it keeps the stored value.
pub const REDACTED: &str = "********";

/// The options of a configured service or resource group, by name.
pub type Options = BTreeMap<String, OptionValue>;

/// The value of an option. Numbers and booleans are converted to strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// A string.
    Text(String),
    /// A list, such as the numbers of a group.
    List(Vec<String>),
}

impl OptionValue {
    /// The string, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    pub(in crate::service) fn is_empty(&self) -> bool {
        self.text().is_some_and(str::is_empty)
    }
}

/// Whether an option name is valid: not empty and, as it is entered in a single-line field, without control characters.
#[must_use]
pub fn is_option_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// Removes empty options. Invalid names stay, so that they are rejected later.
pub(in crate::service) fn without_empty(mut options: Options) -> Options {
    options.retain(|name, value| !value.is_empty() || !is_option_name(name));
    options
}

/// The options with secrets redacted.
pub(in crate::service) fn redact(options: &Options) -> Options {
    let redacted = options.iter().map(|(name, value)| {
        let value = if is_secret(name) && !value.is_empty() {
            OptionValue::Text(REDACTED.to_owned())
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    redacted.collect()
}

/// Why a redacted value cannot be restored.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::service) enum RestoreError {
    /// There is no stored value of this option.
    NoStoredValue(String),
    /// The secret would be sent to a backend that it was not entered for.
    OtherBackend(String),
}

/// Replaces redacted values in `received` by those in `stored`.
///
/// # Errors
/// [`RestoreError`] with the first affected option.
pub(in crate::service) fn restore_secrets(
    mut received: Options,
    stored: Option<&Options>,
) -> Result<Options, RestoreError> {
    let has_new_destination =
        stored.is_some_and(|stored| !destinations(&received).is_subset(&destinations(stored)));
    for (name, value) in &mut received {
        if is_secret(name) && value.text() == Some(REDACTED) {
            let stored_value = stored.and_then(|options| options.get(name));
            let stored_value =
                stored_value.ok_or_else(|| RestoreError::NoStoredValue(name.clone()))?;
            // Operators can change definitions, but must not be able to read secrets.
            if has_new_destination && name.starts_with(HEADER_PREFIX) {
                return Err(RestoreError::OtherBackend(name.clone()));
            }
            value.clone_from(stored_value);
        }
    }
    Ok(received)
}

/// The prefix of options that are sent to backends.
const HEADER_PREFIX: &str = "_header.";

/// The destinations of headers: backends, and scheme, host and port of URL templates.
fn destinations(options: &Options) -> BTreeSet<String> {
    let text = |name: &str| {
        options
            .get(name)
            .and_then(OptionValue::text)
            .unwrap_or_default()
    };
    let backends = text("_ors")
        .split(',')
        .map(|backend| backend.trim().to_owned());
    let is_http = text("_type") == "http";
    let templates = options.iter().filter(|(name, _)| {
        let prefix = name.split('.').next().unwrap_or_default();
        matches!(prefix, "_request" | "_terminate") || (prefix == "_service" && is_http)
    });
    let bases = templates.filter_map(|(_, value)| {
        let (scheme, rest) = value.text()?.trim().split_once("://")?;
        let authority = rest.split(['/', '?', '#', '{']).next()?;
        Some(format!("{scheme}://{authority}").to_ascii_lowercase())
    });
    let all = backends
        .chain(bases)
        .filter(|destination| !destination.is_empty());
    all.collect()
}

impl<'de> Deserialize<'de> for OptionValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OptionValueVisitor)
    }
}

struct OptionValueVisitor;

impl<'de> Visitor<'de> for OptionValueVisitor {
    type Value = OptionValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(flag.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<OptionValue, E> {
        Ok(OptionValue::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OptionValue, A::Error> {
        let mut texts = Vec::new();
        while let Some(entry) = list.next_element::<ListItem>()? {
            texts.push(entry.0);
        }
        Ok(OptionValue::List(texts))
    }
}

/// A text within a list.
struct ListItem(String);

impl<'de> Deserialize<'de> for ListItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match OptionValue::deserialize(deserializer)? {
            OptionValue::Text(text) => Ok(Self(text)),
            OptionValue::List(_) => Err(serde::de::Error::custom("a list within a list")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Options, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn values_of_all_types_are_strings() {
        let toml: Options =
            toml::from_str("a = 60\nb = true\nc = 'x'\nd = ['1', 2]\ne = 1.5").unwrap();
        let same = json(r#"{"a":60,"b":true,"c":"x","d":["1",2],"e":1.5}"#).unwrap();
        assert_eq!(toml, same);
        assert_eq!(toml["a"], OptionValue::Text("60".to_owned()));
        let list = ["1", "2"].map(str::to_owned).to_vec();
        assert_eq!(toml["d"], OptionValue::List(list));
        assert_eq!(
            without_empty(json(r#"{"a":null,"b":""}"#).unwrap()),
            Options::new()
        );
        for wrong in [r#"{"a":{}}"#, r#"{"a":[[]]}"#, r#"{"a":[{}]}"#] {
            assert!(json(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_redacted_and_restored() {
        let options = json(r#"{"username":"u","password":"p","_header.X":"y","_type":"http"}"#);
        let options = options.unwrap();
        let redacted = redact(&options);
        assert_eq!(redacted["password"].text(), Some(REDACTED));
        assert_eq!(redacted["_header.X"].text(), Some(REDACTED));
        assert_eq!(redacted["username"].text(), Some("u"));
        assert_eq!(
            restore_secrets(redacted.clone(), Some(&options)),
            Ok(options.clone())
        );
        let absent = RestoreError::NoStoredValue("_header.X".to_owned());
        assert_eq!(restore_secrets(redacted, None), Err(absent));
        assert_eq!(restore_secrets(options.clone(), None), Ok(options));
    }

    #[test]
    fn a_redacted_header_is_not_restored_for_another_backend() {
        let options = |more: &str| {
            let all = format!(
                r#"{{"_type":"http","_service":"https://good:1/a/{{id}}","_ors":"https://one,https://two",
                    "password":"********","_header.X":"********"{more}}}"#
            );
            json(&all).unwrap()
        };
        let mut stored = options("");
        for name in ["password", "_header.X"] {
            stored.insert(name.to_owned(), OptionValue::Text("secret".to_owned()));
        }
        for same in [
            "",
            r#","_service":"https://GOOD:1/other?x={id}""#,
            r#","_ors":"https://two""#,
            r#","_request":"https://good:1/b""#,
            r#","_ttl":"60""#,
        ] {
            let restored = restore_secrets(options(same), Some(&stored)).unwrap();
            assert_eq!(restored["_header.X"].text(), Some("secret"), "{same}");
        }
        for other in [
            r#","_service":"http://good:1/a/{id}""#,
            r#","_service":"https://good:2/a""#,
            r#","_service":"https://evil:1/a""#,
            r#","_service":"https://good:1@evil/a""#,
            r#","_ors":"https://one,https://evil""#,
            r#","_request.say":"https://evil/{id}""#,
            r#","_request":"https://evil/{id}""#,
            r#","_terminate":"https://evil""#,
            r#","_type":"ors","_ors":"https://evil""#,
        ] {
            let expected = Err(RestoreError::OtherBackend("_header.X".to_owned()));
            assert_eq!(
                restore_secrets(options(other), Some(&stored)),
                expected,
                "{other}"
            );
        }
        // A password is not sent to backends.
        let mut moved = options(r#","_service":"https://evil/a""#);
        moved.remove("_header.X");
        assert_eq!(
            restore_secrets(moved, Some(&stored)).unwrap()["password"].text(),
            Some("secret")
        );
    }
}
