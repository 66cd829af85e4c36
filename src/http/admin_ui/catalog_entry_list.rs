//! The lists of *Service definitions* and *Resource groups*.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use actix_web::{HttpRequest, web::Data};

use super::{
    Layout, PageResult,
    catalog_entries::FLASH_MESSAGES,
    catalog_tables::{list_title, menu_section, table_path},
    flash_message,
    list_query::{ListQuery, ListSpec, Pager, format_total},
    ok_page, page_url,
    signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, path},
    model::{PoolUsage, Table},
    service::{
        Admin, CatalogEntry, EntryOrigin, FormData, MAX_SAMPLED_GROUPS, OptionValue, ServicePreset,
        preset_of, presets,
    },
};

/// The choices of the filters.
const SOURCES: [&str; 2] = ["console", "file"];
const STATES: [&str; 2] = ["active", "invalid"];

static SERVICES: ListSpec = ListSpec {
    path: "/genesys/1/admin/ui/services",
    filters: &["q", "type", "source", "status"],
    columns: &["name", "type", "source", "status"],
    is_descending: false,
};

static GROUPS: ListSpec = ListSpec {
    path: "/genesys/1/admin/ui/groups",
    filters: &["q", "type", "source", "status"],
    columns: &["name", "type", "usage", "source", "status"],
    is_descending: false,
};

#[derive(askama::Template)]
#[template(path = "catalog_entries.html")]
struct EntriesPage {
    layout: Layout,
    table: Table,
    list: ListQuery,
    pager: Pager,
    rows: Vec<EntryRow>,
    /// The types of all entries, for the filter.
    types: Vec<String>,
    /// Whether there are no entries at all.
    is_empty: bool,
    /// Whether the groups are sorted by usage, and that of some is not read.
    has_unread_usage: bool,
    presets: &'static [ServicePreset],
    flash: &'static str,
}

impl EntriesPage {
    /// Reads the page of a query.
    async fn load(
        admin: &Admin,
        session: &SignedIn,
        table: Table,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let spec = match table {
            Table::Services => &SERVICES,
            Table::Resources => &GROUPS,
        };
        let list = ListQuery::parse(spec, query)?;
        let (_, entries) = admin.list_entries(table).await?;
        let mut rows: Vec<EntryRow> = entries.into_iter().map(EntryRow::new).collect();
        let (is_empty, types) = (rows.is_empty(), types(&rows));
        let with_number = match table {
            Table::Services => HashSet::new(),
            Table::Resources => admin.groups_with_number(list.filter("q")),
        };
        rows.retain(|row| row.matches(&list, &with_number));
        let is_by_usage = list.order().0 == "usage";
        let has_unread_usage = is_by_usage && rows.len() > MAX_SAMPLED_GROUPS;
        if is_by_usage {
            add_usage(admin, session, table, &mut rows).await?;
        }
        sort(&mut rows, &list);
        let (mut rows, pager) = list.paginate(rows);
        if !is_by_usage {
            add_usage(admin, session, table, &mut rows).await?;
        }
        Ok(Self {
            layout: Layout::new(session, menu_section(table), list_title(table)),
            table,
            list,
            pager,
            rows,
            types,
            is_empty,
            has_unread_usage,
            presets: presets(),
            flash: "",
        })
    }

    fn are_services(&self) -> bool {
        self.table == Table::Services
    }

    fn max_groups_text() -> String {
        format_total(MAX_SAMPLED_GROUPS)
    }

    fn url(&self, row: &EntryRow) -> String {
        page_url(&[table_path(self.table), &row.entry.name])
    }
}

struct EntryRow {
    entry: CatalogEntry,
    /// Type of a service definition, allocation strategy of a group.
    summary: String,
    /// Usage of a group; only for active ones.
    usage: Option<PoolUsage>,
    /// Whether services share the numbers of a group, so that the usage does not count their bookings.
    is_shared: bool,
}

impl EntryRow {
    fn new(entry: CatalogEntry) -> Self {
        let text = |option: &str| entry.options.get(option).and_then(|value| value.text());
        let preset = preset_of(&entry.options).map(|preset| preset.title);
        let summary = preset.or_else(|| text("_allocation_strategy"));
        Self {
            summary: summary.unwrap_or_default().to_owned(),
            usage: None,
            is_shared: false,
            entry,
        }
    }

