//! Ending sessions of services that are over, when the clean-up says so.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tracing::{debug, warn};

use super::{
    Backends,
    call::{About, Trail},
};
use crate::{
    service::InForce,
    store::{Ended, ServiceId, Session, Sessions},
};

/// Ends sessions on the backends of a catalogue.
pub struct SessionEnder {
    catalog: InForce,
    backends: Arc<Backends>,
}

impl SessionEnder {
    /// For the configured services of `catalog`, and those that were in it.
    #[must_use]
    pub fn new(catalog: InForce, backends: Arc<Backends>) -> Self {
        Self { catalog, backends }
    }
}

#[async_trait]
impl Sessions for SessionEnder {
    fn patience(&self) -> Duration {
        // The wait for a connection, then the answer; and time to be scheduled.
        let settings = self.backends.settings();
        settings.connect_timeout + settings.answer_timeout + Duration::from_secs(1)
    }

    async fn end(&self, id: &ServiceId, session: &Session) -> Ended {
        let Session {
            definition,
            backend,
            name,
        } = session;
        let give_up = |reason: &str| {
            warn!(id = %id.hint(), definition, backend, session = name, reason, "a session cannot be ended");
            Ended::ForGood
        };
        let catalog = self.catalog.now();
        let plan = catalog.origin_of(definition);
        if plan.is_none() && catalog.may_know(definition) {
            return Ended::NotYet;
        }
        let Some(plan) = plan.and_then(|definition| definition.plan()) else {
            return give_up("its service is no longer configured, or runs without a backend");
        };
        let trail = Trail::default().complete();
        let about = About {
            id,
            definition,
            request: "",
            pairs: &[],
            more: &[],
            trail: &trail,
        };
        let (base, call) = match plan.end(&about, session) {
            None => return Ended::ForGood,
            Some(Err(error)) => return give_up(&error.to_string()),
            Some(Ok(call)) => call,
        };
        match self.backends.send(base, &call).await {
            Ok(reply) if reply.status.is_success() => Ended::ForGood,
            // It is not there, for whatever reason.
            Ok(reply) if matches!(reply.status.as_u16(), 404 | 410) => Ended::ForGood,
            Ok(reply) if reply.status.is_server_error() => Ended::NotYet,
            Ok(reply) => give_up(&format!("it answered {}", reply.status.as_u16())),
            // It did answer.
            Err(super::Failure::TooLong(_)) => Ended::ForGood,
            Err(failure) => {
                debug!(id = %id.hint(), backend, ?failure, "a session is not ended yet");
                Ended::NotYet
            }
        }
    }
}
