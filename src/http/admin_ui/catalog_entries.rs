//! *Service definitions* and *Resource groups*: list, entry, new entry. Usage and bookings of groups are in [`groups`].

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{
    Layout, PageError, PageResult,
    catalog_entry_form::{EntryForm, EntryPage},
    flash_message,
    form::Form,
    form_values::FormValues,
    groups, ok_page, page_url, redirect_see_other, render,
    session_middleware::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, path},
    model::{EntryName, PoolUsage, Table},
    service::{
        Admin, AdminError, CatalogEntry, EntryOrigin, MAX_SAMPLED_GROUPS, Options, Precondition,
        ServicePreset, group_options, preset_of, presets,
    },
};

#[derive(askama::Template)]
#[template(path = "catalog_entries.html")]
struct EntriesPage {
    layout: Layout,
    table: Table,
    rows: Vec<EntryRow>,
    presets: &'static [ServicePreset],
    flash: &'static str,
}

impl EntriesPage {
    fn are_services(&self) -> bool {
        self.table == Table::Services
    }

    fn url(&self, row: &EntryRow) -> String {
        page_url(&[table_path(self.table), &row.entry.name])
    }
}

struct EntryRow {
    entry: CatalogEntry,
    /// Type of a service definition, allocation strategy of a group.
    summary: String,
    /// Usage of a group; only for the first active groups.
    usage: Option<PoolUsage>,
}

impl EntryRow {
    fn new(usage: Option<PoolUsage>, entry: CatalogEntry) -> Self {
        let text = |option: &str| entry.options.get(option).and_then(|value| value.text());
        let preset = preset_of(&entry.options).map(|preset| preset.title);
        let summary = preset.or_else(|| text("_allocation_strategy"));
        Self {
            summary: summary.unwrap_or_default().to_owned(),
            usage,
            entry,
        }
    }

    fn is_from_file(&self) -> bool {
        self.entry.origin == EntryOrigin::File
    }
}

/// Messages after a redirect to a page.
const FLASH_MESSAGES: [(&str, &str); 3] = [
    ("saved", "Saved. Active on all replicas within a second."),
    ("deleted", "Deleted"),
    ("released", "Number released"),
];

/// `GET /genesys/1/admin/ui/services`, `GET /genesys/1/admin/ui/groups`
pub(super) async fn list_entries(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let (admin, table) = (
        admin_api::admin_service(&state)?,
        path::page_table(&request)?,
    );
    let (_, entries) = admin.list_entries(table).await?;
    let mut groups = match table {
        Table::Services => Vec::new(),
        Table::Resources => admin.group_names(),
    };
    // A long list must not delay other requests.
    groups.truncate(MAX_SAMPLED_GROUPS);
    let usages = match admin.pool_usages(groups).await {
        Err(_) if session.outage.is_some() => Vec::new(),
        usages => usages?,
    };
    let mut usages: HashMap<String, PoolUsage> = usages.into_iter().collect();
    let rows = entries.into_iter();
    let rows = rows.map(|entry| EntryRow::new(usages.remove(&entry.name), entry));
    ok_page(&EntriesPage {
        layout: Layout::new(&session, menu_section(table), list_title(table)),
        table,
        rows: rows.collect(),
        presets: presets(),
        flash: flash_message(&body::parse_query(&state, &request)?, &FLASH_MESSAGES),
    })
}

/// `GET /genesys/1/admin/ui/new/services?preset=`, `GET /genesys/1/admin/ui/new/groups`
pub(super) async fn show_new_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let table = path::page_table(&request)?;
    let query = body::parse_query(&state, &request)?;
    let draft = EntryDraft {
        preset_name: query.text("preset").unwrap_or_default().to_owned(),
        ..EntryDraft::new(table)
    };
    ok_page(&draft.into_page(admin_api::admin_service(&state)?, &session)?)
}

