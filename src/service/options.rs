//! The options of configured services and resource groups. The table is the single source of their validation,
//! defaults and documentation.
//!
//! Code that reads options uses the ranges, choices and names of the table ([`check_service`], [`check_group`]).
//! Forms and documentation use the same table ([`ServicePreset`], [`group_options`]). Checks that involve several
//! options are where the options are read.

use std::collections::BTreeMap;

pub(super) use self::constants::{
    ALLOCATION_STRATEGIES, BOOKING_TIMEOUT_RANGE, CODE_LENGTH_RANGE, DEFAULT_BOOKING_TIMEOUT,
    DEFAULT_CLIENT_TIMEOUT, DEFAULT_CODE_LENGTH, DEFAULT_GROUP, DEFAULT_MAX_EVENTS,
    DEFAULT_MESSAGE_BYTES, DEFAULT_TTL, TYPES,
};
pub use self::presets::{ServicePreset, group_options, preset_of, presets};
use self::spec::{DefaultValue, OptionSpec, ServiceKind};
pub use self::spec::{Importance, MAX_NUMBER_BYTES, OptionDoc, OptionType};
pub(super) use self::suggestions::{option_warnings, suggested_for_group};
pub use self::values::{OptionValue, Options, REDACTED, is_option_name};
pub(super) use self::values::{RestoreError, redact, restore_secrets, without_empty};
use self::{group_table::GROUP_OPTIONS, table::SERVICE_OPTIONS};
use super::parse_value::parse_integer;

mod constants;
mod group_table;
mod presets;
mod spec;
mod suggestions;
mod table;
#[cfg(test)]
mod tests;
mod values;

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
#[must_use]
pub fn is_secret(option: &str) -> bool {
    let rows = SERVICE_OPTIONS.iter().chain(GROUP_OPTIONS);
    let mut secret_options = rows.filter(|row| row.is_secret);
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