    fn source(&self) -> &'static str {
        let is_from_file = self.entry.origin == EntryOrigin::File;
        SOURCES[usize::from(is_from_file)]
    }

    fn is_from_file(&self) -> bool {
        self.entry.origin == EntryOrigin::File
    }

    fn status(&self) -> &'static str {
        STATES[usize::from(self.entry.problem.is_some())]
    }

    /// Whether the name or one of the numbers contains the text, ignoring case and separators of numbers.
    fn contains(&self, text: &str) -> bool {
        let name = self.entry.name.to_lowercase();
        let numbers = match self.entry.options.get("numbers") {
            Some(OptionValue::List(numbers)) => numbers.as_slice(),
            _ => &[],
        };
        let digits = digits(text);
        name.contains(&text.to_lowercase())
            || numbers.iter().any(|number| {
                number.contains(text)
                    || digits.as_ref().is_some_and(|part| {
                        self::digits(number).is_some_and(|all| all.contains(part))
                    })
            })
    }

    /// Whether the row has the values of the filters; `with_number` are the groups with the number that is searched.
    fn matches(&self, list: &ListQuery, with_number: &HashSet<String>) -> bool {
        let is = |filter: &str, value: &str| {
            let wanted = list.filter(filter);
            wanted.is_empty() || wanted == value
        };
        (self.contains(list.filter("q")) || with_number.contains(&self.entry.name))
            && is("type", &self.summary)
            && is("source", self.source())
            && is("status", self.status())
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let usage = |row: &Self| row.usage.map(|usage| usage.permille());
        match column {
            "type" => self.summary.cmp(&other.summary),
            "source" => self.source().cmp(other.source()),
            "status" => self.status().cmp(other.status()),
            "usage" => usage(self).cmp(&usage(other)),
            _ => self.entry.name.cmp(&other.entry.name),
        }
    }
}

/// The digits of a phone number in any spelling; `None` for other texts.
fn digits(text: &str) -> Option<String> {
    let is_separator = |char: char| matches!(char, '+' | '-' | '.' | '/' | '(' | ')' | ' ');
    let digits: String = text.chars().filter(|char| !is_separator(*char)).collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(digits)
}

/// `GET /genesys/1/admin/ui/services`, `GET /genesys/1/admin/ui/groups`
pub(super) async fn list_entries(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let table = path::page_table(&request)?;
    let query = body::parse_query(&state, &request)?;
    let admin = admin_api::admin_service(&state)?;
    let mut page = EntriesPage::load(admin, &session, table, &query).await?;
    page.flash = flash_message(&query, &FLASH_MESSAGES);
    ok_page(&page)
}

/// The types of all entries, sorted.
fn types(rows: &[EntryRow]) -> Vec<String> {
    let types = rows.iter().map(|row| row.summary.clone());
    let mut types: Vec<String> = types.filter(|one| !one.is_empty()).collect();
    types.sort();
    types.dedup();
    types
}

/// Sorts the rows, which are in the order of their names.
fn sort(rows: &mut [EntryRow], list: &ListQuery) {
    let (column, is_descending) = list.order();
    rows.sort_by(|one, other| {
        let order = one.compare(other, column);
        if is_descending {
            order.reverse()
        } else {
            order
        }
    });
}

/// Reads the usage of the active groups among the first [`MAX_SAMPLED_GROUPS`] rows: a long list must not delay other
/// requests. During an outage there is none.
async fn add_usage(
    admin: &Admin,
    session: &SignedIn,
    table: Table,
    rows: &mut [EntryRow],
) -> Result<(), ApiError> {
    if table == Table::Services {
        return Ok(());
    }
    let mut groups = admin.group_names();
    groups.sort();
    let rows = rows.iter_mut().take(MAX_SAMPLED_GROUPS);
    let mut rows: HashMap<String, &mut EntryRow> = rows
        .filter(|row| groups.binary_search(&row.entry.name).is_ok())
        .map(|row| (row.entry.name.clone(), row))
        .collect();
    let usages = match admin.pool_usages(rows.keys().cloned().collect()).await {
        Err(_) if session.outage.is_some() => Vec::new(),
        usages => usages?,
    };
    for (name, usage) in usages {
        if let Some(row) = rows.get_mut(&name) {
            row.usage = Some(usage);
            row.is_shared = admin.has_shared_numbers(&name);
        }
    }
    Ok(())
}