/// `POST /genesys/1/admin/ui/new/services`, `POST /genesys/1/admin/ui/new/groups`
pub(super) async fn create_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let table = path::page_table(&request)?;
    let form = Form::read(&state, &session, &request, payload).await?;
    let draft = EntryDraft {
        requested_name: form.text("name").trim().to_owned(),
        preset_name: form.text("preset").to_owned(),
        values: FormValues::from_form(&form, &Options::new()),
        ..EntryDraft::new(table)
    };
    draft
        .save(&state, &session, &request, &Precondition::MustNotExist)
        .await
}

/// `GET /genesys/1/admin/ui/services/{name}`, `GET /genesys/1/admin/ui/groups/{name}`
pub(super) async fn show_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let (table, name) = (path::page_table(&request)?, path::page_name(&request)?);
    let admin = admin_api::admin_service(&state)?;
    let entry = admin.read_entry((table, name)).await?;
    let draft = EntryDraft {
        flash: flash_message(&body::parse_query(&state, &request)?, &FLASH_MESSAGES),
        ..EntryDraft::from_entry(table, entry)
    };
    let mut page = draft.into_page(admin, &session)?;
    // A group that is not active on this replica has no usage.
    page.group_bookings = match groups::load_group_bookings(&state, &request, table).await {
        Err(error) if error.status_code() == StatusCode::NOT_FOUND => None,
        Err(_) if session.outage.is_some() => None,
        bookings => bookings?,
    };
    let error_status = page
        .group_bookings
        .as_ref()
        .and_then(|bookings| bookings.error_status);
    render(error_status.unwrap_or(StatusCode::OK), &page)
}

/// `POST /genesys/1/admin/ui/services/{name}`, `POST /genesys/1/admin/ui/groups/{name}`
pub(super) async fn save_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let ((table, name), form) = read_entry_form(&state, &session, &request, payload).await?;
    let revision = form.text("revision").to_owned();
    let condition = Precondition::IfMatch(vec![revision.clone()]);
    let current = current_options(admin_api::admin_service(&state)?, (table, name.clone())).await?;
    let draft = EntryDraft {
        name: Some(name),
        values: FormValues::from_form(&form, &current),
        revision,
        ..EntryDraft::new(table)
    };
    draft.save(&state, &session, &request, &condition).await
}

/// `POST /genesys/1/admin/ui/services/{name}/delete`, `POST /genesys/1/admin/ui/groups/{name}/delete`
pub(super) async fn delete_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let ((table, name), form) = read_entry_form(&state, &session, &request, payload).await?;
    let condition = Precondition::IfMatch(vec![form.text("revision").to_owned()]);
    let actor = session.actor(&state, &request);
    admin_api::admin_service(&state)?
        .delete_entry((table, name), &condition, &actor)
        .await?;
    Ok(redirect_see_other(&format!(
        "{}?message=deleted",
        page_url(&[table_path(table)])
    )))
}

