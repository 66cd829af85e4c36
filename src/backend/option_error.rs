//! Errors in options of definitions.

/// An invalid option of a definition.
#[derive(Debug)]
pub(crate) struct OptionError {
    pub(crate) option: String,
    pub(crate) problem: String,
}

impl OptionError {
    pub(super) fn new(option: &str, problem: String) -> Self {
        let option = option.to_owned();
        Self { option, problem }
    }
}
