//! *Configured services* and *Resource groups*: all of them, one of them, a new one.
//!
//! The two differ in the table that they are in; what only groups have is in [`groups`].

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
    service::{
        Admin, AdminError, CatalogEntry, EntryOrigin, MAX_SAMPLED_GROUPS, Options, Precondition,
        ServicePreset, group_options, preset_of, presets,
    },
    store::{EntryName, PoolUsage, Table},
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
    /// What it is made from, or how it hands out its numbers.
    summary: String,
    /// How full it is; of the first groups that are in force.
    usage: Option<PoolUsage>,
}

impl EntryRow {
    fn new(fill: Option<PoolUsage>, entry: CatalogEntry) -> Self {
        let text = |option: &str| entry.options.get(option).and_then(|value| value.text());
        let template = preset_of(&entry.options).map(|template| template.title);
        let about = template.or_else(|| text("_allocation_strategy"));
        Self {
            summary: about.unwrap_or_default().to_owned(),
            usage: fill,
            entry,
        }
    }

    fn is_from_file(&self) -> bool {
        self.entry.origin == EntryOrigin::File
    }
}

/// What was done, as the place it leads to tells it, and in words.
const FLASH_MESSAGES: [(&str, &str); 3] = [
    (
        "saved",
        "It is saved, and in force on every replica within a second.",
    ),
    ("deleted", "It is deleted."),
    ("released", "The number is given back."),
];

/// `GET /genesys/1/admin/ui/services`, `GET /genesys/1/admin/ui/groups`
pub(super) async fn list_entries(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let (admin, table) = (admin_api::admin_service(&api)?, path::page_table(&request)?);
    let (_, entries) = admin.list_entries(table).await?;
    let mut groups = match table {
        Table::Services => Vec::new(),
        Table::Resources => admin.group_names(),
    };
    // Nothing else waits behind a list, however long it is.
    groups.truncate(MAX_SAMPLED_GROUPS);
    let fills = match admin.pool_usages(groups).await {
        Err(_) if visitor.outage.is_some() => Vec::new(),
        fills => fills?,
    };
    let mut fills: HashMap<String, PoolUsage> = fills.into_iter().collect();
    let rows = entries.into_iter();
    let rows = rows.map(|entry| EntryRow::new(fills.remove(&entry.name), entry));
    ok_page(&EntriesPage {
        layout: Layout::new(&visitor, menu_section(table), list_title(table)),
        table,
        rows: rows.collect(),
        presets: presets(),
        flash: flash_message(&body::parse_query(&api, &request)?, &FLASH_MESSAGES),
    })
}

/// `GET /genesys/1/admin/ui/new/services?template=`, `GET /genesys/1/admin/ui/new/groups`
pub(super) async fn show_new_entry(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let table = path::page_table(&request)?;
    let query = body::parse_query(&api, &request)?;
    let draft = EntryDraft {
        preset_name: query.text("template").unwrap_or_default().to_owned(),
        ..EntryDraft::new(table)
    };
    ok_page(&draft.into_page(admin_api::admin_service(&api)?, &visitor)?)
}

/// `POST /genesys/1/admin/ui/new/services`, `POST /genesys/1/admin/ui/new/groups`
pub(super) async fn create_entry(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let table = path::page_table(&request)?;
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let draft = EntryDraft {
        requested_name: form.text("name").trim().to_owned(),
        preset_name: form.text("template").to_owned(),
        values: FormValues::from_form(&form, &Options::new()),
        ..EntryDraft::new(table)
    };
    draft
        .save(&api, &visitor, &request, &Precondition::MustNotExist)
        .await
}

/// `GET /genesys/1/admin/ui/services/{name}`, `GET /genesys/1/admin/ui/groups/{name}`
pub(super) async fn show_entry(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let (table, name) = (path::page_table(&request)?, path::page_name(&request)?);
    let admin = admin_api::admin_service(&api)?;
    let entry = admin.read_entry((table, name)).await?;
    let draft = EntryDraft {
        flash: flash_message(&body::parse_query(&api, &request)?, &FLASH_MESSAGES),
        ..EntryDraft::from_entry(table, entry)
    };
    let mut page = draft.into_page(admin, &visitor)?;
    // Of a group that is not in force here, or not yet, there are no figures.
    page.group_bookings = match groups::load_group_bookings(&api, &request, table).await {
        Err(error) if error.status_code() == StatusCode::NOT_FOUND => None,
        Err(_) if visitor.outage.is_some() => None,
        holders => holders?,
    };
    let refused = page
        .group_bookings
        .as_ref()
        .and_then(|holders| holders.error_status);
    render(refused.unwrap_or(StatusCode::OK), &page)
}

