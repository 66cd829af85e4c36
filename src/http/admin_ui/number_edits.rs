//! Numbers that are added to a resource group and removed from it: pasted lists and ranges.

use std::{collections::HashSet, ops::RangeInclusive};

use super::{list_query::format_total, query_count};
use crate::service::FormData;

/// Maximum number of numbers in a range.
const MAX_RANGE: u64 = 10_000;
/// Maximum number of numbers in a field.
const MAX_NUMBERS: usize = 50_000;
/// Characters of an entry that an error message quotes.
const MAX_QUOTED_CHARS: usize = 40;
/// Digits of a phone number: 15 at most by E.164, and 3 of an international prefix.
const DIGITS: RangeInclusive<usize> = 3..=18;
/// The query parameters with the counts after a redirect.
const COUNT_PARAMETERS: [&str; 3] = ["added", "removed", "present"];

/// The numbers after the changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EditedNumbers {
    pub(super) numbers: Vec<String>,
    pub(super) counts: EditCounts,
}

/// How many numbers were changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct EditCounts {
    added: usize,
    removed: usize,
    /// Numbers to add that the group had already.
    present: usize,
}

impl EditCounts {
    /// The counts in the query of a page after a redirect.
    pub(super) fn from_query(query: &FormData) -> Self {
        let [added, removed, present] = COUNT_PARAMETERS.map(|name| query_count(query, name));
        Self {
            added,
            removed,
            present,
        }
    }

    /// The counts as the end of a query.
    pub(super) fn to_query(self) -> String {
        let counts = [self.added, self.removed, self.present];
        let counted = COUNT_PARAMETERS.iter().zip(counts);
        let counted = counted.filter(|(_, count)| *count > 0);
        let counted = counted.map(|(name, count)| format!("&{name}={count}"));
        counted.collect::<Vec<_>>().concat()
    }

    /// The counts as a sentence; empty without changes.
    pub(super) fn describe(self) -> String {
        let parts = [
            (self.added, "added"),
            (self.removed, "removed"),
            (self.present, "already there"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, what)| format!("{} {what}", format_total(*count)))
            .collect();
        if parts.is_empty() {
            return String::new();
        }
        format!(" Numbers: {}.", parts.join(", "))
    }
}

/// Applies the changes. Numbers that the group has already are not added again.
///
/// # Errors
/// A message about an entry that is not valid, or about a number that cannot be removed.
pub(super) fn apply(
    mut numbers: Vec<String>,
    added: &str,
    removed: &str,
) -> Result<EditedNumbers, String> {
    let mut existing: HashSet<String> = numbers.iter().cloned().collect();
    let removed = parse(removed, &existing)?;
    let added = parse(added, &existing)?;
    if let Some(unknown) = removed.iter().find(|number| !existing.contains(*number)) {
        return Err(format!(
            "{:?} cannot be removed: it is not one of the numbers; expected a number as it is listed",
            quote(unknown)
        ));
    }
    let removed: HashSet<String> = removed.into_iter().collect();
    numbers.retain(|number| !removed.contains(number));
    existing.retain(|number| !removed.contains(number));
    let mut counts = EditCounts {
        removed: removed.len(),
        ..EditCounts::default()
    };
    for number in added {
        if existing.insert(number.clone()) {
            counts.added += 1;
            numbers.push(number);
        } else {
            counts.present += 1;
        }
    }
    Ok(EditedNumbers { numbers, counts })
}

/// The entries of `removed` that are still among `after`, as a text, and how many are not. The entries are valid for the
/// numbers `before`; `None` if all of them are among `after` too.
pub(super) fn remaining_removals(
    removed: &str,
    before: &[String],
    after: &[String],
) -> Option<(String, usize)> {
    let [before, after] = [before, after].map(|numbers| numbers.iter().cloned().collect());
    let removed = parse(removed, &before).ok()?;
    let is_left = |number: &String| HashSet::contains(&after, number);
    let (left, gone): (Vec<_>, Vec<_>) = removed.into_iter().partition(is_left);
    Some((left.join("\n"), gone.len())).filter(|_| !gone.is_empty())
}

