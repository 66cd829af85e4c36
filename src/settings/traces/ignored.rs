//! Variables that ask for what cannot be done.

use std::fmt;

/// A variable that is not followed, and what counts in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredVariable {
    /// Its name.
    pub variable: &'static str,
    /// Its value; absent where that may be secret.
    pub value: Option<String>,
    /// Why it is not followed, and what is used.
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
