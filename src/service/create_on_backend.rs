//! Creates a service that runs on a backend.
//!
//! The service is created first, with its data, so that the backend can read it. Its TTL is short, but long enough
//! for the start. Then the backend session is started and recorded before any other request is sent to it. When the
//! backend has responded, the service gets its actual TTL. So after any failure or a crash at any point, the service
//! expires and the cleanup terminates the recorded session.

use std::{sync::Arc, time::Duration};

use tracing::{Instrument, warn};

use super::{
    Catalog, CurrentCatalog, ServiceContext, ServiceError, SessionTerminator,
    create::{CreateOutcome, CreateResponse, PendingCreate},
    definition::Definition,
    idempotency::IdempotentRequest,
    parameters::Parameters,
};
use crate::{
    backend::{BackendDefinition, RequestContext},
    model::{BackendSession, Changes, PropagatedHeaders, ServiceId, StoreError},
    store::BackendSessions,
};

/// Time for store operations, added to the maximum duration of a start.
const STORE_MARGIN: Duration = Duration::from_secs(10);

/// A created service that is not started yet.
struct BackendStart {
    id: ServiceId,
    definition: Arc<Definition>,
    catalog: Arc<Catalog>,
    context: Arc<ServiceContext>,
    propagated_headers: PropagatedHeaders,
    parameters: Vec<(String, String)>,
    form_fields: Vec<(String, String)>,
    ttl: Duration,
    idempotent_request: Option<IdempotentRequest>,
}

impl PendingCreate {
    /// Creates the service and starts it on a backend. `form_fields` are all strings of the request. If it fails, the
    /// service is deleted.
    ///
    /// # Errors
    /// [`ServiceError::BackendUnreachable`] or [`ServiceError::BackendTimeout`]; the latter also if the first request
    /// with this `Idempotency-Key` is in progress.
    pub(super) async fn create_on_backend(
        self,
        parameters: &Parameters,
        changes: Changes,
        form_fields: Vec<(String, String)>,
    ) -> Result<CreateResponse, ServiceError> {
        self.check_key_count(&changes)?;
        let start = BackendStart {
            id: self.id.clone(),
            definition: Arc::clone(&self.definition),
            catalog: Arc::clone(&self.catalog),
            context: Arc::clone(&self.context),
            propagated_headers: self.propagated_headers.clone().with_request_id(),
            parameters: parameters.backend_fields(&self.definition),
            form_fields,
            ttl: self.ttl(parameters)?,
            idempotent_request: self.idempotent_request.clone(),
        };
        let start_timeout = start.timeout();
        let outcome = self.create(start_timeout, changes, None, None).await?;
        if let CreateOutcome::Replayed(_) = outcome {
            return Ok(outcome.into_response(String::new()));
        }
        // The start continues if the client disconnects, so that no session remains unrecorded.
        let started = tokio::spawn(start.run().in_current_span()).await;
        let response = started.map_err(|error| StoreError::Bug(error.to_string()))??;
        Ok(response.into())
    }
}

impl BackendStart {
    /// The maximum duration of the start.
    fn timeout(&self) -> Duration {
        let requests = self
            .definition
            .backend()
            .map_or(0, BackendDefinition::requests_per_create);
        let settings = self.context.backends.settings();
        let attempts = u32::try_from(settings.max_attempts).unwrap_or(u32::MAX);
        settings.connect_timeout * attempts.saturating_add(requests)
            + settings.response_timeout * requests
            + STORE_MARGIN
    }

    async fn run(self) -> Result<String, ServiceError> {
        let response = self.start_on_backend().await;
        // The cleanup terminates the recorded session.
        if response.is_err()
            && let Err(error) = self.context.store.delete(&self.id).await
        {
            warn!(id = %self.id.redacted(), %error, "service that failed to start not deleted; it expires");
        }
        response
    }

    async fn start_on_backend(&self) -> Result<String, ServiceError> {
        let no_backend = || StoreError::Bug("start of a service without a backend".into());
        let backend = self.definition.backend().ok_or_else(no_backend)?;
        let context = RequestContext {
            id: &self.id,
            definition: self.definition.name(),
            request: "",
            fields: &self.parameters,
            template_fields: &self.form_fields,
            propagated_headers: &self.propagated_headers,
        };
        let started = backend.start(&self.context.backends, &context).await?;
        if let Some(session) = &started.session {
            self.attach_session(session).await?;
        }
        let response = match (started.response, &started.session) {
            (None, Some(session)) => {
                backend
                    .begin_session(&self.context.backends, &context, session)
                    .await?
            }
            (response, _) => response.ok_or_else(no_backend)?,
        };
        let end = self.context.store.now()?.after(self.ttl);
        let idempotent_request = self.idempotent_request.as_ref();
        let stored_response =
            idempotent_request.map(|idempotent_request| idempotent_request.stored_value(&response));
        let finished = self
            .context
            .store
            .finish_create(&self.id, end, stored_response.as_deref())
            .await?;
        finished.map(|()| response).ok_or(ServiceError::UploadLost)
    }

    /// Records the session in the store. If that fails, the session is terminated.
    async fn attach_session(&self, session: &BackendSession) -> Result<(), ServiceError> {
        let attached = self.context.store.attach_session(&self.id, session).await;
        if let Ok(Some(())) = attached {
            return Ok(());
        }
        let catalog = CurrentCatalog::new(Arc::clone(&self.catalog));
        let terminator = SessionTerminator::new(catalog, Arc::clone(&self.context.backends));
        terminator.terminate(&self.id, session).await;
        attached?;
        Err(ServiceError::UploadLost)
    }
}
