//! Search, filters, sorting and page size of lists. All of them are query parameters, so a view can be bookmarked and
//! shared. The templates render them with the macros in `list_macros.html`.

use super::percent_encode;
use crate::{
    http::{ApiError, admin_api},
    service::{FieldValue, FormData, MAX_SELECTED, parse_integer},
};

pub(super) use self::pager::{Pager, format_total};

use self::pager::range_text;

mod pager;

/// The page sizes that pages offer. URLs can have others, up to [`MAX_SELECTED`]: all rows of a page can be selected.
const PAGE_SIZES: [usize; 3] = [25, 50, 100];
/// Maximum length of a filter in bytes.
const MAX_FILTER_BYTES: usize = 256;
/// Maximum number of entries before the page, as the URL counts them.
const MAX_OFFSET: u64 = 1_000_000_000;

/// A list: its path, and the names that its URLs contain.
pub(super) struct ListSpec {
    /// Empty for a list that is part of several pages.
    pub(super) path: &'static str,
    pub(super) filters: &'static [&'static str],
    /// The columns by which the list can be sorted, the default one first.
    pub(super) columns: &'static [&'static str],
    /// Whether the default order is descending.
    pub(super) is_descending: bool,
}

/// The state of a list, from the query of a request.
pub(super) struct ListQuery {
    spec: &'static ListSpec,
    /// The path of the list.
    path: String,
    /// The filters that are set, without surrounding white space.
    filters: Vec<(&'static str, String)>,
    column: &'static str,
    is_descending: bool,
    /// The page size.
    pub(super) limit: usize,
    /// The number of entries before the page. Approximate in lists with cursors.
    pub(super) offset: usize,
    /// Whether the page begins at a cursor.
    has_cursor: bool,
}

impl ListQuery {
    /// # Errors
    /// [`ApiError::InvalidParameter`] for a page size, a column, a position or a filter that is not allowed.
    pub(super) fn parse(spec: &'static ListSpec, query: &FormData) -> Result<Self, ApiError> {
        Self::parse_at(spec.path.to_owned(), spec, query)
    }

    /// Like [`parse`](Self::parse), for a list that is part of the page of `path`.
    pub(super) fn parse_at(
        path: String,
        spec: &'static ListSpec,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for name in spec.filters {
            let text = query.text(name).unwrap_or_default().trim();
            if text.len() > MAX_FILTER_BYTES {
                let bytes = text.len();
                return Err(ApiError::InvalidParameter(format!(
                    "{name} has {bytes} bytes, the maximum is {MAX_FILTER_BYTES}"
                )));
            }
            if !text.is_empty() {
                filters.push((*name, text.to_owned()));
            }
        }
        let (column, is_descending) = parse_sort(spec, query)?;
        Ok(Self {
            spec,
            path,
            filters,
            column,
            is_descending,
            limit: admin_api::page_size_up_to(query, MAX_SELECTED)?,
            offset: parse_offset(query)?,
            has_cursor: query.text("after").is_some(),
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The text of a filter; empty if it is not set.
    pub(super) fn filter(&self, name: &str) -> &str {
        let mut named = self.filters.iter().filter(|(known, _)| *known == name);
        named.next().map_or("", |(_, text)| text)
    }

    /// Whether a filter has this text.
    pub(super) fn has(&self, name: &str, text: &str) -> bool {
        self.filter(name) == text
    }

    pub(super) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The query without filters that are not set: forms submit them as empty fields.
    pub(super) fn without_empty_filters(&self, query: &FormData) -> FormData {
        let mut fields = FormData::default();
        let others = ["sort", "limit", "after"].map(|name| (name, query.text(name)));
        let others = others
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?.to_owned())));
        for (name, text) in self.filters.iter().cloned().chain(others) {
            fields.insert(name.to_owned(), FieldValue::Text(text));
        }
        fields
    }

    /// The text of the filter `name`, if no other one is set.
    pub(super) fn only_filter(&self, name: &str) -> Option<&str> {
        match self.filters.as_slice() {
            [(only, text)] if *only == name => Some(text),
            _ => None,
        }
    }

    /// The column by which the list is sorted, and whether in descending order.
    pub(super) fn order(&self) -> (&'static str, bool) {
        (self.column, self.is_descending)
    }

    /// The parameters of the order and the page size, unless they have their defaults: the hidden fields of the search.
    pub(super) fn hidden(&self) -> Vec<(&'static str, String)> {
        self.order_and_size(self.column, self.is_descending, self.limit)
    }

    fn order_and_size(
        &self,
        column: &str,
        is_descending: bool,
        limit: usize,
    ) -> Vec<(&'static str, String)> {
        let default = (self.spec.columns[0], self.spec.is_descending);
        let sort = format!("{}{column}", if is_descending { "-" } else { "" });
        let sort = Some(("sort", sort)).filter(|_| (column, is_descending) != default);
        let limit_text = ("limit", limit.to_string());
        let limit = Some(limit_text).filter(|_| limit != admin_api::PAGE_LIMITS.0);
        sort.into_iter().chain(limit).collect()
    }

