//! Input of the form of a catalog entry, valid or not.

use std::collections::BTreeSet;

use super::{
    form::Form,
    form_fields::{
        ADDED_NUMBERS_FIELD, OMITTED_SECRET_FIELD, OPTION_PREFIX, OTHER_FIELDS,
        REMOVED_NUMBERS_FIELD, UNCOPIED_SECRET_FIELD,
    },
    number_edits::{self, EditCounts, EditedNumbers},
};
use crate::service::{AdminError, OptionValue, Options};

/// The option with the numbers of a group.
pub(super) const NUMBERS: &str = "numbers";
/// Characters of a value that an error message quotes.
const MAX_QUOTED_CHARS: usize = 40;

/// An error in the input.
pub(super) struct InputError {
    /// The invalid option, if it has a name.
    pub(super) option: Option<String>,
    pub(super) message: String,
}

/// Options from fields of their own, and from rows with a name field. Keeps the input as typed, so that a form with
/// errors is shown again unchanged.
#[derive(Clone, Default)]
pub(super) struct FormValues {
    pub(super) fields: Vec<(String, OptionValue)>,
    pub(super) rows: Vec<(String, String)>,
    /// The numbers to add to a group and to remove from it, as typed.
    pub(super) added_numbers: String,
    pub(super) removed_numbers: String,
    /// The secrets of the entry that this one is a copy of, and those of them that are not needed.
    pub(super) uncopied_secrets: Vec<String>,
    pub(super) omitted_secrets: Vec<String>,
}