/// `POST /genesys/1/admin/ui/services/{name}`, `POST /genesys/1/admin/ui/groups/{name}`
pub(super) async fn save_entry(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let ((table, name), form) = read_entry_form(&api, &visitor, &request, payload).await?;
    let revision = form.text("revision").to_owned();
    let condition = Precondition::IfMatch(vec![revision.clone()]);
    let before = current_options(admin_api::admin_service(&api)?, (table, name.clone())).await?;
    let draft = EntryDraft {
        name: Some(name),
        values: FormValues::from_form(&form, &before),
        revision,
        ..EntryDraft::new(table)
    };
    draft.save(&api, &visitor, &request, &condition).await
}

/// `POST /genesys/1/admin/ui/services/{name}/delete`, `POST /genesys/1/admin/ui/groups/{name}/delete`
pub(super) async fn delete_entry(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let ((table, name), form) = read_entry_form(&api, &visitor, &request, payload).await?;
    let condition = Precondition::IfMatch(vec![form.text("revision").to_owned()]);
    let by = visitor.actor(&api, &request);
    admin_api::admin_service(&api)?
        .delete_entry((table, name), &condition, &by)
        .await?;
    Ok(redirect_see_other(&format!(
        "{}?done=deleted",
        page_url(&[table_path(table)])
    )))
}

/// The entry that a form is about, and the form.
async fn read_entry_form(
    api: &AppState,
    visitor: &SignedIn,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(EntryName, Form), PageError> {
    let entry = (path::page_table(request)?, path::page_name(request)?);
    Ok((entry, Form::read(api, visitor, request, payload).await?))
}

/// What the entry says; nothing where there is none.
async fn current_options(admin: &Admin, entry: EntryName) -> Result<Options, AdminError> {
    match admin.read_entry(entry).await {
        Ok(entry) => Ok(entry.options),
        Err(AdminError::NoSuchEntry(..)) => Ok(Options::new()),
        Err(error) => Err(error),
    }
}

/// An entry as it is filled in, saved or not.
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

    /// Saves it; where that cannot be, it is shown as it was filled in, with the reason.
    async fn save(
        mut self,
        api: &AppState,
        visitor: &SignedIn,
        request: &HttpRequest,
        condition: &Precondition,
    ) -> PageResult {
        let admin = admin_api::admin_service(api)?;
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| self.requested_name.clone());
        let entry = (self.table, name.clone());
        let by = visitor.actor(api, request);
        let put = match self.values.options() {
            Ok(options) => admin
                .put_entry(entry, options, condition, &by)
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
                render(error.status_code(), &self.into_page(admin, visitor)?)
            }
        }
    }

    fn into_page(self, admin: &Admin, visitor: &SignedIn) -> Result<EntryPage, PageError> {
        let template = match self.table {
            Table::Resources => None,
            Table::Services => self.preset()?,
        };
        let known = match (self.table, template) {
            (Table::Resources, _) => group_options(),
            (Table::Services, Some(template)) => admin.preset_options(template),
            (Table::Services, None) => Vec::new(),
        };
        let title = self
            .name
            .clone()
            .unwrap_or_else(|| new_entry_title(self.table).to_owned());
        Ok(EntryPage {
            layout: Layout::new(visitor, menu_section(self.table), title),
            table: self.table,
            description: template
                .map(|template| template.description.to_owned())
                .unwrap_or_default(),
            name: self.name,
            requested_name: self.requested_name,
            revision: self.revision,
            read_only: self.read_only,
            preset: template
                .map(|template| template.name.to_owned())
                .unwrap_or_default(),
            form: EntryForm::new(
                known,
                template,
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

    /// What it is made from: as it says itself or, while it says nothing, as it was chosen.
    fn preset(&self) -> Result<Option<&'static ServicePreset>, PageError> {
        if self.name.is_some() {
            return Ok(preset_of(&self.values.first_values()));
        }
        let mut known = presets().iter();
        let chosen = known.find(|template| template.name == self.preset_name);
        let unknown = || ApiError::NotFound(format!("the template {:?}", self.preset_name));
        chosen.map(Some).ok_or_else(|| unknown().into())
    }
}

fn redirect_to_saved(table: Table, name: &str) -> HttpResponse {
    redirect_see_other(&format!(
        "{}?done=saved",
        page_url(&[table_path(table), name])
    ))
}

/// The table in paths.
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
        Table::Services => "Configured services",
        Table::Resources => "Resource groups",
    }
}

fn new_entry_title(table: Table) -> &'static str {
    match table {
        Table::Services => "New configured service",
        Table::Resources => "New resource group",
    }
}
