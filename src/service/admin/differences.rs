//! Differences between two states of a catalog entry.

use std::collections::{BTreeSet, HashSet};

use super::audit_log::redact_changed;
use crate::{
    model::EntryName,
    service::options::{self, OptionValue, Options},
};

/// Values of a list in a brief text.
const MAX_LISTED: usize = 20;

/// A change of an option. Secrets are redacted, and marked if they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The entry.
    pub entry: EntryName,
    /// The option.
    pub option: String,
    /// The value before the change; `None` if it was absent.
    pub before: Option<String>,
    /// The value after the change; `None` if it is absent.
    pub after: Option<String>,
    /// As `before`, but if both are lists, the first values that are only in this one.
    pub brief_before: Option<String>,
    /// As `after`, but if both are lists with different values, the first values that are only in this one.
    pub brief_after: Option<String>,
}

/// The differences between two states of an entry.
pub(super) fn diff_options(
    entry: &EntryName,
    before: &Options,
    after: &Options,
) -> Vec<Difference> {
    let (old, new) = (options::redact(before), redact_changed(before, after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    let differ = differ.map(|option| {
        let (old, new) = (old.get(option), new.get(option));
        let [before, after] = [old, new].map(|value| value.map(text_of));
        let (brief_before, brief_after) = match (old, new) {
            (Some(OptionValue::List(old)), Some(OptionValue::List(new))) => {
                match (only_in(old, new), only_in(new, old)) {
                    // Only the order differs.
                    (None, None) => (before.clone(), after.clone()),
                    brief => brief,
                }
            }
            _ => (before.clone(), after.clone()),
        };
        Difference {
            entry: entry.clone(),
            option: option.clone(),
            before,
            after,
            brief_before,
            brief_after,
        }
    });
    differ.collect()
}

fn text_of(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => text.clone(),
        OptionValue::List(texts) => texts.join(", "),
    }
}

/// The first values of a list that the other one does not have.
fn only_in(list: &[String], other: &[String]) -> Option<String> {
    let other: HashSet<&String> = other.iter().collect();
    let only: Vec<&str> = list
        .iter()
        .filter(|value| !other.contains(value))
        .map(String::as_str)
        .collect();
    let listed = only.get(..MAX_LISTED).unwrap_or(&only).join(", ");
    match only.len().saturating_sub(MAX_LISTED) {
        0 => Some(listed).filter(|listed| !listed.is_empty()),
        more => Some(format!("{listed} and {more} more")),
    }
}
