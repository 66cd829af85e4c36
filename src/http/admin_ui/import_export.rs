//! *Import and export* of the catalog as TOML.
//!
//! An import starts with a preview of the created, changed and deleted entries. The confirmation carries the version of
//! the catalog and a digest of the input that the preview is for. If the catalog or the input has changed since, nothing
//! is imported and a new preview is shown.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use self::submitted::SubmittedImport;
use super::{
    Layout, PageResult, catalog_activation::describe_activation, form::Form, ok_page, page_url,
    query_count, redirect_see_other, render, signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body},
    model::Table,
    service::{Admin, AdminError, Difference, FormData, ImportReport, LostEntries, Precondition},
};

mod submitted;

/// Maximum number of changed options in a preview.
const MAX_DIFFERENCES: usize = 500;

#[derive(Template)]
#[template(path = "import_export.html")]
struct ImportExportPage {
    layout: Layout,
    submitted: SubmittedImport,
    problem: String,
    /// The catalog was changed after the preview.
    is_conflict: bool,
    /// The changes that the import would make.
    preview: Option<ImportReport>,
    /// Who changed the catalog last, and when, on a conflict.
    changed_by: Option<(String, String)>,
    flash: String,
    lost: LostEntries,
}

/// The query parameters `message` after an import and a restore, and those with the numbers of imported entries.
const IMPORTED: &str = "imported";
pub(super) const RESTORED: &str = "restored";
const COUNT_PARAMETERS: [&str; 3] = ["new", "changed", "deleted"];

/// `GET /genesys/1/admin/ui/catalog`
pub(super) async fn show_import_export(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let mut page = ImportExportPage::new(&session, SubmittedImport::default());
    let admin = admin_api::admin_service(&state)?;
    page.flash = import_flash(admin, &body::parse_query(&state, &request)?).await;
    page.lost = admin.lost_entries();
    ok_page(&page)
}

/// The message after a redirect to this page.
async fn import_flash(admin: &Admin, query: &FormData) -> String {
    let done = match query.text("message") {
        Some(IMPORTED) => {
            let counts = COUNT_PARAMETERS;
            let counts = counts.map(|name| format!("{} {name}", query_count(query, name)));
            format!("Imported: {}.", counts.join(", "))
        }
        Some(RESTORED) => "Lost entries restored.".to_owned(),
        _ => return String::new(),
    };
    done + &describe_activation(admin).await
}

/// The page after an import.
fn redirect_to_imported(report: &ImportReport) -> HttpResponse {
    let entries = [&report.created, &report.replaced, &report.deleted];
    let counts = COUNT_PARAMETERS.iter().zip(entries);
    let counts: Vec<String> = counts
        .map(|(name, entries)| format!("&{name}={}", entries.len()))
        .collect();
    let counts = counts.concat();
    redirect_see_other(&format!(
        "{}?message={IMPORTED}{counts}",
        page_url(&["catalog"])
    ))
}

/// `GET /genesys/1/admin/ui/catalog/export`
pub(super) async fn export_catalog(
    state: Data<AppState>,
    request: HttpRequest,
    _session: SignedIn,
) -> PageResult {
    Ok(admin_api::import_export::export_catalog(state, request).await?)
}

/// `POST /genesys/1/admin/ui/catalog`: shows a preview of an import, or applies a previewed import.
pub(super) async fn import_catalog(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let submitted =
        SubmittedImport::from_form(&Form::read(&state, &session, &request, payload).await?);
    let actor = session.actor(&state, &request);
    let admin = admin_api::admin_service(&state)?;
    let mut page = ImportExportPage::new(&session, submitted);
    let status = match page.submitted.import(admin, &actor).await {
        Ok(Some(report)) => return Ok(redirect_to_imported(&report)),
        Ok(None) => page.load_preview(admin).await,
        Err(error) => page.handle_import_error(error, admin).await,
    };
    render(status, &page)
}

impl ImportExportPage {
    fn new(session: &SignedIn, submitted: SubmittedImport) -> Self {
        Self {
            layout: Layout::new(session, "services", "Import and export"),
            submitted,
            problem: String::new(),
            is_conflict: false,
            preview: None,
            changed_by: None,
            flash: String::new(),
            lost: LostEntries::default(),
        }
    }

    /// Adds a preview of the import.
    async fn load_preview(&mut self, admin: &Admin) -> StatusCode {
        match admin
            .preview_import(
                &self.submitted.text,
                self.submitted.import_mode(),
                &Precondition::None,
            )
            .await
        {
            Ok(preview) => self.preview = Some(preview),
            Err(error) => return self.set_problem(&error.into()),
        }
        StatusCode::OK
    }

    /// Adds the error and, on a conflict, a new preview. If the new preview has no changes, the same import has been
    /// applied already, for example by a form that was submitted twice; this is not a conflict.
    async fn handle_import_error(&mut self, error: AdminError, admin: &Admin) -> StatusCode {
        if !matches!(error, AdminError::PreconditionFailed(_)) {
            return self.set_problem(&error.into());
        }
        let status = self.load_preview(admin).await;
        if self.preview.as_ref().is_some_and(ImportReport::is_noop) {
            return status;
        }
        self.is_conflict = true;
        // The page is as useful without it.
        self.changed_by = admin.latest_catalog_change().await.ok().flatten();
        StatusCode::PRECONDITION_FAILED
    }

    fn set_problem(&mut self, error: &ApiError) -> StatusCode {
        self.problem = error.to_string();
        error.status_code()
    }

    fn can_import(&self) -> bool {
        let preview = self.preview.as_ref();
        preview.is_some_and(|preview| !preview.is_noop())
    }
}

/// A section of the preview: title, and label and name of each entry.
type PreviewSection<'a> = (&'static str, Vec<(&'static str, &'a str)>);

/// The sections of the preview, deletions first.
fn preview_sections(preview: &ImportReport) -> Vec<PreviewSection<'_>> {
    let parts = [
        ("Deleted", &preview.deleted),
        ("Changed", &preview.replaced),
        ("New", &preview.created),
    ];
    let parts = parts.into_iter().filter(|(_, entries)| !entries.is_empty());
    parts
        .map(|(title, entries)| {
            let entries = entries.iter();
            (
                title,
                entries
                    .map(|(table, name)| (entry_label(*table), name.as_str()))
                    .collect(),
            )
        })
        .collect()
}

/// A changed entry.
struct ChangedEntry<'a> {
    label: &'static str,
    name: &'a str,
    /// The options that change.
    options: &'a [Difference],
}

/// The changed entries with the first [`MAX_DIFFERENCES`] changed options.
fn changed_entries(preview: &ImportReport) -> impl Iterator<Item = ChangedEntry<'_>> {
    let all = preview.differences.as_slice();
    let first = all.get(..MAX_DIFFERENCES).unwrap_or(all);
    let entries = first.chunk_by(|one, other| one.entry == other.entry);
    entries.filter_map(|options| {
        let (table, name) = &options.first()?.entry;
        Some(ChangedEntry {
            label: entry_label(*table),
            name,
            options,
        })
    })
}

/// The label of an entry.
fn entry_label(table: Table) -> &'static str {
    match table {
        Table::Services => "service definition",
        Table::Resources => "resource group",
    }
}
