//! Options as they are written down: text, or a list of texts, whatever the format they come in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use super::schema::is_secret;

/// What stands in place of a value that is not told. Sent back, it stands for the value there is.
pub const REDACTED: &str = "********";

/// The options of a configured service or resource group, by name.
pub type Options = BTreeMap<String, OptionValue>;

/// The value of an option. Numbers and booleans are the text that they are written as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// One text.
    Text(String),
    /// Several, as the numbers of a group.
    List(Vec<String>),
}

impl OptionValue {
    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text().is_some_and(str::is_empty)
    }
}

/// Whether an option may be called so. A field of one line must be able to hold it.
#[must_use]
pub fn is_option_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// The options without those that are as good as absent. What may not be called so stays, to be refused.
pub(super) fn without_empty(mut options: Options) -> Options {
    options.retain(|name, value| !value.is_empty() || !is_option_name(name));
    options
}

/// The options as they are told.
pub(super) fn redact(options: &Options) -> Options {
    let told = options.iter().map(|(name, value)| {
        let value = if is_secret(name) && !value.is_empty() {
            OptionValue::Text(REDACTED.to_owned())
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    told.collect()
}

/// Why a hidden value cannot be taken from what there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RestoreError {
    /// There is no value of this option.
    NoStoredValue(String),
    /// The value of this option would be sent to backends that it was not entered for.
    OtherBackend(String),
}

/// Options as they were sent, with what was hidden in them taken from what there `is`.
///
/// # Errors
/// [`RestoreError`], with the first option at fault.
pub(super) fn restore_secrets(
    mut sent: Options,
    is: Option<&Options>,
) -> Result<Options, RestoreError> {
    let goes_elsewhere = is.is_some_and(|is| !destinations(&sent).is_subset(&destinations(is)));
    for (name, value) in &mut sent {
        if is_secret(name) && value.text() == Some(REDACTED) {
            let known = is.and_then(|options| options.get(name));
            let known = known.ok_or_else(|| RestoreError::NoStoredValue(name.clone()))?;
            // Whoever may change a definition has not been shown its secrets.
            if goes_elsewhere && name.starts_with(HEADER_PREFIX) {
                return Err(RestoreError::OtherBackend(name.clone()));
            }
            value.clone_from(known);
        }
    }
    Ok(sent)
}

/// How the options begin that are sent to backends.
const HEADER_PREFIX: &str = "_header.";

/// Where headers are sent to: the backends, and of URL templates scheme, host and port.
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
        let head = name.split('.').next().unwrap_or_default();
        matches!(head, "_request" | "_terminate") || (head == "_service" && is_http)
    });
    let bases = templates.filter_map(|(_, value)| {
        let (scheme, rest) = value.text()?.trim().split_once("://")?;
        let authority = rest.split(['/', '?', '#', '{']).next()?;
        Some(format!("{scheme}://{authority}").to_ascii_lowercase())
    });
    let all = backends.chain(bases).filter(|one| !one.is_empty());
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
        let told = redact(&options);
        assert_eq!(told["password"].text(), Some(REDACTED));
        assert_eq!(told["_header.X"].text(), Some(REDACTED));
        assert_eq!(told["username"].text(), Some("u"));
        assert_eq!(
            restore_secrets(told.clone(), Some(&options)),
            Ok(options.clone())
        );
        let absent = RestoreError::NoStoredValue("_header.X".to_owned());
        assert_eq!(restore_secrets(told, None), Err(absent));
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
        let mut is = options("");
        for name in ["password", "_header.X"] {
            is.insert(name.to_owned(), OptionValue::Text("secret".to_owned()));
        }
        for same in [
            "",
            r#","_service":"https://GOOD:1/other?x={id}""#,
            r#","_ors":"https://two""#,
            r#","_request":"https://good:1/b""#,
            r#","_ttl":"60""#,
        ] {
            let revealed = restore_secrets(options(same), Some(&is)).unwrap();
            assert_eq!(revealed["_header.X"].text(), Some("secret"), "{same}");
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
            let refused = Err(RestoreError::OtherBackend("_header.X".to_owned()));
            assert_eq!(
                restore_secrets(options(other), Some(&is)),
                refused,
                "{other}"
            );
        }
        // A password is sent to nobody.
        let mut moved = options(r#","_service":"https://evil/a""#);
        moved.remove("_header.X");
        assert_eq!(
            restore_secrets(moved, Some(&is)).unwrap()["password"].text(),
            Some("secret")
        );
    }
}
