//! The position of a page of a list, and the links to other pages.

use crate::http::admin_ui::format;

/// The links between the pages of a list.
#[derive(Default)]
pub(in crate::http::admin_ui) struct Pager {
    /// The position of the page, such as `41-80 of 300`; empty if the list is empty.
    pub(in crate::http::admin_ui) range: String,
    pub(in crate::http::admin_ui) first: Option<String>,
    pub(in crate::http::admin_ui) previous: Option<String>,
    pub(in crate::http::admin_ui) next: Option<String>,
    /// Whether the page is of a search that stopped before it had read all entries; the next page continues it.
    pub(in crate::http::admin_ui) is_interrupted: bool,
    /// The page sizes: URL, and whether it is the current one.
    pub(in crate::http::admin_ui) sizes: Vec<(usize, String, bool)>,
}

/// A number of entries with separators.
pub(in crate::http::admin_ui) fn format_total(total: usize) -> String {
    format::format_count(total as u64)
}

/// The position of `count` entries after `offset` others.
pub(super) fn range_text(offset: usize, count: usize, total: Option<&str>) -> String {
    if count == 0 {
        return String::new();
    }
    let numbers = format!(
        "{}-{}",
        format_total(offset + 1),
        format_total(offset + count)
    );
    match total {
        Some(total) => format!("{numbers} of {total}"),
        None => numbers,
    }
}
