//! Creating a service that runs on a backend.
//!
//! The service is made first, with its data, so that the backend finds that; but it gets a short life,
//! long enough to be started. Then the backend starts, and what it started is noted before anything
//! else is asked of it. Only when it has answered does the service get its own life. So whatever fails,
//! and wherever this process dies, the service ends by itself, and with it what was noted.

use std::{sync::Arc, time::Duration};

use tracing::warn;

use super::{
    Backends, Catalog, CurrentCatalog, PropagatedHeaders, ServiceError,
    backend::{BackendDefinition, RequestContext, SessionTerminator},
    create::{CreateOutcome, CreateResponse, PendingCreate},
    definition::Definition,
    idempotency::IdempotentRequest,
    parameters::Parameters,
};
use crate::{
    store::{BackendSession, BackendSessions, Changes, ServiceId, Store, StoreError},
    telemetry::traces,
};

/// Added to the longest time that starting takes, for the store.
const STORE_MARGIN: Duration = Duration::from_secs(10);

/// A service that stands and is to be started.
struct BackendStart {
    id: ServiceId,
    definition: Arc<Definition>,
    catalog: Arc<Catalog>,
    backends: Arc<Backends>,
    store: Arc<dyn Store>,
    propagated_headers: PropagatedHeaders,
    parameters: Vec<(String, String)>,
    form_fields: Vec<(String, String)>,
    ttl: Duration,
    idempotent_request: Option<IdempotentRequest>,
}

impl PendingCreate {
    /// Makes the service and has a backend start it; `pairs` are all strings of the request. If that
    /// fails, nothing of the service is left.
    ///
    /// # Errors
    /// What the backend says, [`ServiceError::BackendUnreachable`] or
    /// [`ServiceError::BackendTimeout`]; the latter also where the first request with this
    /// `Idempotency-Key` has no answer yet.
    pub(super) async fn create_on_backend(
        self,
        parameters: &Parameters,
        changes: Changes,
        pairs: Vec<(String, String)>,
    ) -> Result<CreateResponse, ServiceError> {
        self.check_key_count(&changes)?;
        let start = BackendStart {
            id: self.id.clone(),
            definition: Arc::clone(&self.definition),
            catalog: Arc::clone(&self.catalog),
            backends: Arc::clone(&self.backends),
            store: Arc::clone(&self.store),
            propagated_headers: self.propagated_headers.clone().with_request_id(),
            parameters: parameters.backend_fields(&self.definition),
            form_fields: pairs,
            ttl: self.ttl(parameters)?,
            idempotent_request: self.idempotent_request.clone(),
        };
        let until_started = start.timeout();
        let made = self.create(until_started, changes, None, None).await?;
        if let CreateOutcome::Replayed(_) = made {
            return Ok(made.into_response(String::new()));
        }
        // A client that goes away now must not leave a session behind that nobody has noted.
        let started = tokio::spawn(traces::with_current_context(start.run())).await;
        let answer = started.map_err(|error| StoreError::Bug(error.to_string()))??;
        Ok(answer.into())
    }
}

impl BackendStart {
    /// How long it may take.
    fn timeout(&self) -> Duration {
        let calls = self
            .definition
            .backend()
            .map_or(0, BackendDefinition::requests_per_create);
        let settings = self.backends.settings();
        let attempts = u32::try_from(settings.max_attempts).unwrap_or(u32::MAX);
        settings.connect_timeout * attempts.saturating_add(calls)
            + settings.response_timeout * calls
            + STORE_MARGIN
    }

    async fn run(self) -> Result<String, ServiceError> {
        let answer = self.start_on_backend().await;
        // It takes along what was noted of it, through the clean-up.
        if answer.is_err()
            && let Err(error) = self.store.delete(&self.id).await
        {
            warn!(id = %self.id.redacted(), %error, "a service that was not started ends by itself");
        }
        answer
    }

    async fn start_on_backend(&self) -> Result<String, ServiceError> {
        let no_plan = || StoreError::Bug("a service without a backend was to be started".into());
        let plan = self.definition.backend().ok_or_else(no_plan)?;
        let about = RequestContext {
            id: &self.id,
            definition: self.definition.name(),
            request: "",
            fields: &self.parameters,
            template_fields: &self.form_fields,
            propagated_headers: &self.propagated_headers,
        };
        let started = plan.start(&self.backends, &about).await?;
        if let Some(session) = &started.session {
            self.attach_session(session).await?;
        }
        let answer = match (started.response, &started.session) {
            (None, Some(session)) => plan.begin_session(&self.backends, &about, session).await?,
            (answer, _) => answer.ok_or_else(no_plan)?,
        };
        let end = self.store.now()?.after(self.ttl);
        let repeatable = self.idempotent_request.as_ref();
        let kept = repeatable.map(|repeatable| repeatable.stored_value(&answer));
        let settled = self
            .store
            .finish_create(&self.id, end, kept.as_deref())
            .await?;
        settled.map(|()| answer).ok_or(ServiceError::UploadLost)
    }

    /// Has the store know of the session; where it may not, the session is ended at once.
    async fn attach_session(&self, session: &BackendSession) -> Result<(), ServiceError> {
        let noted = self.store.attach_session(&self.id, session).await;
        if let Ok(Some(())) = noted {
            return Ok(());
        }
        let catalog = CurrentCatalog::new(Arc::clone(&self.catalog));
        let ender = SessionTerminator::new(catalog, Arc::clone(&self.backends));
        ender.terminate(&self.id, session).await;
        noted?;
        Err(ServiceError::UploadLost)
    }
}
