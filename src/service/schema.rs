//! The options of configured services and of resource groups, each written down once: where it stands, what it may
//! be, what counts without it, and what it means.
//!
//! What reads options takes ranges, choices and names from here ([`check`]), and who is to fill them in is shown the
//! same ([`Template`], [`group_options`]). A check that needs more than one value stands where they are read.

use std::{collections::BTreeMap, fmt::Display};

pub(super) use self::suggestions::{option_warnings, suggested_for_group};
pub(super) use self::table::{
    ALLOCATION_STRATEGIES, BALANCING_STRATEGIES, BOOKING_TIMEOUT_RANGE, CODE_LENGTH_RANGE,
    DEFAULT_BOOKING_TIMEOUT, DEFAULT_CODE_LENGTH, DEFAULT_GROUP, DEFAULT_TTL, MAX_NUMBER_BYTES,
    METHODS, TYPES,
};
use self::table::{GROUP_OPTIONS, SERVICE_OPTIONS};
pub use self::template::{ServicePreset, group_options, preset_of, presets};
use super::parameters::{parse_boolean, parse_integer_in_range};

mod suggestions;
mod table;
mod template;
#[cfg(test)]
mod tests;

/// How much an option is needed where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Nothing can be made without it.
    Mandatory,
    /// Often said.
    Optional,
    /// Seldom said.
    Advanced,
}

/// What the value of an option may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// `true` or `false`, in small or capital letters.
    Boolean,
    /// A whole number from the first to the second.
    Integer(u64, u64),
    /// One of these.
    Choice(&'static [&'static str]),
    /// Any text that is what is said here.
    Text(&'static str),
    /// The name of a resource group.
    ResourceGroup,
    /// A comma list of names of options.
    OptionNames,
    /// A comma list of names of configured services.
    ServiceNames,
    /// An access number.
    AccessNumber,
    /// A list of access numbers: the only value that is a list, and not one text.
    AccessNumbers,
    /// An absolute URL.
    Url,
    /// A comma list of absolute URLs.
    UrlList,
    /// A URL with placeholders.
    UrlTemplate,
}

/// An option, for whoever is to fill it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDoc {
    /// Its name; of a family, the name with a placeholder in it, as `_header.<Name>`.
    pub name: &'static str,
    /// What it means, in a sentence or two.
    pub description: &'static str,
    /// How much it is needed.
    pub importance: Importance,
    /// What counts where it is absent, if that is a value.
    pub default: Option<String>,
    /// What it may be.
    pub option_type: OptionType,
    /// Whether its value is told to nobody.
    pub is_secret: bool,
    /// Whether it stands for any number of options; see [`OptionDoc::is`].
    pub is_pattern: bool,
}

/// What a table of options is for.
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

/// An option as it is written down.
struct OptionSpec {
    name: &'static str,
    /// Where it stands, and how much it is needed there.
    applies_to: &'static [(Importance, &'static [ServiceKind])],
    /// What it may be, where a service may live for this many seconds.
    option_type: fn(u64) -> OptionType,
    default: Option<DefaultValue>,
    is_secret: bool,
    /// Whether it says how a service runs, and so is no parameter of it.
    is_server_side: bool,
    description: &'static str,
}

/// What counts where an option is absent.
#[derive(Clone, Copy)]
enum DefaultValue {
    Text(&'static str),
    Number(u64),
}

impl OptionType {
    /// The same in words, as in "a whole number from 1 to 16".
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Choice([only]) => (*only).to_owned(),
            Self::Choice(all) => format!("one of {}", all.join(", ")),
            Self::Text(words) => (*words).to_owned(),
            Self::ResourceGroup => "the name of a resource group".to_owned(),
            Self::OptionNames => "a comma list of names of options".to_owned(),
            Self::ServiceNames => "a comma list of names of configured services".to_owned(),
            Self::AccessNumber => format!("a number of 1 to {MAX_NUMBER_BYTES} bytes"),
            Self::AccessNumbers => {
                format!("a list of numbers, each of 1 to {MAX_NUMBER_BYTES} bytes")
            }
            Self::Url => "a URL, such as http://host:port/path".to_owned(),
            Self::UrlList => "a comma list of URLs, such as http://host:port".to_owned(),
            Self::UrlTemplate => {
                "a URL, or the path of one, with placeholders such as {id}".to_owned()
            }
        }
    }

    /// Looks at a value by itself; texts of a form of their own are left to who reads them.
    fn check(&self, value: &str) -> Result<(), String> {
        let checked = match self {
            Self::Boolean => parse_boolean("it", value).map(drop),
            Self::Integer(low, high) => parse_integer_in_range("it", value, *low, *high).map(drop),
            _ => Ok(()),
        };
        checked.map_err(|error| error.to_string())
    }
}

