//! *Try it*: an operation of the client API, filled in, sent by the browser to this very listener, and
//! shown as it went over the wire. What it does is done for real.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{
    Layout, PageResult, ok_page,
    openapi_view::{OperationView, operations},
    session_middleware::SignedIn,
};
use crate::{
    http::{AppState, Document, admin_api, body},
    store::Table,
};

/// Pairs and files that a request may carry here.
const MAX_PAIRS: usize = 5;
const MAX_FILES: usize = 2;

#[derive(Template)]
#[template(path = "try_it.html")]
struct TryItPage {
    layout: Layout,
    /// Those that clients may ask; none where this listener serves no clients.
    operations: Vec<OperationView>,
    /// Which of them is to be tried.
    chosen: usize,
    /// Names of configured services, to choose from.
    services: Vec<String>,
    /// What the URL fills in already: a service's id.
    id: String,
}

impl TryItPage {
    fn chosen(&self) -> Option<&OperationView> {
        self.operations.get(self.chosen)
    }

    fn is_chosen(&self, operation: &OperationView) -> bool {
        self.chosen()
            .is_some_and(|chosen| chosen.id == operation.id)
    }

    /// What stands in a place of the path to begin with.
    fn initial_value<'a>(&'a self, name: &str, example: &'a str) -> &'a str {
        let creates = self.chosen().is_some_and(|chosen| chosen.method == "POST");
        match (name, self.id.as_str()) {
            ("service", "") if creates => example,
            ("service" | "id", id) => id,
            _ => "",
        }
    }
}

/// `GET /genesys/1/admin/ui/try?operation=&id=`
pub(super) async fn show_try_it(
    api: Data<AppState>,
    document: Data<Document>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&api, &request)?;
    let wanted = query.text("operation").unwrap_or_default();
    let mut operations = operations(&document.value());
    operations.retain(is_client_operation);
    operations.sort_by_key(|operation| (operation.tag.clone(), operation.path.len()));
    let chosen = operations
        .iter()
        .position(|operation| operation.id == wanted);
    let first = operations
        .iter()
        .position(|operation| operation.method == "POST");
    let (_, services) = admin_api::admin_service(&api)?
        .list_entries(Table::Services)
        .await?;
    ok_page(&TryItPage {
        layout: Layout::new(&visitor, "try", "Try it"),
        chosen: chosen.or(first).unwrap_or_default(),
        operations,
        services: services.into_iter().map(|service| service.name).collect(),
        id: query.text("id").unwrap_or_default().to_owned(),
    })
}

fn is_client_operation(operation: &OperationView) -> bool {
    let mut places = ["/genesys/1/service/", "/genesys/1/cs/"].iter();
    places.any(|place| operation.path.starts_with(place))
}
