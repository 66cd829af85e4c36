//! The whole catalogue as TOML: out, and in.

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use super::{Frame, Page, form::Form, gate::Visitor, rendered, shown};
use crate::{
    http::{Api, ApiError, admin},
    service::{Condition, Import, Imported},
};

#[derive(Template)]
#[template(path = "catalog.html")]
struct CatalogPage {
    frame: Frame,
    /// The state that an import is for.
    version: String,
    text: String,
    replace: bool,
    problem: String,
    imported: Option<Imported>,
}

impl CatalogPage {
    fn new(visitor: &Visitor, version: String) -> Self {
        Self {
            frame: Frame::of(visitor, "services", "Import and export"),
            version,
            text: String::new(),
            replace: false,
            problem: String::new(),
            imported: None,
        }
    }
}

/// `GET /genesys/1/admin/ui/catalog`
pub(super) async fn show(api: Data<Api>, visitor: Visitor) -> Page {
    let (version, _) = admin::admin(&api)?.export().await?;
    shown(&CatalogPage::new(&visitor, version))
}

/// `GET /genesys/1/admin/ui/catalog/export`
pub(super) async fn export(api: Data<Api>, _visitor: Visitor) -> Page {
    Ok(admin::catalog::export(api).await?)
}

/// `POST /genesys/1/admin/ui/catalog`
pub(super) async fn import(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let (text, replace) = (form.text("catalogue"), form.text("mode") == "replace");
    let mode = if replace {
        Import::Replace
    } else {
        Import::Merge
    };
    let (version, by) = (
        form.text("version").to_owned(),
        visitor.operator(&api, &request),
    );
    let condition = Condition::Is(vec![version.clone()]);
    let admin = admin::admin(&api)?;
    let mut page = CatalogPage::new(&visitor, version);
    let imported = if text.trim().is_empty() {
        Err(ApiError::InvalidBody(
            "there is nothing to import".to_owned(),
        ))
    } else {
        // Browsers end lines as forms do.
        let text = text.replace("\r\n", "\n");
        let imported = admin.import(&text, mode, &condition, &by).await;
        imported.map_err(ApiError::from)
    };
    let status = match imported {
        Ok(imported) => page.now(imported),
        Err(error) => page.refused(&error, text, replace),
    };
    rendered(status, &page)
}

impl CatalogPage {
    fn now(&mut self, imported: Imported) -> StatusCode {
        self.version.clone_from(&imported.version);
        self.imported = Some(imported);
        StatusCode::OK
    }

    fn refused(&mut self, error: &ApiError, text: &str, replace: bool) -> StatusCode {
        text.clone_into(&mut self.text);
        self.replace = replace;
        self.problem = error.to_string();
        error.status_code()
    }
}
