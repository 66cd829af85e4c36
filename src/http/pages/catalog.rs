//! The whole catalogue as TOML: out, and in.
//!
//! An import is shown before it is made: which entries it makes, changes and deletes. The form that has it
//! made carries the text and the version of what was shown, so that nothing else than that is done.

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use super::{Frame, Page, done, form::Form, gate::Visitor, rendered, see, shown, url};
use crate::{
    http::{Api, ApiError, admin, body},
    service::{Admin, AdminError, Condition, Import, Imported, Operator},
    store::Table,
};

#[derive(Template)]
#[template(path = "catalog.html")]
struct CatalogPage {
    frame: Frame,
    text: String,
    replace: bool,
    problem: String,
    /// Others have changed the catalogue since it was looked at.
    changed: bool,
    /// What importing the text would do.
    preview: Option<Imported>,
    done: &'static str,
}

/// What was done, as the place it leads to tells it, and in words.
const DONE: [(&str, &str); 1] = [(
    "imported",
    "It is imported, and in force on every replica within a second.",
)];

/// `GET /genesys/1/admin/ui/catalog`
pub(super) async fn show(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let mut page = CatalogPage::new(&visitor, &Sent::default());
    page.done = done(&body::query(&api, &request)?, &DONE);
    shown(&page)
}

/// `GET /genesys/1/admin/ui/catalog/export`
pub(super) async fn export(api: Data<Api>, _visitor: Visitor) -> Page {
    Ok(admin::catalog::export(api).await?)
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
    let mut page = CatalogPage::new(&visitor, &sent);
    let status = match sent.import(admin, &by).await {
        Ok(Some(_)) => return Ok(see(&format!("{}?done=imported", url(&["catalog"])))),
        Ok(None) => page.look(admin, &sent).await,
        Err(error) => page.refuse(error, admin, &sent).await,
    };
    rendered(status, &page)
}

/// What a form asks for.
#[derive(Default)]
struct Sent {
    text: String,
    replace: bool,
    /// The version that was seen with what would be done to it.
    seen: Option<String>,
}

impl Sent {
    fn of(form: &Form) -> Self {
        let seen = form.text("act") == "import";
        Self {
            text: form.text("catalogue").to_owned(),
            replace: form.text("mode") == "replace",
            seen: seen.then(|| form.text("version").to_owned()),
        }
    }

    fn mode(&self) -> Import {
        if self.replace {
            Import::Replace
        } else {
            Import::Merge
        }
    }

    /// Does what was seen; nothing, where nothing was.
    async fn import(&self, admin: &Admin, by: &Operator) -> Result<Option<Imported>, AdminError> {
        let Some(seen) = &self.seen else {
            return Ok(None);
        };
        let condition = Condition::Is(vec![seen.clone()]);
        let imported = admin.import(&self.text, self.mode(), &condition, by);
        imported.await.map(Some)
    }
}

impl CatalogPage {
    fn new(visitor: &Visitor, sent: &Sent) -> Self {
        Self {
            frame: Frame::of(visitor, "services", "Import and export"),
            text: sent.text.clone(),
            replace: sent.replace,
            problem: String::new(),
            changed: false,
            preview: None,
            done: "",
        }
    }

    /// Shows what would be done now.
    async fn look(&mut self, admin: &Admin, sent: &Sent) -> StatusCode {
        if sent.text.trim().is_empty() {
            let nothing = "there is nothing to import".to_owned();
            return self.tell(&ApiError::InvalidBody(nothing));
        }
        match admin.preview(&sent.text, sent.mode()).await {
            Ok(preview) => self.preview = Some(preview),
            Err(error) => return self.tell(&error.into()),
        }
        StatusCode::OK
    }

    /// Shows why it was not done and, where others were faster, what would be done now.
    async fn refuse(&mut self, error: AdminError, admin: &Admin, sent: &Sent) -> StatusCode {
        self.changed = matches!(error, AdminError::Changed(_));
        if self.changed {
            self.look(admin, sent).await;
            return StatusCode::PRECONDITION_FAILED;
        }
        self.tell(&error.into())
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

/// An entry of a table, as the pages call it.
fn called(table: Table) -> &'static str {
    match table {
        Table::Services => "configured service",
        Table::Resources => "resource group",
    }
}