impl OptionDoc {
    /// Whether it is about the option of this name.
    #[must_use]
    pub fn matches(&self, option: &str) -> bool {
        name_matches(self.name, option)
    }
}

impl OptionSpec {
    fn matches(&self, option: &str) -> bool {
        name_matches(self.name, option)
    }

    fn importance_for(&self, purpose: ServiceKind) -> Option<Importance> {
        let mut stands = self.applies_to.iter();
        let found = stands.find(|(_, purposes)| purposes.contains(&purpose));
        found.map(|(need, _)| *need)
    }

    /// It, where it stands in a table for this purpose.
    fn to_doc(&self, purpose: ServiceKind, longest_life: u64) -> Option<OptionDoc> {
        let allowed = (self.option_type)(longest_life);
        let default = self.default.map(|default| match (default, allowed) {
            (DefaultValue::Text(text), _) => text.to_owned(),
            (DefaultValue::Number(number), OptionType::Integer(_, high)) => {
                number.min(high).to_string()
            }
            (DefaultValue::Number(number), _) => number.to_string(),
        });
        Some(OptionDoc {
            name: self.name,
            description: self.description,
            importance: self.importance_for(purpose)?,
            default,
            option_type: allowed,
            is_secret: self.is_secret,
            is_pattern: self.name.contains('<'),
        })
    }
}

/// Whether what is called so, with a placeholder or without, is the option.
fn name_matches(name: &str, option: &str) -> bool {
    match name.split_once('<') {
        Some((family, _)) => option.starts_with(family),
        None => option == name,
    }
}

/// The options for this purpose, those that are needed most first.
fn option_docs(rows: &[OptionSpec], purpose: ServiceKind, longest_life: u64) -> Vec<OptionDoc> {
    let told = rows.iter().map(|row| row.to_doc(purpose, longest_life));
    let mut told: Vec<OptionDoc> = told.flatten().collect();
    told.sort_by_key(|option| option.importance);
    told
}

/// Looks at each option of a configured service by itself, where a service may live for `longest_life` seconds.
///
/// # Errors
/// The first option whose value is not allowed, and what it is and what is allowed.
pub(super) fn check_service(
    options: &BTreeMap<String, String>,
    longest_life: u64,
) -> Result<(), (String, String)> {
    check(SERVICE_OPTIONS, options, longest_life)
}

/// The same for the options of a resource group that are texts.
pub(super) fn check_group(options: &BTreeMap<String, String>) -> Result<(), (String, String)> {
    check(GROUP_OPTIONS, options, 0)
}

fn check(
    rows: &[OptionSpec],
    options: &BTreeMap<String, String>,
    longest_life: u64,
) -> Result<(), (String, String)> {
    for (option, value) in options {
        let row = rows.iter().find(|row| row.matches(option));
        let checked = row.map_or(Ok(()), |row| (row.option_type)(longest_life).check(value));
        checked.map_err(|problem| (option.clone(), problem))?;
    }
    Ok(())
}

/// Whether the value of an option is told to nobody.
pub(super) fn is_secret(option: &str) -> bool {
    let mut secret = SERVICE_OPTIONS.iter().filter(|row| row.is_secret);
    secret.any(|row| row.matches(option))
}

/// Whether an option says how a service runs: one of these names, and whatever follows them behind a dot.
pub(super) fn is_server_side(option: &str) -> bool {
    let mut wiring = SERVICE_OPTIONS.iter().filter(|row| row.is_server_side);
    wiring.any(|row| name_prefix(row.name) == name_prefix(option))
}

fn name_prefix(option: &str) -> &str {
    option.split('.').next().unwrap_or_default()
}

/// Whether a resource group has an option of this name.
pub(super) fn is_group_option(option: &str) -> bool {
    GROUP_OPTIONS.iter().any(|row| row.matches(option))
}

/// Names of all options of resource groups, for people.
pub(super) fn group_option_names() -> String {
    let names: Vec<_> = GROUP_OPTIONS.iter().map(|row| row.name).collect();
    names.join(", ")
}

/// Some of which one may be chosen, for people.
pub(super) fn join_with_or(choices: &[impl Display]) -> String {
    let mut all = String::new();
    for (at, choice) in choices.iter().enumerate() {
        let between = match choices.len() - at {
            _ if at == 0 => "",
            1 => " or ",
            _ => ", ",
        };
        all += &format!("{between}{choice}");
    }
    all
}
