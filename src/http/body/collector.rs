//! Pairs as they come in, under their limits.

use std::fmt;

use crate::{
    http::{ApiError, AppState},
    memory_budget::Reservation,
    service::{FieldValue, FormData},
    settings::Limits,
};

/// Takes pairs of one source in, in place of those of the source before.
pub(super) struct FieldCollector<'a> {
    pub(super) limits: &'a Limits,
    /// What its strings take.
    pub(super) memory: Reservation,
    form_data: FormData,
    field_count: usize,
    string_bytes: usize,
}

impl<'a> FieldCollector<'a> {
    pub(super) fn new(api: &'a AppState, before: FormData) -> Self {
        Self {
            limits: &api.limits,
            memory: api.services.memory().requests.reservation(),
            form_data: before,
            field_count: 0,
            string_bytes: 0,
        }
    }

    /// The pairs, and the memory that they take.
    pub(super) fn finish(self) -> (FormData, Reservation) {
        (self.form_data, self.memory)
    }

    /// Makes room for one more pair.
    pub(super) fn count_field(&mut self) -> Result<(), ApiError> {
        self.field_count += 1;
        if self.field_count > self.limits.fields {
            return Err(too_large(
                "more pairs than",
                self.limits.fields,
                "",
                "pairs",
            ));
        }
        Ok(())
    }

    /// Counts bytes of strings that are read one by one: all of them together have the limit of a form.
    pub(super) fn count_string_bytes(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.string_bytes += bytes;
        let limit = self.limits.form_bytes;
        if self.string_bytes > limit {
            return Err(too_large(
                "the strings of the body together are over",
                limit,
                " bytes",
                "form_bytes",
            ));
        }
        Ok(())
    }

    /// Checks the length of a string under `name`, in bytes.
    pub(super) fn check_string_length(
        &self,
        name: impl fmt::Debug,
        bytes: usize,
    ) -> Result<(), ApiError> {
        let limit = self.limits.string_bytes;
        if bytes > limit {
            let what = format!("the value of {name:?} is over");
            return Err(too_large(&what, limit, " bytes", "string_bytes"));
        }
        Ok(())
    }

    /// Takes a string in.
    pub(super) fn add_text(&mut self, name: String, text: String) -> Result<(), ApiError> {
        self.count_field()?;
        self.check_string_length(name.as_str(), text.len())?;
        self.form_data.insert(name, FieldValue::Text(text));
        Ok(())
    }

    /// Takes in what [`FieldCollector::count`] has made room for.
    pub(super) fn add_counted(&mut self, name: String, entry: FieldValue) {
        self.form_data.insert(name, entry);
    }
}

/// The error that names a limit and its value.
pub(super) fn too_large(what: &str, limit: usize, unit: &str, setting: &str) -> ApiError {
    ApiError::TooLarge(format!("{what} {limit}{unit} (limits.{setting})"))
}