    /// A URL of the list with the current filters and these parameters.
    fn url(&self, others: Vec<(&'static str, String)>) -> String {
        let filters = self.filters.iter().cloned().chain(others);
        let pairs: Vec<String> = filters
            .map(|(name, text)| format!("{name}={}", percent_encode(&text)))
            .collect();
        match pairs.as_slice() {
            [] => self.path.clone(),
            pairs => format!("{}?{}", self.path, pairs.join("&")),
        }
    }

    /// The URL of this view of the list from its beginning.
    pub(super) fn first_url(&self) -> String {
        self.url(self.hidden())
    }

    /// The URL of this page of a list without cursors.
    pub(super) fn current_url(&self) -> String {
        self.page_url(self.offset, None)
    }

    /// The URL of another page of this view.
    fn page_url(&self, offset: usize, after: Option<&str>) -> String {
        let mut others = self.hidden();
        if offset > 0 {
            others.push(("offset", offset.to_string()));
        }
        others.extend(after.map(|after| ("after", after.to_owned())));
        self.url(others)
    }

    /// The URL of the list sorted by a column; in the other direction if it is sorted by it already.
    pub(super) fn sort_url(&self, column: &str) -> String {
        let is_descending = column == self.column && !self.is_descending;
        self.url(self.order_and_size(column, is_descending, self.limit))
    }

    /// The value of `aria-sort` of a column.
    pub(super) fn aria_sort(&self, column: &str) -> &'static str {
        match (column == self.column, self.is_descending) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        }
    }

    fn sizes(&self) -> Vec<(usize, String, bool)> {
        let size = |size| {
            let url = self.url(self.order_and_size(self.column, self.is_descending, size));
            (size, url, size == self.limit)
        };
        PAGE_SIZES.map(size).into()
    }

    /// The rows of the page, of `rows` in order, and the links to the others.
    pub(super) fn paginate<T>(&self, rows: Vec<T>) -> (Vec<T>, Pager) {
        let total = rows.len();
        let is_after_end = self.offset >= total;
        let start = if is_after_end { 0 } else { self.offset };
        let rows: Vec<T> = rows.into_iter().skip(start).take(self.limit).collect();
        let end = start + rows.len();
        let previous = start.saturating_sub(self.limit);
        let pager = Pager {
            range: range_text(start, rows.len(), Some(&format_total(total))),
            first: (start > 0).then(|| self.first_url()),
            previous: (start > 0).then(|| self.page_url(previous, None)),
            next: (end < total).then(|| self.page_url(end, None)),
            is_interrupted: false,
            sizes: self.sizes(),
        };
        (rows, pager)
    }

    /// The links of a list with cursors, of which the page has `count` entries. `total` is the number of all entries, if
    /// it is known. A search can stop before it has found a whole page; lists of an index do not.
    pub(super) fn cursor_pager(
        &self,
        count: usize,
        next: Option<&str>,
        total: Option<&str>,
        is_search: bool,
    ) -> Pager {
        Pager {
            range: range_text(self.offset, count, total),
            first: self.has_cursor.then(|| self.first_url()),
            previous: None,
            next: next.map(|next| self.page_url(self.offset + count, Some(next))),
            is_interrupted: is_search && next.is_some() && count < self.limit,
            sizes: self.sizes(),
        }
    }
}

/// The parameter `sort`: a column, after a minus sign for the descending order.
fn parse_sort(spec: &'static ListSpec, query: &FormData) -> Result<(&'static str, bool), ApiError> {
    let Some(text) = query.text("sort") else {
        return Ok((spec.columns[0], spec.is_descending));
    };
    let (name, is_descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let column = spec.columns.iter().find(|column| **column == name);
    let column = column.map(|column| (*column, is_descending));
    column.ok_or_else(|| {
        let columns = spec.columns.join(", ");
        let message =
            format!("sort is {text:?}, expected one of {columns}, or one after a minus sign");
        ApiError::InvalidParameter(message)
    })
}

/// The parameter `offset`.
fn parse_offset(query: &FormData) -> Result<usize, ApiError> {
    let Some(text) = query.text("offset") else {
        return Ok(0);
    };
    let offset = parse_integer(text).filter(|offset| *offset <= MAX_OFFSET);
    let offset = offset.and_then(|offset| offset.try_into().ok());
    offset.ok_or_else(|| {
        let message = format!("offset is {text:?}, expected an integer from 0 to {MAX_OFFSET}");
        ApiError::InvalidParameter(message)
    })
}

#[cfg(test)]
mod tests;
