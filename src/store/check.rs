//! What is checked of a store, as an operator sees it.

use std::fmt;

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// The server is as it must be.
    Pass,
    /// It is not.
    Fail,
    /// The server does not permit the question.
    Unknown,
}

impl CheckResult {
    /// `true` or `false` for a definite result.
    #[must_use]
    pub fn passed(self) -> Option<bool> {
        match self {
            Self::Pass => Some(true),
            Self::Fail => Some(false),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Unknown => "unknown",
        })
    }
}

/// One check of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// The server's address.
    pub server: String,
    /// Name of the check.
    pub check: &'static str,
    /// Its result.
    pub result: CheckResult,
    /// What was seen.
    pub detail: String,
    /// What to do if it fails.
    pub action: &'static str,
    /// Whether no requests can be served while it fails.
    pub is_blocking: bool,
}

/// All checks of all servers of a store.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// One row for each check and server.
    pub rows: Vec<CheckRow>,
}

impl StoreReport {
    /// Whether no check failed. One whose question is not permitted is no failure.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let failed = |row: &CheckRow| row.result == CheckResult::Fail;
        !self.rows.iter().any(failed)
    }
}

impl fmt::Display for StoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&CheckRow) -> usize| self.rows.iter().map(of).max().unwrap_or(0);
        let server = width(|row| row.server.len()).max("SERVER".len());
        let check = width(|row| row.check.len()).max("CHECK".len());
        writeln!(f, "{:server$}  {:check$}  RESULT   SEEN", "SERVER", "CHECK")?;
        for row in &self.rows {
            let (name, result, seen) = (row.check, row.result, &row.detail);
            writeln!(
                f,
                "{:server$}  {name:check$}  {result:7}  {seen}",
                row.server
            )?;
            if row.result == CheckResult::Fail {
                writeln!(
                    f,
                    "{:server$}  {:check$}  {:7}  -> {}",
                    "", "", "", row.action
                )?;
            }
        }
        let count = |result| self.rows.iter().filter(|row| row.result == result).count();
        write!(
            f,
            "{} passed, {} failed, {} unknown",
            count(CheckResult::Pass),
            count(CheckResult::Fail),
            count(CheckResult::Unknown)
        )
    }
}
