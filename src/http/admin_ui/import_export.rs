//! The whole catalogue as TOML: out, and in.
//!
//! An import is shown before it is made: which entries it makes, changes and deletes. The form then carries the
//! version that this would be done to and a digest of what was looked at, so that nothing else than that is done:
//! what has been changed since, there or in the form, is shown again.

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
    service::{
        Actor, Admin, AdminError, Difference, ImportMode, ImportReport, LostEntries, Precondition,
    },
    store::Table,
};

/// Changed options that a preview shows.
const MAX_DIFFERENCES: usize = 500;

#[derive(Template)]
#[template(path = "import_export.html")]
struct ImportExportPage {
    layout: Layout,
    submitted: SubmittedImport,
    problem: String,
    /// Others have changed the catalogue since it was looked at.
    is_conflict: bool,
    /// What importing the text would do.
    preview: Option<ImportReport>,
    flash: &'static str,
    lost: LostEntries,
}

/// What was done, as the place it leads to tells it, and in words.
const FLASH_MESSAGES: [(&str, &str); 2] = [
    (
        "imported",
        "It is imported, and in force on every replica within a second.",
    ),
    (
        "restored",
        "Lost entries restored. Active on all replicas within a second.",
    ),
];

/// `GET /genesys/1/admin/ui/catalog`
pub(super) async fn show_import_export(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let mut page = ImportExportPage::new(&visitor, SubmittedImport::default());
    page.flash = flash_message(&body::parse_query(&api, &request)?, &FLASH_MESSAGES);
    page.lost = admin_api::admin_service(&api)?.lost_entries();
    ok_page(&page)
}

/// `GET /genesys/1/admin/ui/catalog/export`
pub(super) async fn export_catalog(
    api: Data<AppState>,
    request: HttpRequest,
    _visitor: SignedIn,
) -> PageResult {
    Ok(admin_api::import_export::export_catalog(api, request).await?)
}

/// `POST /genesys/1/admin/ui/catalog`: shows what an import would do or, where that was seen, does it.
pub(super) async fn import_catalog(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let sent = SubmittedImport::from_form(&Form::read(&api, &visitor, &request, payload).await?);
    let by = visitor.actor(&api, &request);
    let admin = admin_api::admin_service(&api)?;
    let mut page = ImportExportPage::new(&visitor, sent);
    let status = match page.submitted.import(admin, &by).await {
        Ok(Some(_)) => {
            return Ok(redirect_see_other(&format!(
                "{}?done=imported",
                page_url(&["catalog"])
            )));
        }
        Ok(None) => page.load_preview(admin).await,
        Err(error) => page.handle_import_error(error, admin).await,
    };
    render(status, &page)
}

/// What a form asks for.
#[derive(Default)]
struct SubmittedImport {
    text: String,
    replace: bool,
    /// Tells this text and what it is to do from any other.
    digest: String,
    /// What was looked at and is to be done.
    previewed: Option<PreviewedImport>,
}

/// What was shown.
struct PreviewedImport {
    /// The version that it would be done to.
    version: String,
    /// Of what was looked at.
    digest: String,
    /// How many deletions were confirmed.
    deletions: String,
}

impl SubmittedImport {
    fn from_form(form: &Form) -> Self {
        let seen = || PreviewedImport {
            version: form.text("version").to_owned(),
            digest: form.text("digest").to_owned(),
            deletions: form.text("deletions").trim().to_owned(),
        };
        let (text, replace) = (form.text(CATALOG_FIELD), form.text("mode") == "replace");
        let mode = if replace { "replace" } else { "merge" };
        let told = [mode, "\n", text].concat();
        Self {
            text: text.to_owned(),
            replace,
            digest: URL_SAFE_NO_PAD.encode(digest(&SHA256, told.as_bytes())),
            previewed: (form.text("act") == "import").then(seen),
        }
    }

    /// Whether the import was asked for without the number of deletions, or with another one.
    fn is_unconfirmed(&self, preview: &ImportReport) -> bool {
        let deleted = preview.deleted.len();
        let mut seen = self.previewed.iter();
        deleted > 0
            && !self.is_edited()
            && seen.any(|seen| {
                seen.version == preview.version && seen.deletions != deleted.to_string()
            })
    }

    /// Whether something else is sent than was looked at.
    fn is_edited(&self) -> bool {
        let mut seen = self.previewed.iter();
        seen.any(|seen| seen.digest != self.digest)
    }

    fn import_mode(&self) -> ImportMode {
        if self.replace {
            ImportMode::Replace
        } else {
            ImportMode::Merge
        }
    }

    /// Does what was seen; nothing, where nothing was, or something else.
    async fn import(&self, admin: &Admin, by: &Actor) -> Result<Option<ImportReport>, AdminError> {
        if self.text.trim().is_empty() {
            let nothing = "there is nothing to import".to_owned();
            return Err(AdminError::Unreadable(nothing));
        }
        let seen = self.previewed.as_ref().filter(|_| !self.is_edited());
        let Some(seen) = seen else {
            return Ok(None);
        };
        if let Ok(preview) = admin
            .preview_import(&self.text, self.import_mode(), &Precondition::None)
            .await
            && self.is_unconfirmed(&preview)
        {
            return Ok(None);
        }
        let condition = Precondition::IfMatch(vec![seen.version.clone()]);
        let imported = admin.import_catalog(&self.text, self.import_mode(), &condition, by);
        imported.await.map(Some)
    }
}

impl ImportExportPage {
    fn new(visitor: &SignedIn, sent: SubmittedImport) -> Self {
        Self {
            layout: Layout::new(visitor, "services", "Import and export"),
            submitted: sent,
            problem: String::new(),
            is_conflict: false,
            preview: None,
            flash: "",
            lost: LostEntries::default(),
        }
    }

    /// Shows what would be done now.
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

    /// Shows why it was not done and, where others were faster, what would be done now. Where that is nothing, who
    /// was faster has done the same, as a form does that is sent twice.
    async fn handle_import_error(&mut self, error: AdminError, admin: &Admin) -> StatusCode {
        if !matches!(error, AdminError::PreconditionFailed(_)) {
            return self.set_problem(&error.into());
        }
        let looked = self.load_preview(admin).await;
        if self.preview.as_ref().is_some_and(ImportReport::is_noop) {
            return looked;
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

/// Some entries of which the same becomes: what, and what each is and is called.
type PreviewSection<'a> = (&'static str, Vec<(&'static str, &'a str)>);

/// What becomes of which entries, the worst first.
fn preview_sections(preview: &ImportReport) -> Vec<PreviewSection<'_>> {
    let parts = [
        ("Deleted", &preview.deleted),
        ("Changed", &preview.replaced),
        ("New", &preview.created),
    ];
    let parts = parts.into_iter().filter(|(_, entries)| !entries.is_empty());
    parts
        .map(|(what, entries)| {
            let entries = entries.iter();
            (
                what,
                entries
                    .map(|(table, name)| (entry_label(*table), name.as_str()))
                    .collect(),
            )
        })
        .collect()
}

/// What changes in which entries, no more of it than anybody reads: what the entry is and is called, the option,
/// and its values.
fn differences(preview: &ImportReport) -> impl Iterator<Item = (&'static str, &Difference)> {
    let shown = preview.differences.iter().take(MAX_DIFFERENCES);
    shown.map(|difference| (entry_label(difference.entry.0), difference))
}

/// An entry of a table, as the pages call it.
fn entry_label(table: Table) -> &'static str {
    match table {
        Table::Services => "configured service",
        Table::Resources => "resource group",
    }
}
