//! The import in a form, with the preview that it confirms.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::{
    http::admin_ui::{form::Form, form_fields::CATALOG_FIELD},
    service::{Actor, Admin, AdminError, ImportMode, ImportReport, Precondition},
};

/// The import in a form.
#[derive(Default)]
pub(super) struct SubmittedImport {
    pub(super) text: String,
    pub(super) replace: bool,
    /// Digest of text and mode.
    pub(super) digest: String,
    /// The preview that the form confirms.
    previewed: Option<PreviewedImport>,
}

/// A preview that was confirmed.
pub(super) struct PreviewedImport {
    /// The version of the catalog in the preview.
    version: String,
    /// Digest of the input in the preview.
    digest: String,
    /// The number of deletions that the operator typed.
    deletions: String,
}

impl SubmittedImport {
    pub(super) fn from_form(form: &Form) -> Self {
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
    pub(super) fn is_unconfirmed(&self, preview: &ImportReport) -> bool {
        let deleted = preview.deleted.len();
        let mut previewed = self.previewed.iter();
        deleted > 0
            && !self.is_edited()
            && previewed.any(|previewed| {
                previewed.version == preview.version && previewed.deletions != deleted.to_string()
            })
    }

    /// Whether the input changed after the preview.
    pub(super) fn is_edited(&self) -> bool {
        let mut previewed = self.previewed.iter();
        previewed.any(|previewed| previewed.digest != self.digest)
    }

    pub(super) fn import_mode(&self) -> ImportMode {
        if self.replace {
            ImportMode::Replace
        } else {
            ImportMode::Merge
        }
    }

    /// Applies a confirmed import. `None` without a preview, or if the input has changed since.
    pub(super) async fn import(
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
