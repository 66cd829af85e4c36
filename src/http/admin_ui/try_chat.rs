//! *Try chat*: plays the customer of a chat. The browser uses the client API of this listener and server-sent events.

use actix_web::web::Data;
use askama::Template;

use super::{Layout, PageResult, ok_page, signed_in::SignedIn};
use crate::{
    http::{AppState, Document, admin_api},
    model::Table,
    service::CatalogEntry,
};

/// The operation that the page needs.
const STREAM_OPERATION: &str = "streamChat";

#[derive(Template)]
#[template(path = "try_chat.html")]
struct TryChatPage {
    layout: Layout,
    /// Whether this listener serves the client API.
    is_served: bool,
    /// The names of the service definitions for chats.
    definitions: Vec<String>,
}

/// `GET /genesys/1/admin/ui/try-chat`
pub(super) async fn show_try_chat(
    state: Data<AppState>,
    document: Data<Document>,
    session: SignedIn,
) -> PageResult {
    let admin = admin_api::admin_service(&state)?;
    let (_, entries) = admin.list_entries(Table::Services).await?;
    let definitions = entries.into_iter().filter(is_chat_definition);
    let mut operations = document.operations().into_iter();
    ok_page(&TryChatPage {
        layout: Layout::new(&session, "try-chat", "Try chat"),
        is_served: operations.any(|operation| operation.id() == STREAM_OPERATION),
        definitions: definitions.map(|entry| entry.name).collect(),
    })
}

fn is_chat_definition(entry: &CatalogEntry) -> bool {
    let option = |name| entry.options.get(name).and_then(|value| value.text());
    entry.problem.is_none() && option("_service") == Some("request-chat")
}
