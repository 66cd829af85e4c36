//! The options of configured services and resource groups. The table is the single source of their validation,
//! defaults and documentation.
//!
//! Code that reads options uses the ranges, choices and names of the table ([`check_service`], [`check_group`]).
//! Forms and documentation use the same table ([`ServicePreset`], [`group_options`]). Checks that involve several
//! options are where the options are read.

use std::collections::BTreeMap;

pub use self::presets::{ServicePreset, group_options, preset_of, presets};
pub(super) use self::suggestions::{option_warnings, suggested_for_group};
pub use self::table::MAX_NUMBER_BYTES;
pub(super) use self::table::{
    ALLOCATION_STRATEGIES, BOOKING_TIMEOUT_RANGE, CODE_LENGTH_RANGE, DEFAULT_BOOKING_TIMEOUT,
    DEFAULT_CODE_LENGTH, DEFAULT_GROUP, DEFAULT_TTL, TYPES,
};
use self::table::{GROUP_OPTIONS, SERVICE_OPTIONS};
pub use self::values::{OptionValue, Options, REDACTED, is_option_name};
pub(super) use self::values::{RestoreError, redact, restore_secrets, without_empty};
use super::parameters::{parse_boolean, parse_integer, parse_integer_in_range};

mod presets;
mod suggestions;
mod table;
#[cfg(test)]
mod tests;
mod values;

/// The importance of an option for a type of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Required.
    Mandatory,
    /// Often used.
    Optional,
    /// Rarely used.
    Advanced,
}

/// The type of the value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// `true` or `false`, case-insensitive.
    Boolean,
    /// An integer in an inclusive range.
    Integer(u64, u64),
    /// One of several values.
    Choice(&'static [&'static str]),
    /// Text in the described format.
    Text(&'static str),
    /// Text in the described format, with its regular expression.
    Pattern(&'static str, &'static str),
    /// The name of a resource group.
    ResourceGroup,
    /// A comma-separated list of option names.
    OptionNames,
    /// A comma-separated list of names of configured services.
    ServiceNames,
    /// An access number.
    AccessNumber,
    /// A list of access numbers, the only type that is not a single string.
    AccessNumbers,
    /// An absolute URL.
    Url,
    /// A comma-separated list of absolute URLs.
    UrlList,
    /// A URL with placeholders.
    UrlTemplate,
}

/// The documentation of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDoc {
    /// The name; a pattern contains a placeholder, as in `_header.<Name>`.
    pub name: &'static str,
    /// The description, of one or two sentences.
    pub description: &'static str,
    /// The importance.
    pub importance: Importance,
    /// The default value, if there is one.
    pub default: Option<String>,
    /// The type of the value.
    pub option_type: OptionType,
    /// Whether its value is never returned.
    pub is_secret: bool,
    /// Whether requests can have it as a parameter.
    pub is_parameter: bool,
    /// Whether it matches any number of options; see [`OptionDoc::matches`].
    pub is_pattern: bool,
}

/// The types of entries that options apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceKind {
    Store,
    RequestInteraction,
    RequestAccess,
    MatchInteraction,
    Ors,
    Http,
    Group,
}

/// The specification of an option.
struct OptionSpec {
    name: &'static str,
    /// The types it applies to, by importance.
    applies_to: &'static [(Importance, &'static [ServiceKind])],
    /// The type of the value, given the maximum TTL in seconds.
    option_type: fn(u64) -> OptionType,
    default: Option<DefaultValue>,
    is_secret: bool,
    /// Whether it configures the server side, so that requests cannot set it.
    is_server_side: bool,
    description: &'static str,
}

/// The default value of an option.
#[derive(Clone, Copy)]
enum DefaultValue {
    Text(&'static str),
    Number(u64),
}

impl OptionType {
    /// The description of the type, such as "an integer from 1 to 16".
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer(low, high) => format!("an integer from {low} to {high}"),
            Self::Choice([only]) => (*only).to_owned(),
            Self::Choice(all) => format!("one of {}", all.join(", ")),
            Self::Text(format) | Self::Pattern(format, _) => (*format).to_owned(),
            Self::ResourceGroup => "the name of a resource group".to_owned(),
            Self::OptionNames => "a comma-separated list of option names".to_owned(),
            Self::ServiceNames => "a comma-separated list of configured services".to_owned(),
            Self::AccessNumber => format!("a number of 1 to {MAX_NUMBER_BYTES} bytes"),
            Self::AccessNumbers => {
                format!("a list of numbers, each of 1 to {MAX_NUMBER_BYTES} bytes")
            }
            Self::Url => "a URL, such as http://host:port/path".to_owned(),
            Self::UrlList => "a comma-separated list of URLs, such as http://host:port".to_owned(),
            Self::UrlTemplate => "a URL or a path, with placeholders such as {id}".to_owned(),
        }
    }

    /// Checks a value. Formats of text types are checked where they are parsed.
    fn check(&self, value: &str) -> Result<(), String> {
        let result = match self {
            Self::Boolean => parse_boolean("it", value).map(drop),
            Self::Integer(low, high) => parse_integer_in_range("it", value, *low, *high).map(drop),
            _ => Ok(()),
        };
        result.map_err(|error| error.to_string())
    }
}