/// The numbers in a text: separated by line breaks, commas or semicolons. An entry is one of the `existing` numbers, a
/// range, or a phone number.
fn parse(text: &str, existing: &HashSet<String>) -> Result<Vec<String>, String> {
    let mut numbers = Vec::new();
    let entries = text.split(['\n', '\r', ',', ';']).map(str::trim);
    for entry in entries.filter(|entry| !entry.is_empty()) {
        match range_ends(entry) {
            _ if existing.contains(entry) => numbers.push(entry.to_owned()),
            Some((first, last)) => add_range(&mut numbers, entry, first, last)?,
            None if is_phone_number(entry) => numbers.push(entry.to_owned()),
            None => {
                return Err(format!(
                    "{:?} is not a phone number; expected 3 to 18 digits, such as 8005550100 or \
                     +1 800 555 0100, and numbers separated by line breaks, commas or semicolons",
                    quote(entry)
                ));
            }
        }
        if numbers.len() > MAX_NUMBERS {
            return Err(format!("a field has more than {MAX_NUMBERS} numbers"));
        }
    }
    Ok(numbers)
}

/// Whether a text is a plausible phone number in a usual spelling, or a service code such as `*6`.
fn is_phone_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.starts_with(['*', '#']) {
        let is_code = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
        return (1..=*DIGITS.end()).contains(&digits) && text.bytes().all(is_code);
    }
    let number = text.trim_start_matches('(');
    let number = number.strip_prefix('+').unwrap_or(number);
    let is_separator = |char: char| matches!(char, '-' | '.' | '/');
    let is_allowed = |char: char| {
        char.is_ascii_digit() || is_separator(char) || matches!(char, ' ' | '\u{a0}' | '(' | ')')
    };
    // Adjacent separators, and a hyphen between blanks, are other notations of ranges.
    let visible = number.replace(['(', ')'], "");
    let is_range = visible.contains(" - ")
        || visible
            .chars()
            .zip(visible.chars().skip(1))
            .any(|(one, next)| is_separator(one) && is_separator(next));
    DIGITS.contains(&digits) && number.chars().all(is_allowed) && !is_range
}

/// The ends of a range, if the entry is one.
fn range_ends(entry: &str) -> Option<(&str, &str)> {
    let (first, last) = entry.split_once(['-', '–'])?;
    let (first, last) = (first.trim_end(), last.trim_start());
    let is_number = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    Some((first, last)).filter(|_| is_number(first) && is_number(last))
}

fn add_range(
    numbers: &mut Vec<String>,
    entry: &str,
    first: &str,
    last: &str,
) -> Result<(), String> {
    let quoted = quote(entry);
    let (sign, digits) = match first.strip_prefix('+') {
        Some(digits) => ("+", digits),
        None => ("", first),
    };
    if first.len() != last.len() || last.starts_with('+') == sign.is_empty() {
        return Err(format!(
            "the range {quoted:?} has ends of different lengths; expected such as 8005550100-8005550199, or a \
             number without the hyphen"
        ));
    }
    let last = last.trim_start_matches('+');
    let (Ok(start), Ok(end)) = (digits.parse::<u64>(), last.parse::<u64>()) else {
        return Err(format!(
            "the range {quoted:?} is not valid; expected at most 19 digits"
        ));
    };
    let Some(distance) = end.checked_sub(start) else {
        return Err(format!("the range {quoted:?} ends before it begins"));
    };
    if distance >= MAX_RANGE {
        let count = u128::from(distance) + 1;
        return Err(format!(
            "the range {quoted:?} has {count} numbers, the maximum is {MAX_RANGE}"
        ));
    }
    let width = digits.len();
    numbers.extend((start..=end).map(|number| format!("{sign}{number:0width$}")));
    Ok(())
}

