//! *API explorer*: a form for an operation of the client API. The browser sends the request to this listener and shows
//! the response. The requests take effect.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{
    Layout, PageResult, ok_page,
    openapi_view::{OperationView, operations},
    session_middleware::SignedIn,
};
use crate::{
    http::{AppState, Document, admin_api, body},
    model::Table,
};

/// Rows for parameters and files in the form.
const MAX_FIELDS: usize = 5;
const MAX_FILES: usize = 2;

#[derive(Template)]
#[template(path = "try_it.html")]
struct TryItPage {
    layout: Layout,
    /// Operations of the client API; none if this listener does not serve it.
    operations: Vec<OperationView>,
    /// The index of the selected operation.
    selected: usize,
    /// Names of service definitions, for completion.
    services: Vec<String>,
    /// The service id in the URL of the page.
    id: String,
}

impl TryItPage {
    fn selected(&self) -> Option<&OperationView> {
        self.operations.get(self.selected)
    }

    fn is_selected(&self, operation: &OperationView) -> bool {
        self.selected()
            .is_some_and(|selected| selected.id == operation.id)
    }

    /// The initial value of a path parameter.
    fn initial_value<'a>(&'a self, name: &str, example: &'a str) -> &'a str {
        let creates = self
            .selected()
            .is_some_and(|operation| operation.method == "POST");
        match (name, self.id.as_str()) {
            ("service", "") if creates => example,
            ("service" | "id", id) => id,
            _ => "",
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
    let operation_id = query.text("operation").unwrap_or_default();
    let mut operations = operations(&document.value());
    operations.retain(is_client_operation);
    operations.sort_by_key(|operation| (operation.tag.clone(), operation.path.len()));
    let selected = operations
        .iter()
        .position(|operation| operation.id == operation_id);
    let first_create = operations
        .iter()
        .position(|operation| operation.method == "POST");
    let (_, services) = admin_api::admin_service(&state)?
        .list_entries(Table::Services)
        .await?;
    ok_page(&TryItPage {
        layout: Layout::new(&session, "try", "API explorer"),
        selected: selected.or(first_create).unwrap_or_default(),
        operations,
        services: services.into_iter().map(|service| service.name).collect(),
        id: query.text("id").unwrap_or_default().to_owned(),
    })
}

fn is_client_operation(operation: &OperationView) -> bool {
    let mut prefixes = ["/genesys/1/service/", "/genesys/1/cs/"].iter();
    prefixes.any(|prefix| operation.path.starts_with(prefix))
}
