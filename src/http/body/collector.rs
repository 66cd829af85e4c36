//! Collects the fields of a request within the limits.

use std::fmt;

use crate::{
    http::{ApiError, AppState},
    memory_budget::Reservation,
    service::{FieldValue, FormData},
    settings::Limits,
};

/// Collects the fields of one source (query string or body). They replace fields of the previous source.
pub(super) struct FieldCollector<'a> {
    pub(super) limits: &'a Limits,
    /// The memory of the strings.
    pub(super) memory: Reservation,
    form_data: FormData,
    field_count: usize,
    string_bytes: usize,
}

impl<'a> FieldCollector<'a> {
    pub(super) fn new(state: &'a AppState, previous: FormData) -> Self {
        Self {
            limits: &state.limits,
            memory: state.services.memory().requests.reservation(),
            form_data: previous,
            field_count: 0,
            string_bytes: 0,
        }
    }

    /// The fields, and the reservation of their memory.
    pub(super) fn finish(self) -> (FormData, Reservation) {
        (self.form_data, self.memory)
    }

    /// Counts one more field.
    pub(super) fn count_field(&mut self) -> Result<(), ApiError> {
        self.field_count += 1;
        if self.field_count > self.limits.fields {
            return Err(too_large(
                "the number of fields is over",
                self.limits.fields,
                "",
                "fields",
            ));
        }
        Ok(())
    }

    /// Counts bytes of strings that are read one by one. In total they have the limit of a form.
    pub(super) fn count_string_bytes(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.string_bytes += bytes;
        let limit = self.limits.form_bytes;
        if self.string_bytes > limit {
            return Err(too_large(
                "the total size of the strings is over",
                limit,
                " bytes",
                "form_bytes",
            ));
        }
        Ok(())
    }

    /// Checks the length of the value of `name`, in bytes.
    pub(super) fn check_string_length(
        &self,
        name: impl fmt::Debug,
        bytes: usize,
    ) -> Result<(), ApiError> {
        let limit = self.limits.string_bytes;
        if bytes > limit {
            let description = format!("the value of {name:?} is over");
            return Err(too_large(&description, limit, " bytes", "string_bytes"));
        }
        Ok(())
    }

    /// Adds a string.
    pub(super) fn add_text(&mut self, name: String, text: String) -> Result<(), ApiError> {
        self.count_field()?;
        self.check_string_length(name.as_str(), text.len())?;
        self.form_data.insert(name, FieldValue::Text(text));
        Ok(())
    }

    /// Adds a field that [`FieldCollector::count_field`] has counted.
    pub(super) fn add_counted(&mut self, name: String, value: FieldValue) {
        self.form_data.insert(name, value);
    }
}

/// The error of an exceeded limit, with its setting and value.
pub(super) fn too_large(description: &str, limit: usize, unit: &str, setting: &str) -> ApiError {
    ApiError::TooLarge(format!("{description} {limit}{unit} (limits.{setting})"))
}
