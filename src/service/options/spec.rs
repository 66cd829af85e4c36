//! The specification of an option: where it applies, its type, default and documentation.

use crate::service::parse_value::{parse_boolean, parse_integer_in_range};

/// The maximum length of an access number in bytes.
pub const MAX_NUMBER_BYTES: usize = 64;

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
    /// The unit of a number, such as `seconds`.
    pub unit: Option<&'static str>,
    /// Whether its value is never returned.
    pub is_secret: bool,
    /// Whether requests can have it as a parameter.
    pub is_parameter: bool,
    /// Whether it matches any number of options; see [`OptionDoc::matches`].
    pub is_pattern: bool,
}

/// The types of entries that options apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceKind {
    Store,
    RequestInteraction,
    RequestChat,
    RequestAccess,
    MatchInteraction,
    Ors,
    Http,
    Group,
}

/// The specification of an option.
pub(super) struct OptionSpec {
    pub(super) name: &'static str,
    /// The types it applies to, by importance.
    pub(super) applies_to: &'static [(Importance, &'static [ServiceKind])],
    /// The type of the value, given the maximum TTL in seconds.
    pub(super) option_type: fn(u64) -> OptionType,
    pub(super) default: Option<DefaultValue>,
    pub(super) unit: Option<&'static str>,
    pub(super) is_secret: bool,
    /// Whether it configures the server side, so that requests cannot set it.
    pub(super) is_server_side: bool,
    pub(super) description: &'static str,
}

/// The default value of an option.
#[derive(Clone, Copy)]
pub(super) enum DefaultValue {
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
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
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

/// The specification of an option without a default.
pub(super) const fn option(
    name: &'static str,
    applies_to: &'static [(Importance, &'static [ServiceKind])],
    option_type: fn(u64) -> OptionType,
    description: &'static str,
) -> OptionSpec {
    OptionSpec {
        name,
        applies_to,
        option_type,
        default: None,
        unit: None,
        is_secret: false,
        is_server_side: false,
        description,
    }
}

impl OptionSpec {
    /// Sets the default value.
    pub(super) const fn with_default(self, default: DefaultValue) -> Self {
        let default = Some(default);
        Self { default, ..self }
    }

    /// Sets the unit of a number.
    pub(super) const fn with_unit(self, unit: &'static str) -> Self {
        let unit = Some(unit);
        Self { unit, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        let is_secret = true;
        Self { is_secret, ..self }
    }

    pub(super) const fn server_side(self) -> Self {
        let is_server_side = true;
        Self {
            is_server_side,
            ..self
        }
    }

    pub(super) fn matches(&self, option: &str) -> bool {
        name_matches(self.name, option)
    }

    pub(super) fn importance_for(&self, kind: ServiceKind) -> Option<Importance> {
        let mut entries = self.applies_to.iter();
        let found = entries.find(|(_, kinds)| kinds.contains(&kind));
        found.map(|(importance, _)| *importance)
    }

    /// The documentation of the option for a type of entry; `None` if it does not apply.
    pub(super) fn to_doc(&self, kind: ServiceKind, max_ttl_seconds: u64) -> Option<OptionDoc> {
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
            unit: self.unit,
            is_secret: self.is_secret,
            is_parameter: self.name.starts_with('_') && !self.is_server_side,
            is_pattern: self.name.contains('<'),
        })
    }
}

/// Whether an option matches `name`, which can be a pattern.
pub(super) fn name_matches(name: &str, option: &str) -> bool {
    match name.split_once('<') {
        Some((prefix, _)) => option.starts_with(prefix),
        None => option == name,
    }
}
