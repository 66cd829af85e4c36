//! The page of a replica: set it OFFLINE or ONLINE.

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    Layout, PageResult, form::Form, links::HOME, redirect_see_other, render, signed_in::SignedIn,
};
use crate::{
    http::{
        AppState,
        admin_api::{self, node},
        path,
    },
    model::NodeStatus,
    service::{Replica, SetStatusResult},
};

/// Messages after a redirect to the Overview.
pub(super) const FLASH_MESSAGES: [(&str, &str); 4] = [
    (
        "offline",
        "Replica set OFFLINE. It still serves the requests that it receives.",
    ),
    ("online", "Replica set ONLINE."),
    (
        "status_requested",
        "Status requested. The replica applies it within 5 seconds.",
    ),
    ("status_unchanged", "The replica has this status already."),
];

#[derive(Template)]
#[template(path = "replica.html")]
struct ReplicaPage {
    layout: Layout,
    /// `None` if it is not running.
    replica: Option<Replica>,
    /// Whether no other replica is ONLINE.
    is_last_online: bool,
}

/// `GET /genesys/1/admin/ui/replicas/{id}`
pub(super) async fn show_replica(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let id = path::page_name(&request)?;
    render_replica(&state, &session, &id).await
}

/// `POST /genesys/1/admin/ui/replicas/{id}`: sets the status in the field `status`.
pub(super) async fn set_replica_status(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let status = node::parse_node_status(form.text("status"))?;
    let id = path::page_name(&request)?;
    let actor = session.actor(&state, &request);
    let admin = admin_api::admin_service(&state)?;
    let result = admin.set_replica_status(&id, status, &actor).await?;
    match message(result, status) {
        Some(message) => Ok(redirect_see_other(&format!("{HOME}?message={message}"))),
        None => render_replica(&state, &session, &id).await,
    }
}

/// The message in [`FLASH_MESSAGES`]; `None` if the replica is not running.
fn message(result: SetStatusResult, status: NodeStatus) -> Option<&'static str> {
    Some(match (result, status) {
        (SetStatusResult::Applied, NodeStatus::Offline) => "offline",
        (SetStatusResult::Applied, NodeStatus::Online) => "online",
        (SetStatusResult::Requested, _) => "status_requested",
        (SetStatusResult::Unchanged, _) => "status_unchanged",
        (SetStatusResult::NotRunning, _) => return None,
    })
}

async fn render_replica(state: &AppState, session: &SignedIn, id: &str) -> PageResult {
    let replicas = admin_api::admin_service(state)?.replicas().await?;
    let (mut this, others): (Vec<_>, Vec<_>) =
        replicas.into_iter().partition(|replica| replica.id == id);
    let mut targets = others.iter().map(Replica::target_status);
    let is_last_online = targets.all(|status| status == NodeStatus::Offline);
    let replica = this.pop();
    let (code, title) = match &replica {
        Some(replica) => (StatusCode::OK, format!("Replica {}", replica.host)),
        None => (StatusCode::NOT_FOUND, "Replica not found".to_owned()),
    };
    let page = ReplicaPage {
        layout: Layout::new(session, "overview", title),
        replica,
        is_last_online,
    };
    render(code, &page)
}
