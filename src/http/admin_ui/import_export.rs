//! *Import and export* of the catalog as TOML.
//!
//! An import starts with a preview of the created, changed and deleted entries. The confirmation carries the version of
//! the catalog and a digest of the input that the preview is for. If the catalog or the input has changed since, nothing
//! is imported and a new preview is shown.

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use super::{
    Layout, PageResult, flash_message,
    form::{CATALOG_FIELD, Form},
    ok_page, page_url, redirect_see_other, render,
    session_middleware::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body},
    model::Table,
    service::{
        Actor, Admin, AdminError, Difference, ImportMode, ImportReport, LostEntries, Precondition,
    },
};

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
    flash: &'static str,
    lost: LostEntries,
}

/// Messages after a redirect to this page.
const FLASH_MESSAGES: [(&str, &str); 2] = [
    (
        "imported",
        "Imported. Active on all replicas within a second.",
    ),
    (
        "restored",
        "Lost entries restored. Active on all replicas within a second.",
    ),
];

/// `GET /genesys/1/admin/ui/catalog`
pub(super) async fn show_import_export(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let mut page = ImportExportPage::new(&session, SubmittedImport::default());
    page.flash = flash_message(&body::parse_query(&state, &request)?, &FLASH_MESSAGES);
    page.lost = admin_api::admin_service(&state)?.lost_entries();
    ok_page(&page)
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
        Ok(Some(_)) => {
            return Ok(redirect_see_other(&format!(
                "{}?message=imported",
                page_url(&["catalog"])
            )));
        }
        Ok(None) => page.load_preview(admin).await,
        Err(error) => page.handle_import_error(error, admin).await,
    };
    render(status, &page)
}

/// The import in a form.
#[derive(Default)]
struct SubmittedImport {
    text: String,
    replace: bool,
    /// Digest of text and mode.
    digest: String,
    /// The preview that the form confirms.
    previewed: Option<PreviewedImport>,
}

/// A preview that was confirmed.
struct PreviewedImport {
    /// The version of the catalog in the preview.
    version: String,
    /// Digest of the input in the preview.
    digest: String,
    /// The number of deletions that the operator typed.
    deletions: String,
}

impl SubmittedImport {
    fn from_form(form: &Form) -> Self {
        let previewed = || PreviewedImport {
            version: form.text("version").to_owned(),
            digest: form.text("digest").to_owned(),
            deletions: form.text("deletions").trim().to_owned(),
        };
        let (text, replace) = (form.text(CATALOG_FIELD), form.text("mode") == "replace");
        let mode = if replace { "replace" } else { "merge" };
        let input = [mode, "\n", text].concat();
        Self {
            text: text.to_owned(),
            replace,
            digest: URL_SAFE_NO_PAD.encode(digest(&SHA256, input.as_bytes())),
            previewed: (form.text("action") == "import").then(previewed),
        }
    }

    /// Whether the typed number of deletions is missing or incorrect.
    fn is_unconfirmed(&self, preview: &ImportReport) -> bool {
        let deleted = preview.deleted.len();
        let mut previewed = self.previewed.iter();
        deleted > 0
            && !self.is_edited()
            && previewed.any(|previewed| {
                previewed.version == preview.version && previewed.deletions != deleted.to_string()
            })
    }

    /// Whether the input changed after the preview.
    fn is_edited(&self) -> bool {
        let mut previewed = self.previewed.iter();
        previewed.any(|previewed| previewed.digest != self.digest)
    }

    fn import_mode(&self) -> ImportMode {
        if self.replace {
            ImportMode::Replace
        } else {
            ImportMode::Merge
        }
    }

    /// Applies a confirmed import. `None` without a preview, or if the input has changed since.
    async fn import(
        &self,
        admin: &Admin,
        actor: &Actor,
    ) -> Result<Option<ImportReport>, AdminError> {
        if self.text.trim().is_empty() {
            return Err(AdminError::Unreadable("nothing to import".to_owned()));
        }
        let previewed = self.previewed.as_ref().filter(|_| !self.is_edited());
        let Some(previewed) = previewed else {
            return Ok(None);
        };
        if let Ok(preview) = admin
            .preview_import(&self.text, self.import_mode(), &Precondition::None)
            .await
            && self.is_unconfirmed(&preview)
        {
            return Ok(None);
        }
        let condition = Precondition::IfMatch(vec![previewed.version.clone()]);
        let imported = admin.import_catalog(&self.text, self.import_mode(), &condition, actor);
        imported.await.map(Some)
    }
}

impl ImportExportPage {
    fn new(session: &SignedIn, submitted: SubmittedImport) -> Self {
        Self {
            layout: Layout::new(session, "services", "Import and export"),
            submitted,
            problem: String::new(),
            is_conflict: false,
            preview: None,
            flash: "",
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

/// The first [`MAX_DIFFERENCES`] changed options, with the label of their entry.
fn differences(preview: &ImportReport) -> impl Iterator<Item = (&'static str, &Difference)> {
    let differences = preview.differences.iter().take(MAX_DIFFERENCES);
    differences.map(|difference| (entry_label(difference.entry.0), difference))
}

/// The label of an entry.
fn entry_label(table: Table) -> &'static str {
    match table {
        Table::Services => "service definition",
        Table::Resources => "resource group",
    }
}
