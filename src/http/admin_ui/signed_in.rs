//! The admin session of a request, for handlers.

use std::{future::Ready, ops::Deref, rc::Rc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};

use super::PageError;
use crate::{
    http::{ApiError, AppState, middleware::real_ip::client_address},
    model::readiness::Status,
    service::{Actor, AdminSession},
};

/// The admin session of a request.
#[derive(Clone)]
pub(super) struct SignedIn {
    session: Rc<AdminSession>,
    /// The readiness of this replica, while the store is unavailable.
    readiness: Option<Rc<Status>>,
}

impl Deref for SignedIn {
    type Target = AdminSession;

    fn deref(&self) -> &AdminSession {
        &self.session
    }
}

impl SignedIn {
    pub(super) fn new(session: AdminSession, readiness: Option<Status>) -> Self {
        Self {
            session: Rc::new(session),
            readiness: readiness.map(Rc::new),
        }
    }

    /// The readiness of this replica, while the store is unavailable.
    pub(super) fn readiness(&self) -> Option<&Status> {
        self.readiness.as_deref()
    }

    /// The actor of a change, for the audit log.
    pub(super) fn actor(&self, state: &AppState, request: &HttpRequest) -> Actor {
        Actor {
            name: self.session.operator.clone(),
            address: client_address(request, &state.trusted_proxies),
        }
    }
}

impl FromRequest for SignedIn {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.extensions().get::<Self>().cloned();
        std::future::ready(session.ok_or_else(|| {
            tracing::error!("console page without session middleware");
            ApiError::Internal.into()
        }))
    }
}
