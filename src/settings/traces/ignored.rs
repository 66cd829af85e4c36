//! Variables with unsupported values.

use std::fmt;

/// An ignored variable, with the value that is used instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredVariable {
    /// The name of the variable.
    pub variable: &'static str,
    /// The value; `None` if it may be secret.
    pub value: Option<String>,
    /// The reason, and the value that is used instead.
    pub reason: &'static str,
}

impl fmt::Display for IgnoredVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.variable)?;
        if let Some(value) = &self.value {
            write!(f, "={value:?}")?;
        }
        write!(f, ": {}", self.reason)
    }
}