impl OptionDoc {
    /// Whether it documents the option of this name.
    #[must_use]
    pub fn matches(&self, option: &str) -> bool {
        name_matches(self.name, option)
    }
}

impl OptionSpec {
    fn matches(&self, option: &str) -> bool {
        name_matches(self.name, option)
    }

    fn importance_for(&self, kind: ServiceKind) -> Option<Importance> {
        let mut entries = self.applies_to.iter();
        let found = entries.find(|(_, kinds)| kinds.contains(&kind));
        found.map(|(importance, _)| *importance)
    }

    /// The documentation of the option for a type of entry; `None` if it does not apply.
    fn to_doc(&self, kind: ServiceKind, max_ttl_seconds: u64) -> Option<OptionDoc> {
        let option_type = (self.option_type)(max_ttl_seconds);
        let default = self.default.map(|default| match (default, option_type) {
            (DefaultValue::Text(text), _) => text.to_owned(),
            (DefaultValue::Number(number), OptionType::Integer(_, high)) => {
                number.min(high).to_string()
            }
            (DefaultValue::Number(number), _) => number.to_string(),
        });
        Some(OptionDoc {
            name: self.name,
            description: self.description,
            importance: self.importance_for(kind)?,
            default,
            option_type,
            is_secret: self.is_secret,
            is_parameter: self.name.starts_with('_') && !self.is_server_side,
            is_pattern: self.name.contains('<'),
        })
    }
}

/// Whether an option matches `name`, which can be a pattern.
fn name_matches(name: &str, option: &str) -> bool {
    match name.split_once('<') {
        Some((prefix, _)) => option.starts_with(prefix),
        None => option == name,
    }
}

/// The options of a type of entry, the most important first.
fn option_docs(rows: &[OptionSpec], kind: ServiceKind, max_ttl_seconds: u64) -> Vec<OptionDoc> {
    let docs = rows.iter().map(|row| row.to_doc(kind, max_ttl_seconds));
    let mut docs: Vec<OptionDoc> = docs.flatten().collect();
    docs.sort_by_key(|option| option.importance);
    docs
}

/// Checks each option of a configured service by itself.
///
/// # Errors
/// The first invalid option, and the problem.
pub(super) fn check_service(
    options: &BTreeMap<String, String>,
    max_ttl_seconds: u64,
) -> Result<(), (String, String)> {
    check(SERVICE_OPTIONS, options, max_ttl_seconds)
}

/// Checks the text options of a resource group by themselves.
pub(super) fn check_group(options: &BTreeMap<String, String>) -> Result<(), (String, String)> {
    check(GROUP_OPTIONS, options, 0)
}

fn check(
    rows: &[OptionSpec],
    options: &BTreeMap<String, String>,
    max_ttl_seconds: u64,
) -> Result<(), (String, String)> {
    for (option, value) in options {
        let row = rows.iter().find(|row| row.matches(option));
        let checked = row.map_or(Ok(()), |row| {
            (row.option_type)(max_ttl_seconds).check(value)
        });
        checked.map_err(|problem| (option.clone(), problem))?;
    }
    Ok(())
}

/// Whether the value of an option is never returned.
pub(super) fn is_secret(option: &str) -> bool {
    let mut secret_options = SERVICE_OPTIONS.iter().filter(|row| row.is_secret);
    secret_options.any(|row| row.matches(option))
}

/// Whether an option configures the server side: one of these names, or such a name followed by a dot.
pub(super) fn is_server_side(option: &str) -> bool {
    let mut options = SERVICE_OPTIONS.iter().filter(|row| row.is_server_side);
    options.any(|row| name_prefix(row.name) == name_prefix(option))
}

/// Whether two values of an option of a service are equal in its type: numbers and booleans have several notations.
pub(super) fn is_same_value(option: &str, a: &str, b: &str) -> bool {
    let row = SERVICE_OPTIONS.iter().find(|row| row.matches(option));
    // The maximum TTL changes no type.
    let option_type = row.map(|row| (row.option_type)(0));
    a == b
        || match option_type {
            Some(OptionType::Integer(..)) => {
                parse_integer(a).is_some() && parse_integer(a) == parse_integer(b)
            }
            Some(OptionType::Boolean) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
}

fn name_prefix(option: &str) -> &str {
    option.split('.').next().unwrap_or_default()
}

/// Whether a resource group has an option of this name.
pub(super) fn is_group_option(option: &str) -> bool {
    GROUP_OPTIONS.iter().any(|row| row.matches(option))
}

/// The names of all options of resource groups, for messages.
pub(super) fn group_option_names() -> String {
    let names: Vec<_> = GROUP_OPTIONS.iter().map(|row| row.name).collect();
    names.join(", ")
}
