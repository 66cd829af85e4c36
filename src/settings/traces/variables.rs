//! Reads variables and records the ignored ones.

use super::{Environment, IgnoredVariable};

/// Maximum length of a value in a warning.
const MAX_WARNING_VALUE_CHARS: usize = 80;

pub(super) struct Variables<'a> {
    pub(super) environment: &'a Environment,
    pub(super) ignored: Vec<IgnoredVariable>,
}

/// The name of a variable and its value, which is not empty.
pub(super) type Variable<'a> = (&'static str, &'a str);

impl<'a> Variables<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            ignored: Vec::new(),
        }
    }

    /// A variable; a blank one counts as unset.
    pub(super) fn get(&self, name: &'static str) -> Option<Variable<'a>> {
        let value = self.environment.get(name)?.trim();
        (!value.is_empty()).then_some((name, value))
    }

    pub(super) fn first_set(&self, names: [&'static str; 2]) -> Option<Variable<'a>> {
        names.into_iter().find_map(|name| self.get(name))
    }

    /// The value of a variable as the SDK reads it; `None` if it is blank.
    pub(super) fn get_unchanged(&self, name: &'static str) -> Option<Variable<'a>> {
        let value = self.environment.get_unchanged(name)?;
        (!value.trim().is_empty()).then_some((name, value))
    }

    pub(super) fn ignore(&mut self, (variable, value): Variable<'_>, reason: &'static str) {
        self.ignored.push(IgnoredVariable {
            variable,
            value: Some(value.chars().take(MAX_WARNING_VALUE_CHARS).collect()),
            reason,
        });
    }

    pub(super) fn ignore_secret(&mut self, variable: &'static str, reason: &'static str) {
        self.ignored.push(IgnoredVariable {
            variable,
            value: None,
            reason,
        });
    }
}
