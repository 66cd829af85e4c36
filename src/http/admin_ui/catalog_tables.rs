//! Paths and titles of the two tables of the catalog.

use crate::model::Table;

/// The path segment of a table.
pub(super) fn table_path(table: Table) -> &'static str {
    match table {
        Table::Services => "services",
        Table::Resources => "groups",
    }
}

/// The section of the menu.
pub(super) fn menu_section(table: Table) -> &'static str {
    table_path(table)
}

/// The title of the list.
pub(super) fn list_title(table: Table) -> &'static str {
    match table {
        Table::Services => "Service definitions",
        Table::Resources => "Resource groups",
    }
}

/// The title of the page of a new entry.
pub(super) fn new_entry_title(table: Table) -> &'static str {
    match table {
        Table::Services => "New service definition",
        Table::Resources => "New resource group",
    }
}
