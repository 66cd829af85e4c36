//! Reports of store checks, as operators see them.

use std::fmt;

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// The server meets the requirement.
    Pass,
    /// The server does not meet the requirement.
    Fail,
    /// The server does not permit the command that the check needs.
    Unknown,
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
    /// The address of the server.
    pub server: String,
    /// The name of the check.
    pub check: &'static str,
    /// The result.
    pub result: CheckResult,
    /// The observed value.
    pub detail: String,
    /// The action to take if it fails.
    pub action: &'static str,
    /// Whether the failure prevents the server from serving requests.
    pub is_blocking: bool,
}

/// All checks of all servers.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// One row per check and server.
    pub rows: Vec<CheckRow>,
}

impl StoreReport {
    /// Whether no check failed. An unknown result is not a failure.
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
        writeln!(
            f,
            "{:server$}  {:check$}  RESULT   DETAIL",
            "SERVER", "CHECK"
        )?;
        for row in &self.rows {
            let (name, result, detail) = (row.check, row.result, &row.detail);
            writeln!(
                f,
                "{:server$}  {name:check$}  {result:7}  {detail}",
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
