//! *Chats*: the page of agents. Its script uses the API for agents below `/genesys/1/admin/ui/agent`, which has the
//! handlers of `/genesys/1/agent` and the session of the console.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{Layout, PageResult, ok_page, services::downloads, signed_in::SignedIn};
use crate::{
    http::{AppState, agent_api, path},
    model::ServiceId,
    service::{ServiceError, SessionRole},
};

#[derive(Template)]
#[template(path = "chats.html")]
struct ChatsPage {
    layout: Layout,
    /// The user name, under which the user joins chats.
    agent: String,
    /// Whether the user is an agent, who is available by default.
    is_agent: bool,
}

/// `GET /genesys/1/admin/ui/chats?id=`: the script selects the chat with this id.
pub(super) async fn show_chats(session: SignedIn) -> PageResult {
    ok_page(&ChatsPage {
        layout: Layout::new(&session, "chats", "Chats"),
        agent: session.operator.clone(),
        is_agent: session.role == SessionRole::Agent,
    })
}

/// `GET /genesys/1/admin/ui/chats/{id}/files/{key}`: a binary of the service of a chat. Agents have access to no other
/// services.
pub(super) async fn download_file(state: Data<AppState>, request: HttpRequest) -> PageResult {
    let id =
        ServiceId::from_client(path::page_name(&request)?).map_err(ServiceError::NoSuchService)?;
    agent_api::agents(&state)?.require_chat(&id).await?;
    downloads::download_binary(state, request).await
}
