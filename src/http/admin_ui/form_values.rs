//! What is filled in on the page of an entry, whether it makes an entry or not.

use std::collections::BTreeSet;

use super::form::Form;
use crate::service::{OptionValue, Options};

/// Before the name of an option: its field.
pub(super) const OPTION_PREFIX: &str = "option:";
/// Fields of options that have none of their own.
pub(super) const OTHER_FIELDS: [&str; 2] = ["other_name", "other_value"];
/// Characters of a value that has no name, to be known by.
const MAX_QUOTED_CHARS: usize = 40;

/// Options as they stand in fields of their own, and in rows with a field for the name. What was typed is
/// all there, so that a form that cannot be saved is shown again as it was.
#[derive(Clone, Default)]
pub(super) struct FormValues {
    pub(super) fields: Vec<(String, OptionValue)>,
    pub(super) rows: Vec<(String, String)>,
}

impl From<Options> for FormValues {
    fn from(options: Options) -> Self {
        Self {
            fields: options.into_iter().collect(),
            rows: Vec::new(),
        }
    }
}

impl FormValues {
    /// What a form says. Blanks around names and numbers go, but for those that stood `before`: saved
    /// without being changed, an entry is what it was.
    pub(super) fn from_form(form: &Form, before: &Options) -> Self {
        let mut filled = Self::default();
        let numbers = match before.get("numbers") {
            Some(OptionValue::List(numbers)) => numbers.iter().map(String::as_str).collect(),
            _ => BTreeSet::new(),
        };
        for (field, text) in form.fields() {
            let Some(option) = field.strip_prefix(OPTION_PREFIX) else {
                continue;
            };
            let value = if option == "numbers" {
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
            filled.fields.push((option.to_owned(), value));
        }
        let [names, values] =
            OTHER_FIELDS.map(|other| form.fields().filter(move |(name, _)| *name == other));
        let rows = names.zip(values);
        let rows =
            rows.map(|((_, name), (_, value))| (option_name(name, before), value.to_owned()));
        filled.rows = rows
            .filter(|(name, value)| !name.is_empty() || !value.is_empty())
            .collect();
        filled
    }

    /// The options that it says; an empty field says none.
    ///
    /// # Errors
    /// In words, for a value without a name, and for a name that is there twice.
    pub(super) fn options(&self) -> Result<Options, String> {
        let fields = self.fields.iter();
        let fields = fields.filter(|(_, value)| value.text() != Some(""));
        let mut options = Options::new();
        for (name, value) in fields.cloned().chain(self.row_options()) {
            if name.is_empty() {
                let told: String = value
                    .text()
                    .unwrap_or_default()
                    .chars()
                    .take(MAX_QUOTED_CHARS)
                    .collect();
                return Err(format!("the option with the value {told:?} has no name"));
            }
            if options.insert(name.clone(), value).is_some() {
                return Err(format!(
                    "option {name}: is there twice; leave one of the two"
                ));
            }
        }
        Ok(options)
    }

    /// The same for who only looks: of a name that is there twice, the first one.
    pub(super) fn first_values(&self) -> Options {
        let rows = self.row_options().rev();
        rows.chain(self.fields.iter().rev().cloned()).collect()
    }

    /// The options that stand in rows.
    fn row_options(&self) -> impl DoubleEndedIterator<Item = (String, OptionValue)> {
        let rows = self.rows.iter();
        rows.map(|(name, value)| (name.clone(), OptionValue::Text(value.clone())))
    }
}

/// The name that a row says: of an option that there is, as it is.
fn option_name(typed: &str, before: &Options) -> String {
    let known = before.contains_key(typed);
    let name = if known { typed } else { typed.trim() };
    name.to_owned()
}
