//! Pairs as they come in, under their limits.

use std::fmt;

use crate::{
    http::{Api, ApiError},
    memory_budget::Reservation,
    service::{Entry, Pairs},
    settings::Limits,
};

/// Takes pairs of one source in, in place of those of the source before.
pub(super) struct Intake<'a> {
    pub(super) limits: &'a Limits,
    /// What its strings take.
    pub(super) memory: Reservation,
    pairs: Pairs,
    taken: usize,
    string_bytes: usize,
}

impl<'a> Intake<'a> {
    pub(super) fn new(api: &'a Api, before: Pairs) -> Self {
        Self {
            limits: &api.limits,
            memory: api.services.memory().requests.reservation(),
            pairs: before,
            taken: 0,
            string_bytes: 0,
        }
    }

    /// The pairs, and the memory that they take.
    pub(super) fn finish(self) -> (Pairs, Reservation) {
        (self.pairs, self.memory)
    }

    /// Makes room for one more pair.
    pub(super) fn count(&mut self) -> Result<(), ApiError> {
        self.taken += 1;
        if self.taken > self.limits.pairs {
            return Err(too_large("more pairs than", self.limits.pairs, "", "pairs"));
        }
        Ok(())
    }

    /// Counts bytes of strings that are read one by one: all of them together have the limit of a form.
    pub(super) fn count_string(&mut self, bytes: usize) -> Result<(), ApiError> {
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
    pub(super) fn check_text(&self, name: impl fmt::Debug, bytes: usize) -> Result<(), ApiError> {
        let limit = self.limits.string_bytes;
        if bytes > limit {
            let what = format!("the value of {name:?} is over");
            return Err(too_large(&what, limit, " bytes", "string_bytes"));
        }
        Ok(())
    }

    /// Takes a string in.
    pub(super) fn text(&mut self, name: String, text: String) -> Result<(), ApiError> {
        self.count()?;
        self.check_text(name.as_str(), text.len())?;
        self.pairs.insert(name, Entry::Text(text));
        Ok(())
    }

    /// Takes in what [`Intake::count`] has made room for.
    pub(super) fn counted(&mut self, name: String, entry: Entry) {
        self.pairs.insert(name, entry);
    }
}

/// The error that names a limit and its value.
pub(super) fn too_large(what: &str, limit: usize, unit: &str, setting: &str) -> ApiError {
    ApiError::TooLarge(format!("{what} {limit}{unit} (limits.{setting})"))
}
