//! *API explorer*: a form for an operation of the client API. The browser sends the request to this listener and shows
//! the response. The requests take effect.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use utoipa::openapi::path::Parameter;

use super::{Layout, PageResult, ok_page, signed_in::SignedIn};
use crate::{
    http::{
        AppState, Document, admin_api, body,
        openapi::lookup::{DocumentedOperation, parameter_example},
    },
    model::Table,
};

/// Rows for parameters and files in the form.
const MAX_FIELDS: usize = 5;
const MAX_FILES: usize = 2;

/// The beginnings of the paths of the client API.
const CLIENT_PATHS: [&str; 3] = [
    "/genesys/1/service/",
    "/genesys/1/storage/",
    "/genesys/1/cs/",
];

#[derive(Template)]
#[template(path = "try_it.html")]
struct TryItPage<'a> {
    layout: Layout,
    /// Operations of the client API; none if this listener does not serve it.
    operations: Vec<DocumentedOperation<'a>>,
    /// The index of the selected operation.
    selected: usize,
    /// Names of service definitions, for completion.
    services: Vec<String>,
    /// The service id in the URL of the page.
    id: String,
}

impl TryItPage<'_> {
    fn selected(&self) -> Option<&DocumentedOperation<'_>> {
        self.operations.get(self.selected)
    }

    fn is_selected(&self, operation: &DocumentedOperation<'_>) -> bool {
        self.selected()
            .is_some_and(|selected| selected.id() == operation.id())
    }

    /// The initial value of a path parameter.
    fn initial_value(&self, parameter: &Parameter) -> String {
        let creates = self
            .selected()
            .is_some_and(|operation| operation.method == "POST");
        let example = parameter_example(parameter);
        let is_ttl = example.parse::<u64>().is_ok();
        match (parameter.name.as_str(), self.id.as_str()) {
            ("service", "") if creates => example,
            // These are TTLs in some operations, and ids or keys in others.
            ("idOrTtl" | "keyOrTtl" | "ttl", _) if is_ttl => example,
            ("service" | "id" | "idOrTtl", id) => id.to_owned(),
            _ => String::new(),
        }
    }
}

/// `GET /genesys/1/admin/ui/try?operation=&id=`
pub(super) async fn show_try_it(
    state: Data<AppState>,
    document: Data<Document>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let operations = client_operations(&document);
    let (_, services) = admin_api::admin_service(&state)?
        .list_entries(Table::Services)
        .await?;
    ok_page(&TryItPage {
        layout: Layout::new(&session, "try", "API explorer"),
        selected: selected_index(&operations, query.text("operation").unwrap_or_default()),
        operations,
        services: services.into_iter().map(|service| service.name).collect(),
        id: query.text("id").unwrap_or_default().to_owned(),
    })
}

/// The operations of the client API.
fn client_operations(document: &Document) -> Vec<DocumentedOperation<'_>> {
    let mut operations = document.operations();
    operations.retain(is_client_operation);
    operations
}

/// The index of the operation of this id; without one, of the first create.
fn selected_index(operations: &[DocumentedOperation<'_>], id: &str) -> usize {
    let selected = operations.iter().position(|operation| operation.id() == id);
    let mut all = operations.iter();
    let first_create = all.position(|operation| operation.method == "POST");
    selected.or(first_create).unwrap_or_default()
}

/// Whether the page has a form for the operation.
pub(super) fn is_client_operation(operation: &DocumentedOperation<'_>) -> bool {
    let mut prefixes = CLIENT_PATHS.iter();
    prefixes.any(|prefix| operation.path.starts_with(prefix))
}