fn quote(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(added: &str, removed: &str) -> Result<Vec<String>, String> {
        let numbers = ["8005550100", "555 01", "007", "abc"];
        let edited = apply(numbers.map(str::to_owned).to_vec(), added, removed)?;
        Ok(edited.numbers)
    }

    #[test]
    fn lists_and_ranges_are_added_and_removed() {
        let expected = [
            "8005550100",
            "555 01",
            "007",
            "abc",
            "+098",
            "+099",
            "+100",
            "+1 800 555 0303",
            "(800) 555-0301",
            "030 1234-5678",
            "*6",
            "800-555-0101",
        ];
        let added = "+098 - +100, +1 800 555 0303;\n(800) 555-0301,030 1234-5678\r\n*6;800-555-0101\n007\nabc";
        assert_eq!(edit(added, "").unwrap(), expected);
        let removed = "007;8005550100-8005550100,abc";
        assert_eq!(edit("", removed).unwrap(), ["555 01"]);
        let again = edit("007", "007,555 01").unwrap();
        assert_eq!(again, ["8005550100", "abc", "007"]);
    }

    #[test]
    fn changes_are_counted() {
        let numbers = vec!["8005550100".to_owned(), "8005550101".to_owned()];
        let edited = apply(numbers, "8005550101-8005550104", "8005550100").unwrap();
        let EditedNumbers { counts, .. } = edited;
        assert_eq!(counts.to_query(), "&added=3&removed=1&present=1");
        let text = " Numbers: 3 added, 1 removed, 1 already there.";
        assert_eq!(counts.describe(), text);
        assert_eq!(EditCounts::default().describe(), "");
    }

    #[test]
    fn numbers_that_are_removed_already_are_not_removed_again() {
        let before = ["1000", "1001", "1002", "10-20", "abc"].map(str::to_owned);
        let removed = "1000-1002, 10-20\nabc";
        let remaining = |after: &[&str]| {
            let after: Vec<String> = after.iter().map(|number| (*number).to_owned()).collect();
            remaining_removals(removed, &before, &after)
        };
        let all = ["1000", "1001", "1002", "10-20", "abc"];
        assert_eq!(remaining(&all), None);
        let some = ("1000\n10-20".to_owned(), 3);
        assert_eq!(remaining(&["1000", "10-20", "5"]), Some(some));
        assert_eq!(remaining(&["5"]), Some((String::new(), 5)));
    }

    #[test]
    fn invalid_entries_are_named() {
        for (added, removed, part) in [
            ("1-20000", "", "\"1-20000\" has ends of different lengths"),
            ("00001-10001", "", "has 10001 numbers, the maximum is 10000"),
            ("5-4", "", "\"5-4\" ends before it begins"),
            ("+1-22", "", "different lengths"),
            ("1-99999999999999999999", "", "different lengths"),
            (
                "00000000000000000001-99999999999999999999",
                "",
                "at most 19 digits",
            ),
            ("", "006-007", "\"006\" cannot be removed"),
            ("+1", "", "\"+1\" is not a phone number"),
            ("8005550001, abcd", "", "\"abcd\" is not a phone number"),
            ("<script>", "", "\"<script>\" is not a phone number"),
            ("8005550001 8005550002", "", "is not a phone number"),
            ("8005550001\t8005550002", "", "is not a phone number"),
            ("555001..555009", "", "is not a phone number"),
            ("555 001 - 555 009", "", "is not a phone number"),
            ("555+001", "", "is not a phone number"),
        ] {
            let error = edit(added, removed).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let ranges = "0000-9999,".repeat(6);
        assert!(edit(&ranges, "").unwrap_err().contains("more than 50000"));
        assert_eq!(edit("00000-09999", "").unwrap().len(), 10_004);
    }
}
