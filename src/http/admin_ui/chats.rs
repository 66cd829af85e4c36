//! *Chats*: the page of agents. Its script uses the API for agents below `/genesys/1/admin/ui/agent`, which has the
//! handlers of `/genesys/1/agent` and the session of the console.

use askama::Template;

use super::{Layout, PageResult, ok_page, signed_in::SignedIn};
use crate::model::Role;

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
        is_agent: session.role == Role::Agent,
    })
}