/// The entry of the path, and the submitted form.
async fn read_entry_form(
    state: &AppState,
    session: &SignedIn,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(EntryName, Form), PageError> {
    let entry = (path::page_table(request)?, path::page_name(request)?);
    Ok((entry, Form::read(state, session, request, payload).await?))
}

/// The options of an entry; empty if it does not exist.
async fn current_options(admin: &Admin, entry: EntryName) -> Result<Options, AdminError> {
    match admin.read_entry(entry).await {
        Ok(entry) => Ok(entry.options),
        Err(AdminError::NoSuchEntry(..)) => Ok(Options::new()),
        Err(error) => Err(error),
    }
}

/// The state of the page of an entry: stored or submitted.
struct EntryDraft {
    table: Table,
    name: Option<String>,
    requested_name: String,
    preset_name: String,
    values: FormValues,
    revision: String,
    read_only: bool,
    problem: String,
    warnings: Vec<String>,
    is_conflict: bool,
    flash: &'static str,
}

impl EntryDraft {
    fn new(table: Table) -> Self {
        Self {
            table,
            name: None,
            requested_name: String::new(),
            preset_name: String::new(),
            values: FormValues::default(),
            revision: String::new(),
            read_only: false,
            problem: String::new(),
            warnings: Vec::new(),
            is_conflict: false,
            flash: "",
        }
    }

    fn from_entry(table: Table, entry: CatalogEntry) -> Self {
        Self {
            name: Some(entry.name),
            values: entry.options.into(),
            revision: entry.revision,
            read_only: entry.origin == EntryOrigin::File,
            problem: entry.problem.unwrap_or_default(),
            warnings: entry.warnings,
            ..Self::new(table)
        }
    }

    /// Saves the entry, or shows the input with the error.
    async fn save(
        mut self,
        state: &AppState,
        session: &SignedIn,
        request: &HttpRequest,
        condition: &Precondition,
    ) -> PageResult {
        let admin = admin_api::admin_service(state)?;
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| self.requested_name.clone());
        let entry = (self.table, name.clone());
        let actor = session.actor(state, request);
        let put = match self.values.options() {
            Ok(options) => admin
                .put_entry(entry, options, condition, &actor)
                .await
                .map(drop),
            Err(problem) => Err(AdminError::Invalid(problem)),
        };
        match put {
            Ok(()) => Ok(redirect_to_saved(self.table, &name)),
            Err(error) => {
                self.is_conflict =
                    matches!(error, AdminError::PreconditionFailed(_)) && self.name.is_some();
                self.read_only = matches!(error, AdminError::ReadOnly(..)) && self.name.is_some();
                let error = ApiError::from(error);
                self.problem = error.to_string();
                render(error.status_code(), &self.into_page(admin, session)?)
            }
        }
    }

    fn into_page(self, admin: &Admin, session: &SignedIn) -> Result<EntryPage, PageError> {
        let preset = match self.table {
            Table::Resources => None,
            Table::Services => self.preset()?,
        };
        let known = match (self.table, preset) {
            (Table::Resources, _) => group_options(),
            (Table::Services, Some(preset)) => admin.preset_options(preset),
            (Table::Services, None) => Vec::new(),
        };
        let title = self
            .name
            .clone()
            .unwrap_or_else(|| new_entry_title(self.table).to_owned());
        Ok(EntryPage {
            layout: Layout::new(session, menu_section(self.table), title),
            table: self.table,
            description: preset
                .map(|preset| preset.description.to_owned())
                .unwrap_or_default(),
            name: self.name,
            requested_name: self.requested_name,
            revision: self.revision,
            read_only: self.read_only,
            preset: preset
                .map(|preset| preset.name.to_owned())
                .unwrap_or_default(),
            form: EntryForm::new(
                known,
                preset,
                &self.values,
                admin.group_names(),
                &self.problem,
            ),
            problem: self.problem,
            warnings: self.warnings,
            is_conflict: self.is_conflict,
            flash: self.flash,
            group_bookings: None,
        })
    }

    /// The preset: that of the options for an existing entry, the selected one for a new entry.
    fn preset(&self) -> Result<Option<&'static ServicePreset>, PageError> {
        if self.name.is_some() {
            return Ok(preset_of(&self.values.first_values()));
        }
        let mut known = presets().iter();
        let selected = known.find(|preset| preset.name == self.preset_name);
        let url = page_url(&["new", table_path(self.table)]);
        let unknown = || ApiError::NotFound(format!("{url}?preset={}", self.preset_name));
        selected.map(Some).ok_or_else(|| unknown().into())
    }
}

fn redirect_to_saved(table: Table, name: &str) -> HttpResponse {
    redirect_see_other(&format!(
        "{}?message=saved",
        page_url(&[table_path(table), name])
    ))
}

/// The path segment of a table.
pub(super) fn table_path(table: Table) -> &'static str {
    match table {
        Table::Services => "services",
        Table::Resources => "groups",
    }
}

fn menu_section(table: Table) -> &'static str {
    table_path(table)
}

fn list_title(table: Table) -> &'static str {
    match table {
        Table::Services => "Service definitions",
        Table::Resources => "Resource groups",
    }
}

fn new_entry_title(table: Table) -> &'static str {
    match table {
        Table::Services => "New service definition",
        Table::Resources => "New resource group",
    }
}
