//! Numbers that are added to a resource group and removed from it: pasted lists and ranges.

use std::collections::HashSet;

/// Maximum number of numbers in a range.
const MAX_RANGE: u64 = 10_000;
/// Maximum number of numbers in a field.
const MAX_NUMBERS: usize = 50_000;
/// Characters of an entry that an error message quotes.
const MAX_QUOTED_CHARS: usize = 40;

/// The numbers after the changes. Numbers that the group has already are not added again.
///
/// # Errors
/// A message about an entry that is not valid, or about a number that cannot be removed.
pub(super) fn apply(
    mut numbers: Vec<String>,
    added: &str,
    removed: &str,
) -> Result<Vec<String>, String> {
    let removed = parse(removed)?;
    let existing: HashSet<&str> = numbers.iter().map(String::as_str).collect();
    if let Some(unknown) = removed
        .iter()
        .find(|number| !existing.contains(number.as_str()))
    {
        return Err(format!(
            "{:?} cannot be removed: it is not one of the numbers; expected a number as it is listed",
            quote(unknown)
        ));
    }
    let removed: HashSet<String> = removed.into_iter().collect();
    numbers.retain(|number| !removed.contains(number));
    let mut existing: HashSet<String> = numbers.iter().cloned().collect();
    for number in parse(added)? {
        if existing.insert(number.clone()) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// The numbers in a text: separated by line breaks, white space, commas or semicolons. An entry of two numbers with a
/// hyphen between them is a range.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let entries = text.split(|char: char| char.is_whitespace() || matches!(char, ',' | ';'));
    let mut numbers = Vec::new();
    for entry in entries.filter(|entry| !entry.is_empty()) {
        match range_ends(entry) {
            Some((first, last)) => add_range(&mut numbers, entry, first, last)?,
            None => numbers.push(entry.to_owned()),
        }
        if numbers.len() > MAX_NUMBERS {
            return Err(format!("a field has more than {MAX_NUMBERS} numbers"));
        }
    }
    Ok(numbers)
}

/// The ends of a range, if the entry is one.
fn range_ends(entry: &str) -> Option<(&str, &str)> {
    let (first, last) = entry.split_once(['-', '–'])?;
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
            "the range {quoted:?} has ends of different lengths; expected such as 8005550100-8005550199"
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
        let numbers = ["8005550100", "555 01", "007"];
        apply(numbers.map(str::to_owned).to_vec(), added, removed)
    }

    #[test]
    fn lists_and_ranges_are_added_and_removed() {
        let expected = [
            "8005550100",
            "555 01",
            "007",
            "+098",
            "+099",
            "+100",
            "1",
            "800-555-0101",
        ];
        let added = edit("+098-+100, 1;\n 800-555-0101\t007", "").unwrap();
        assert_eq!(added, expected);
        assert_eq!(edit("", "007 8005550100-8005550100").unwrap(), ["555 01"]);
        assert_eq!(edit("007", "007").unwrap(), ["8005550100", "555 01", "007"]);
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
        ] {
            let error = edit(added, removed).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let ranges = "0000-9999 ".repeat(6);
        assert!(edit(&ranges, "").unwrap_err().contains("more than 50000"));
        assert_eq!(edit("00000-09999", "").unwrap().len(), 10_003);
    }
}
