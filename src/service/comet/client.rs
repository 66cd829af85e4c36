//! The client of a request.

use ring::digest::{Context, SHA256};

use crate::{
    model::comet::{CometSessionId, CometUser},
    service::digest,
    telemetry::metrics::CometTransport,
};

/// The client of a request or of a WebSocket.
#[derive(Debug, Clone)]
pub struct CometClient {
    pub(super) user: Option<CometUser>,
    pub(super) transport: CometTransport,
}

impl CometClient {
    /// A client with this `gms_user`. An empty one is none.
    #[must_use]
    pub fn new(gms_user: Option<&str>, transport: CometTransport) -> Self {
        Self {
            user: gms_user.filter(|user| !user.is_empty()).map(user_of),
            transport,
        }
    }

    /// The session with this id. Another user's session does not exist for the client.
    pub(super) fn session(&self, client_id: Option<&str>) -> Option<CometSessionId> {
        let id = CometSessionId::parse(client_id?)?;
        let is_own = self.user.as_ref().is_none_or(|user| *user == id.user);
        is_own.then_some(id)
    }
}

/// The user with this `gms_user`.
pub(super) fn user_of(gms_user: &str) -> CometUser {
    let mut context = Context::new(&SHA256);
    context.update(gms_user.as_bytes());
    CometUser::from_digest(&digest::sha256_hex(&context))
}