impl From<Options> for FormValues {
    fn from(options: Options) -> Self {
        Self {
            fields: options.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl FormValues {
    /// Reads the options of a form. Trims names and numbers, except those that are in `before` with the same blanks: an
    /// entry that is saved without edits does not change.
    pub(super) fn from_form(form: &Form, before: &Options) -> Self {
        let mut values = Self {
            added_numbers: form.text(ADDED_NUMBERS_FIELD).to_owned(),
            removed_numbers: form.text(REMOVED_NUMBERS_FIELD).to_owned(),
            uncopied_secrets: form.texts(UNCOPIED_SECRET_FIELD),
            omitted_secrets: form.texts(OMITTED_SECRET_FIELD),
            ..Self::default()
        };
        let numbers: BTreeSet<&str> = numbers(before).iter().map(String::as_str).collect();
        for (field, text) in form.fields() {
            let Some(option) = field.strip_prefix(OPTION_PREFIX) else {
                continue;
            };
            let value = if option == NUMBERS {
                let lines = text.lines();
                let lines = lines.map(|line| {
                    if numbers.contains(line) {
                        line
                    } else {
                        line.trim()
                    }
                });
                let lines = lines.filter(|line| !line.is_empty());
                OptionValue::List(lines.map(str::to_owned).collect())
            } else {
                OptionValue::Text(text.to_owned())
            };
            values.fields.push((option.to_owned(), value));
        }
        let [row_names, row_values] =
            OTHER_FIELDS.map(|other| form.fields().filter(move |(name, _)| *name == other));
        let rows = row_names.zip(row_values);
        let rows =
            rows.map(|((_, name), (_, value))| (option_name(name, before), value.to_owned()));
        values.rows = rows
            .filter(|(name, value)| !name.is_empty() || !value.is_empty())
            .collect();
        values
    }

    /// The options, without empty fields, and how many numbers were changed.
    ///
    /// # Errors
    /// As [`FormValues::entered_options`]; an [`InputError`] for numbers that cannot be added or removed, or for the missing
    /// secret of a copy.
    pub(super) fn options(&self) -> Result<(Options, EditCounts), InputError> {
        let mut options = self.entered_options()?;
        self.check_secrets(&options)?;
        let counts = self.apply_number_edits(&mut options)?;
        Ok((options, counts))
    }

    /// The options, without empty fields and without the changes of numbers.
    ///
    /// # Errors
    /// An [`InputError`] for a value without a name, or for a duplicate name.
    pub(super) fn entered_options(&self) -> Result<Options, InputError> {
        let fields = self.fields.iter();
        let fields = fields.filter(|(_, value)| value.text() != Some(""));
        let mut options = Options::new();
        for (name, value) in fields.cloned().chain(self.row_options()) {
            if name.is_empty() {
                let quoted: String = value
                    .text()
                    .unwrap_or_default()
                    .chars()
                    .take(MAX_QUOTED_CHARS)
                    .collect();
                return Err(InputError {
                    option: None,
                    message: format!("the option with the value {quoted:?} has no name"),
                });
            }
            if options.insert(name.clone(), value).is_some() {
                return Err(InputError {
                    message: format!("option {name}: duplicate; remove one of the two"),
                    option: Some(name),
                });
            }
        }
        Ok(options)
    }

    /// Checks that a copy has the secrets of the original, except those that the operator omits: without its password, a
    /// service is open.
    fn check_secrets(&self, options: &Options) -> Result<(), InputError> {
        let is_missing = |secret: &&String| {
            let value = options.get(*secret).and_then(OptionValue::text);
            value.unwrap_or_default().is_empty() && !self.omitted_secrets.contains(secret)
        };
        let missing = self.uncopied_secrets.iter().find(is_missing);
        missing.map_or(Ok(()), |secret| {
            Err(InputError {
                option: Some(secret.clone()),
                message: format!(
                    "option {secret}: the secret was not copied; enter it, or select that the copy has none"
                ),
            })
        })
    }

    /// The form with other `options`, and how many of the numbers to remove these do not have any more. They are no longer
    /// to be removed.
    pub(super) fn with_options(self, options: &Options) -> (Self, usize) {
        let before = self.entered_options().unwrap_or_default();
        let (before, after) = (numbers(&before), numbers(options));
        let remaining = number_edits::remaining_removals(&self.removed_numbers, before, after);
        let (removed_numbers, gone) = remaining.unwrap_or((self.removed_numbers, 0));
        let values = Self {
            added_numbers: self.added_numbers,
            removed_numbers,
            ..options.clone().into()
        };
        (values, gone)
    }

    fn apply_number_edits(&self, options: &mut Options) -> Result<EditCounts, InputError> {
        if [&self.added_numbers, &self.removed_numbers]
            .iter()
            .all(|text| text.trim().is_empty())
        {
            return Ok(EditCounts::default());
        }
        let numbers = match options.remove(NUMBERS) {
            Some(OptionValue::List(numbers)) => numbers,
            _ => Vec::new(),
        };
        let edited = number_edits::apply(numbers, &self.added_numbers, &self.removed_numbers);
        let EditedNumbers { numbers, counts } = edited.map_err(|message| InputError {
            option: Some(NUMBERS.to_owned()),
            message: format!("numbers: {message}"),
        })?;
        options.insert(NUMBERS.to_owned(), OptionValue::List(numbers));
        Ok(counts)
    }

    /// Checks that a form can contain the numbers, so that the group can be edited again.
    ///
    /// # Errors
    /// [`AdminError::TooLarge`].
    pub(super) fn check_size(options: &Options, max_bytes: usize) -> Result<(), AdminError> {
        let bytes: usize = numbers(options).iter().map(|number| number.len() + 1).sum();
        if bytes <= max_bytes {
            return Ok(());
        }
        Err(AdminError::TooLarge(format!(
            "the numbers have {bytes} bytes, the maximum is {max_bytes} (limits.form_bytes)"
        )))
    }

    /// The options, with the first value of a duplicate name.
    pub(super) fn first_values(&self) -> Options {
        let rows = self.row_options().rev();
        rows.chain(self.fields.iter().rev().cloned()).collect()
    }

    /// The options in rows.
    fn row_options(&self) -> impl DoubleEndedIterator<Item = (String, OptionValue)> {
        let rows = self.rows.iter();
        rows.map(|(name, value)| (name.clone(), OptionValue::Text(value.clone())))
    }
}

/// The name in a row: unchanged if `before` has it, otherwise trimmed.
fn option_name(typed: &str, before: &Options) -> String {
    let exists = before.contains_key(typed);
    let name = if exists { typed } else { typed.trim() };
    name.to_owned()
}

/// The numbers of a group; empty without the option.
fn numbers(options: &Options) -> &[String] {
    match options.get(NUMBERS) {
        Some(OptionValue::List(numbers)) => numbers,
        _ => &[],
    }
}
