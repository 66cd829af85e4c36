//! *API reference*: `/openapi.json` as a page.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{
    Layout, PageResult,
    client_code::{ClientCode, client_code},
    list_query::{ListQuery, ListSpec},
    ok_page,
    signed_in::SignedIn,
    try_it::is_client_operation,
};
use crate::http::{
    AppState, Document, body,
    openapi::lookup::{DocumentedOperation, by_tag},
    public_address::base_url,
};

const SPEC: ListSpec = ListSpec {
    path: "/genesys/1/admin/ui/api",
    filters: &["q"],
    columns: &["tag"],
    is_descending: false,
};
/// Operations are open if a search finds at most this many.
const MAX_OPEN: usize = 3;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiDocsPage<'a> {
    layout: Layout,
    list: ListQuery,
    /// The operations by tag.
    groups: Vec<(&'a str, &'a [DocumentedOperation<'a>])>,
    found: usize,
    /// Not shown with a search.
    schemas: Vec<(&'a str, String)>,
    base_url: String,
}

impl ApiDocsPage<'_> {
    fn is_open(&self) -> bool {
        self.list.is_filtered() && self.found <= MAX_OPEN
    }

    fn client_code(&self, operation: &DocumentedOperation<'_>) -> Vec<ClientCode> {
        client_code(operation, &self.base_url)
    }
}

/// `GET /genesys/1/admin/ui/api?q=`
pub(super) async fn show_api_docs(
    state: Data<AppState>,
    document: Data<Document>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let list = ListQuery::parse(&SPEC, &body::parse_query(&state, &request)?)?;
    let mut operations = document.operations();
    operations.retain(|operation| matches(operation, list.filter("q")));
    let schemas = (!list.is_filtered()).then(|| document.schemas());
    ok_page(&ApiDocsPage {
        layout: Layout::new(&session, "api", "API reference"),
        list,
        found: operations.len(),
        groups: by_tag(&operations).collect(),
        schemas: schemas.unwrap_or_default(),
        base_url: base_url(&request, &state.trusted_proxies),
    })
}

/// The id of the heading of a tag.
fn tag_id(tag: &str) -> String {
    format!("tag-{}", tag.replace(' ', "-"))
}

/// Whether an operation contains all words of a search, in any case: in its texts, or in names of its parameters, fields,
/// examples, status codes and errors.
fn matches(operation: &DocumentedOperation<'_>, query: &str) -> bool {
    if query.trim().is_empty() {
        return true;
    }
    let texts = [
        operation.id(),
        operation.tag(),
        operation.method,
        operation.path,
        operation.summary(),
        operation.description(),
    ];
    let names = operation.names().join(" ");
    let text = format!("{} {names}", texts.join(" ")).to_lowercase();
    let query = query.to_lowercase();
    query.split_whitespace().all(|word| text.contains(word))
}
