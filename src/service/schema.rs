//! The options of configured services and of resource groups, each written down once: where it stands, what it may
//! be, what counts without it, and what it means.
//!
//! What reads options takes ranges, choices and names from here ([`check`]), and who is to fill them in is shown the
//! same ([`Template`], [`group_options`]). A check that needs more than one value stands where they are read.

use std::{collections::BTreeMap, fmt::Display};

pub(super) use self::suggestions::{option_warnings, suggested_for_group};
pub(super) use self::table::{
    BALANCING, CODE_LENGTHS, DEFAULT_CODE_LENGTH, DEFAULT_GROUP, DEFAULT_HELD, DEFAULT_TTL, HELD,
    MAX_NUMBER_BYTES, METHODS, STRATEGIES, TYPES,
};
use self::table::{GROUPS, SERVICES};
pub use self::template::{Template, group_options, template_of, templates};
use super::parameters::{boolean, whole_number};

mod suggestions;
mod table;
mod template;
#[cfg(test)]
mod tests;

/// How much an option is needed where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing can be made without it.
    Mandatory,
    /// Often said.
    Optional,
    /// Seldom said.
    Advanced,
}

/// What the value of an option may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// `true` or `false`, in small or capital letters.
    Boolean,
    /// A whole number from the first to the second.
    WholeNumber(u64, u64),
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
pub struct OptionHelp {
    /// Its name; of a family, the name with a placeholder in it, as `_header.<Name>`.
    pub name: &'static str,
    /// What it means, in a sentence or two.
    pub help: &'static str,
    /// How much it is needed.
    pub need: Need,
    /// What counts where it is absent, if that is a value.
    pub default: Option<String>,
    /// What it may be.
    pub allowed: Allowed,
    /// Whether its value is told to nobody.
    pub secret: bool,
    /// Whether it stands for any number of options; see [`OptionHelp::is`].
    pub is_family: bool,
}

/// What a table of options is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Store,
    RequestInteraction,
    RequestAccess,
    MatchInteraction,
    Ors,
    Http,
    Group,
}

/// An option as it is written down.
struct Row {
    name: &'static str,
    /// Where it stands, and how much it is needed there.
    stands: &'static [(Need, &'static [Purpose])],
    /// What it may be, where a service may live for this many seconds.
    allowed: fn(u64) -> Allowed,
    default: Option<Otherwise>,
    is_secret: bool,
    /// Whether it says how a service runs, and so is no parameter of it.
    is_wiring: bool,
    help: &'static str,
}

/// What counts where an option is absent.
#[derive(Clone, Copy)]
enum Otherwise {
    Text(&'static str),
    Number(u64),
}

impl Allowed {
    /// The same in words, as in "a whole number from 1 to 16".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::WholeNumber(low, high) => format!("a whole number from {low} to {high}"),
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
            Self::Boolean => boolean("it", value).map(drop),
            Self::WholeNumber(low, high) => whole_number("it", value, *low, *high).map(drop),
            _ => Ok(()),
        };
        checked.map_err(|error| error.to_string())
    }
}

impl OptionHelp {
    /// Whether it is about the option of this name.
    #[must_use]
    pub fn is(&self, option: &str) -> bool {
        is(self.name, option)
    }
}

impl Row {
    fn is(&self, option: &str) -> bool {
        is(self.name, option)
    }

    fn need(&self, purpose: Purpose) -> Option<Need> {
        let mut stands = self.stands.iter();
        let found = stands.find(|(_, purposes)| purposes.contains(&purpose));
        found.map(|(need, _)| *need)
    }

    /// It, where it stands in a table for this purpose.
    fn told(&self, purpose: Purpose, longest_life: u64) -> Option<OptionHelp> {
        let allowed = (self.allowed)(longest_life);
        let default = self.default.map(|default| match (default, allowed) {
            (Otherwise::Text(text), _) => text.to_owned(),
            (Otherwise::Number(number), Allowed::WholeNumber(_, high)) => {
                number.min(high).to_string()
            }
            (Otherwise::Number(number), _) => number.to_string(),
        });
        Some(OptionHelp {
            name: self.name,
            help: self.help,
            need: self.need(purpose)?,
            default,
            allowed,
            secret: self.is_secret,
            is_family: self.name.contains('<'),
        })
    }
}

/// Whether what is called so, with a placeholder or without, is the option.
fn is(name: &str, option: &str) -> bool {
    match name.split_once('<') {
        Some((family, _)) => option.starts_with(family),
        None => option == name,
    }
}

/// The options for this purpose, those that are needed most first.
fn told(rows: &[Row], purpose: Purpose, longest_life: u64) -> Vec<OptionHelp> {
    let told = rows.iter().map(|row| row.told(purpose, longest_life));
    let mut told: Vec<OptionHelp> = told.flatten().collect();
    told.sort_by_key(|option| option.need);
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
    check(SERVICES, options, longest_life)
}

/// The same for the options of a resource group that are texts.
pub(super) fn check_group(options: &BTreeMap<String, String>) -> Result<(), (String, String)> {
    check(GROUPS, options, 0)
}

fn check(
    rows: &[Row],
    options: &BTreeMap<String, String>,
    longest_life: u64,
) -> Result<(), (String, String)> {
    for (option, value) in options {
        let row = rows.iter().find(|row| row.is(option));
        let checked = row.map_or(Ok(()), |row| (row.allowed)(longest_life).check(value));
        checked.map_err(|problem| (option.clone(), problem))?;
    }
    Ok(())
}

/// Whether the value of an option is told to nobody.
pub(super) fn is_secret(option: &str) -> bool {
    let mut secret = SERVICES.iter().filter(|row| row.is_secret);
    secret.any(|row| row.is(option))
}

/// Whether an option says how a service runs: one of these names, and whatever follows them behind a dot.
pub(super) fn is_wiring(option: &str) -> bool {
    let mut wiring = SERVICES.iter().filter(|row| row.is_wiring);
    wiring.any(|row| head(row.name) == head(option))
}

fn head(option: &str) -> &str {
    option.split('.').next().unwrap_or_default()
}

/// Whether a resource group has an option of this name.
pub(super) fn is_of_group(option: &str) -> bool {
    GROUPS.iter().any(|row| row.is(option))
}

/// Names of all options of resource groups, for people.
pub(super) fn names_of_group() -> String {
    let names: Vec<_> = GROUPS.iter().map(|row| row.name).collect();
    names.join(", ")
}

/// Some of which one may be chosen, for people.
pub(super) fn either(choices: &[impl Display]) -> String {
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
