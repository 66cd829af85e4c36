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
    Frame, Page, done,
    form::{CATALOGUE, Form},
    gate::Visitor,
    rendered, see, shown, url,
};
use crate::{
    http::{Api, ApiError, admin, body},
    service::{Admin, AdminError, Condition, Difference, Import, Imported, LostEntries, Operator},
    store::Table,
};

/// Changed options that a preview shows.
const MAX_DIFFERENCES: usize = 500;

#[derive(Template)]
#[template(path = "catalog.html")]
struct CatalogPage {
    frame: Frame,
    sent: Sent,
    problem: String,
    /// Others have changed the catalogue since it was looked at.
    changed: bool,
    /// What importing the text would do.
    preview: Option<Imported>,
    done: &'static str,
    lost: LostEntries,
}

/// What was done, as the place it leads to tells it, and in words.
const DONE: [(&str, &str); 2] = [
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
pub(super) async fn show(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let mut page = CatalogPage::new(&visitor, Sent::default());
    page.done = done(&body::query(&api, &request)?, &DONE);
    page.lost = admin::admin(&api)?.lost();
    shown(&page)
}

/// `GET /genesys/1/admin/ui/catalog/export`
pub(super) async fn export(api: Data<Api>, request: HttpRequest, _visitor: Visitor) -> Page {
    Ok(admin::catalog::export(api, request).await?)
}

/// `POST /genesys/1/admin/ui/catalog`: shows what an import would do or, where that was seen, does it.
pub(super) async fn import(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let sent = Sent::of(&Form::read(&api, &visitor, &request, payload).await?);
    let by = visitor.operator(&api, &request);
    let admin = admin::admin(&api)?;
    let mut page = CatalogPage::new(&visitor, sent);
    let status = match page.sent.import(admin, &by).await {
        Ok(Some(_)) => return Ok(see(&format!("{}?done=imported", url(&["catalog"])))),
        Ok(None) => page.look(admin).await,
        Err(error) => page.refuse(error, admin).await,
    };
    rendered(status, &page)
}

/// What a form asks for.
#[derive(Default)]
struct Sent {
    text: String,
    replace: bool,
    /// Tells this text and what it is to do from any other.
    digest: String,
    /// What was looked at and is to be done.
    seen: Option<Seen>,
}

/// What was shown.
struct Seen {
    /// The version that it would be done to.
    version: String,
    /// Of what was looked at.
    digest: String,
    /// How many deletions were confirmed.
    deletions: String,
}

impl Sent {
    fn of(form: &Form) -> Self {
        let seen = || Seen {
            version: form.text("version").to_owned(),
            digest: form.text("digest").to_owned(),
            deletions: form.text("deletions").trim().to_owned(),
        };
        let (text, replace) = (form.text(CATALOGUE), form.text("mode") == "replace");
        let mode = if replace { "replace" } else { "merge" };
        let told = [mode, "\n", text].concat();
        Self {
            text: text.to_owned(),
            replace,
            digest: URL_SAFE_NO_PAD.encode(digest(&SHA256, told.as_bytes())),
            seen: (form.text("act") == "import").then(seen),
        }
    }

    /// Whether the import was asked for without the number of deletions, or with another one.
    fn is_unconfirmed(&self, preview: &Imported) -> bool {
        let deleted = preview.deleted.len();
        let mut seen = self.seen.iter();
        deleted > 0
            && !self.is_edited()
            && seen.any(|seen| {
                seen.version == preview.version && seen.deletions != deleted.to_string()
            })
    }

    /// Whether something else is sent than was looked at.
    fn is_edited(&self) -> bool {
        let mut seen = self.seen.iter();
        seen.any(|seen| seen.digest != self.digest)
    }

    fn mode(&self) -> Import {
        if self.replace {
            Import::Replace
        } else {
            Import::Merge
        }
    }

    /// Does what was seen; nothing, where nothing was, or something else.
    async fn import(&self, admin: &Admin, by: &Operator) -> Result<Option<Imported>, AdminError> {
        if self.text.trim().is_empty() {
            let nothing = "there is nothing to import".to_owned();
            return Err(AdminError::Unreadable(nothing));
        }
        let seen = self.seen.as_ref().filter(|_| !self.is_edited());
        let Some(seen) = seen else {
            return Ok(None);
        };
        if let Ok(preview) = admin
            .preview(&self.text, self.mode(), &Condition::Unsaid)
            .await
            && self.is_unconfirmed(&preview)
        {
            return Ok(None);
        }
        let condition = Condition::Is(vec![seen.version.clone()]);
        let imported = admin.import(&self.text, self.mode(), &condition, by);
        imported.await.map(Some)
    }
}

impl CatalogPage {
    fn new(visitor: &Visitor, sent: Sent) -> Self {
        Self {
            frame: Frame::of(visitor, "services", "Import and export"),
            sent,
            problem: String::new(),
            changed: false,
            preview: None,
            done: "",
            lost: LostEntries::default(),
        }
    }

    /// Shows what would be done now.
    async fn look(&mut self, admin: &Admin) -> StatusCode {
        match admin
            .preview(&self.sent.text, self.sent.mode(), &Condition::Unsaid)
            .await
        {
            Ok(preview) => self.preview = Some(preview),
            Err(error) => return self.tell(&error.into()),
        }
        StatusCode::OK
    }

    /// Shows why it was not done and, where others were faster, what would be done now. Where that is nothing, who
    /// was faster has done the same, as a form does that is sent twice.
    async fn refuse(&mut self, error: AdminError, admin: &Admin) -> StatusCode {
        if !matches!(error, AdminError::Changed(_)) {
            return self.tell(&error.into());
        }
        let looked = self.look(admin).await;
        if self.preview.as_ref().is_some_and(Imported::is_nothing) {
            return looked;
        }
        self.changed = true;
        StatusCode::PRECONDITION_FAILED
    }

    fn tell(&mut self, error: &ApiError) -> StatusCode {
        self.problem = error.to_string();
        error.status_code()
    }

    fn can_import(&self) -> bool {
        let preview = self.preview.as_ref();
        preview.is_some_and(|preview| !preview.is_nothing())
    }
}

/// Some entries of which the same becomes: what, and what each is and is called.
type Part<'a> = (&'static str, Vec<(&'static str, &'a str)>);

/// What becomes of which entries, the worst first.
fn parts(preview: &Imported) -> Vec<Part<'_>> {
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
                    .map(|(table, name)| (called(*table), name.as_str()))
                    .collect(),
            )
        })
        .collect()
}

/// What changes in which entries, no more of it than anybody reads: what the entry is and is called, the option,
/// and its values.
fn differences(preview: &Imported) -> impl Iterator<Item = (&'static str, &Difference)> {
    let shown = preview.differences.iter().take(MAX_DIFFERENCES);
    shown.map(|difference| (called(difference.entry.0), difference))
}

/// An entry of a table, as the pages call it.
fn called(table: Table) -> &'static str {
    match table {
        Table::Services => "configured service",
        Table::Resources => "resource group",
    }
}
