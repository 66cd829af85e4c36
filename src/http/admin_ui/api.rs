//! *API reference*: `/openapi.json` as a page.

use actix_web::web::Data;
use askama::Template;

use super::{Layout, PageResult, ok_page, signed_in::SignedIn, try_it::is_client_operation};
use crate::http::{Document, openapi::lookup::DocumentedOperation};

#[derive(Template)]
#[template(path = "api.html")]
struct ApiDocsPage<'a> {
    layout: Layout,
    /// The operations by tag.
    groups: Vec<(&'a str, Vec<DocumentedOperation<'a>>)>,
    schemas: Vec<(&'a str, String)>,
}

/// `GET /genesys/1/admin/ui/api`
pub(super) async fn show_api_docs(document: Data<Document>, session: SignedIn) -> PageResult {
    let mut groups: Vec<(&str, Vec<DocumentedOperation<'_>>)> = Vec::new();
    for operation in document.operations() {
        match groups.iter_mut().find(|(tag, _)| *tag == operation.tag()) {
            Some((_, group)) => group.push(operation),
            None => groups.push((operation.tag(), vec![operation])),
        }
    }
    ok_page(&ApiDocsPage {
        layout: Layout::new(&session, "api", "API reference"),
        groups,
        schemas: document.schemas(),
    })
}
