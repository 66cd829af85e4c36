//! The response of an import of the catalog.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Type},
};

use crate::{
    model::{EntryName, Table},
    service::ImportReport,
};

/// Result of an import
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportReport)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ImportResponse {
    /// The new version of the catalog, as in the `ETag`
    version: String,
    /// Created entries
    created: usize,
    /// Changed entries
    replaced: usize,
    /// Deleted entries
    deleted: usize,
    /// Unchanged entries, including those of the catalog file
    unchanged: usize,
    /// The first 100 probably misspelled options, each with a suggestion; absent if there are none
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Only for a dry run: the changes that the import would make, deletions first
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changes: Option<Vec<EntryChange>>,
}

/// A change of an entry by an import
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EntryChange {
    #[schema(schema_with = table_schema)]
    table: &'static str,
    name: String,
    action: EntryAction,
    /// The options that differ, if the entry is replaced
    options: Vec<OptionChange>,
}

fn table_schema() -> ObjectBuilder {
    let tables = [Table::Services, Table::Resources].map(Table::name);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(tables))
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EntryAction {
    Delete,
    Replace,
    Create,
}

/// A change of an option by an import. Secrets are masked
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OptionChange {
    option: String,
    /// Null if the entry does not have the option; a list is joined by `, `
    #[schema(required)]
    before: Option<String>,
    /// Null if the entry does not have the option; a list is joined by `, `
    #[schema(required)]
    after: Option<String>,
}

/// The changes of an import, deletions first.
fn changes(report: &ImportReport) -> Vec<EntryChange> {
    let mut options: BTreeMap<&EntryName, Vec<OptionChange>> = BTreeMap::new();
    for difference in &report.differences {
        let change = OptionChange {
            option: difference.option.clone(),
            before: difference.before.clone(),
            after: difference.after.clone(),
        };
        options.entry(&difference.entry).or_default().push(change);
    }
    let actions = [
        (EntryAction::Delete, &report.deleted),
        (EntryAction::Replace, &report.replaced),
        (EntryAction::Create, &report.created),
    ];
    let entries = actions
        .into_iter()
        .flat_map(|(action, entries)| entries.iter().map(move |entry| (action, entry)));
    let changes = entries.map(|(action, entry)| EntryChange {
        table: entry.0.name(),
        name: entry.1.clone(),
        action,
        options: options.remove(entry).unwrap_or_default(),
    });
    changes.collect()
}

impl From<ImportReport> for ImportResponse {
    fn from(report: ImportReport) -> Self {
        Self {
            version: report.version,
            created: report.created.len(),
            replaced: report.replaced.len(),
            deleted: report.deleted.len(),
            unchanged: report.unchanged,
            warnings: report.warnings,
            changes: None,
        }
    }
}

impl ImportResponse {
    /// The response of a dry run.
    pub(super) fn with_changes(report: ImportReport) -> Self {
        Self {
            changes: Some(changes(&report)),
            ..report.into()
        }
    }
}
