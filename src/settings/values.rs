//! Deserialization of single values, for `#[serde(deserialize_with = "...")]`.
//!
//! All of them accept text, because environment variables are always text. The errors say what is allowed;
//! [`Layers::invalid`](super::layers::Layers::invalid) adds the value unless it is a secret.

use std::{fmt::Display, net::IpAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, IntoDeserializer, value},
};

/// A value in a settings file or a variable.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Boolean(bool),
    Integer(u64),
    Text(String),
}

/// Converts a value; `None` is an error with the message `expected`.
fn convert<'de, D: Deserializer<'de>, T>(
    from: D,
    expected: impl Display,
    convert: impl FnOnce(Scalar) -> Option<T>,
) -> Result<T, D::Error> {
    // The original error is dropped because it may contain the value.
    let value = Scalar::deserialize(from).ok().and_then(convert);
    value.ok_or_else(|| D::Error::custom(expected))
}

/// An integer that is allowed.
pub(super) fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    from: D,
    expected: impl Display,
    is_allowed: impl FnOnce(&u64) -> bool,
) -> Result<T, D::Error> {
    convert(from, expected, |value| {
        let number = match value {
            Scalar::Integer(number) => Some(number),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Boolean(_) => None,
        };
        T::try_from(number.filter(is_allowed)?).ok()
    })
}

/// An integer from `MIN` to `MAX`.
pub(super) fn integer<'de, const MIN: u64, const MAX: u64, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let expected = format_args!("expected an integer from {MIN} to {MAX}");
    number(from, expected, |number| (MIN..=MAX).contains(number))
}

/// A number of seconds from `MIN` to `MAX`.
pub(super) fn seconds<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    from: D,
) -> Result<Duration, D::Error> {
    integer::<MIN, MAX, D, u64>(from).map(Duration::from_secs)
}

/// A number of milliseconds from `MIN` to `MAX`.
pub(super) fn millis<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    from: D,
) -> Result<Duration, D::Error> {
    integer::<MIN, MAX, D, u64>(from).map(Duration::from_millis)
}

/// A boolean; the case of text is ignored.
pub(super) fn boolean<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    convert(from, "expected true or false", |value| match value {
        Scalar::Boolean(enabled) => Some(enabled),
        Scalar::Text(text) => text.trim().to_ascii_lowercase().parse().ok(),
        Scalar::Integer(_) => None,
    })
}

/// Text that `parse` accepts.
pub(super) fn parsed<'de, D: Deserializer<'de>, T>(
    from: D,
    expected: impl Display,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    convert(from, expected, |value| match value {
        Scalar::Text(text) => parse(&text),
        Scalar::Boolean(_) | Scalar::Integer(_) => None,
    })
}

/// Any text.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    parsed(from, "expected text in quotes", |text| {
        Some(text.to_owned())
    })
}

/// The name of a variant of an enum without fields.
pub(super) fn choice<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<T, D::Error> {
    let text = text(from)?;
    let variant: Result<T, value::Error> = T::deserialize(text.trim().into_deserializer());
    variant.map_err(|error| {
        // unknown variant "...", expected ...
        let error = error.to_string().replace('`', "\"");
        let expected = error.rsplit_once("\", expected ");
        let expected = expected.map_or("another value", |(_, expected)| expected);
        D::Error::custom(format_args!("expected {expected}"))
    })
}

/// A comma-separated list, each entry of which `parse` accepts. Separators without any entry are an error: they are
/// probably what is left of variables that are not set, and an empty list may permit more than a list.
pub(super) fn list<'de, D: Deserializer<'de>, T>(
    from: D,
    expected: impl Display,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, D::Error> {
    parsed(from, expected, |text| {
        let list: Vec<T> = entries(text).map(parse).collect::<Option<_>>()?;
        (!list.is_empty() || text.trim().is_empty()).then_some(list)
    })
}

/// The entries of a comma-separated list.
pub(super) fn entries(text: &str) -> impl Iterator<Item = &str> {
    let entries = text.split(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty())
}

/// A comma-separated list of addresses and networks.
pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let expected =
        "expected addresses or networks, such as 10.0.0.7 or 10.0.0.0/8, with commas between them";
    list(from, expected, |text| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_not_an_address| text.parse()).ok()
    })
}

/// A path, which may be empty.
pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    text(from).map(PathBuf::from)
}

/// A path; `None` if it is empty.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<PathBuf>, D::Error> {
    Ok(Some(path(from)?).filter(|path| !path.as_os_str().is_empty()))
}

/// A user name without a trailing line end; `None` if it is empty.
pub(super) fn user_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let name = text(from)?;
    let name = without_line_end(&name);
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// A secret without a trailing line end; `None` if it is empty.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(user_name(from)?.map(SecretString::from))
}

/// `text` without one trailing line end, which editors, `echo` and `kubectl create secret --from-file` append.
pub(super) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
