//! *API reference*: `/openapi.json` as a page.

use actix_web::web::Data;
use askama::Template;

use super::{
    Layout, PageResult, ok_page,
    openapi_view::{OperationView, operations, schemas},
    session_middleware::SignedIn,
};
use crate::http::Document;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiDocsPage {
    layout: Layout,
    /// The operations by tag.
    groups: Vec<(String, Vec<OperationView>)>,
    schemas: Vec<(String, String)>,
}

/// `GET /genesys/1/admin/ui/api`
pub(super) async fn show_api_docs(document: Data<Document>, session: SignedIn) -> PageResult {
    let document = document.value();
    let mut groups: Vec<(String, Vec<OperationView>)> = Vec::new();
    for operation in operations(&document) {
        match groups.iter_mut().find(|(tag, _)| *tag == operation.tag) {
            Some((_, group)) => group.push(operation),
            None => groups.push((operation.tag.clone(), vec![operation])),
        }
    }
    ok_page(&ApiDocsPage {
        layout: Layout::new(&session, "api", "API reference"),
        groups,
        schemas: schemas(&document),
    })
}
