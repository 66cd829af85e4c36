//! Creating a service that runs on a backend.
//!
//! The service is made first, with its data, so that the backend finds that; but it gets a short life,
//! long enough to be started. Then the backend starts, and what it started is noted before anything
//! else is asked of it. Only when it has answered does the service get its own life. So whatever fails,
//! and wherever this process dies, the service ends by itself, and with it what was noted.

use std::{sync::Arc, time::Duration};

use tracing::warn;

use super::{
    Backends, Catalog, InForce, ServiceError, Trail,
    backend::{About, Plan, SessionEnder},
    creation::{CreateAnswer, Creation, Made},
    definition::Definition,
    idempotency::Repeatable,
    parameters::Parameters,
};
use crate::{
    store::{Changes, ServiceId, Session, Sessions, Store, StoreError},
    telemetry::traces,
};

/// Added to the longest time that starting takes, for the store.
const MARGIN: Duration = Duration::from_secs(10);

/// A service that stands and is to be started.
struct Start {
    id: ServiceId,
    definition: Arc<Definition>,
    catalog: Arc<Catalog>,
    backends: Arc<Backends>,
    store: Arc<dyn Store>,
    trail: Trail,
    parameters: Vec<(String, String)>,
    pairs: Vec<(String, String)>,
    life: Duration,
    repeatable: Option<Repeatable>,
}

impl Creation {
    /// Makes the service and has a backend start it; `pairs` are all strings of the request. If that
    /// fails, nothing of the service is left.
    ///
    /// # Errors
    /// What the backend says, [`ServiceError::BackendUnreachable`] or
    /// [`ServiceError::BackendTimeout`]; the latter also where the first request with this
    /// `Idempotency-Key` has no answer yet.
    pub(super) async fn start(
        self,
        parameters: &Parameters,
        changes: Changes,
        pairs: Vec<(String, String)>,
    ) -> Result<CreateAnswer, ServiceError> {
        self.check_keys(&changes)?;
        let start = Start {
            id: self.id.clone(),
            definition: Arc::clone(&self.definition),
            catalog: Arc::clone(&self.catalog),
            backends: Arc::clone(&self.backends),
            store: Arc::clone(&self.store),
            trail: self.trail.clone().complete(),
            parameters: parameters.for_backend(&self.definition),
            pairs,
            life: self.life(parameters)?,
            repeatable: self.repeatable.clone(),
        };
        let until_started = start.longest();
        let made = self.make(until_started, changes, None, None).await?;
        if let Made::Before(_) = made {
            return Ok(made.answer(String::new()));
        }
        // A client that goes away now must not leave a session behind that nobody has noted.
        let started = tokio::spawn(traces::carried(start.carry_out())).await;
        let answer = started.map_err(|error| StoreError::Bug(error.to_string()))??;
        Ok(answer.into())
    }
}

impl Start {
    /// How long it may take.
    fn longest(&self) -> Duration {
        let calls = self.definition.plan().map_or(0, Plan::calls_of_a_create);
        let settings = self.backends.settings();
        let attempts = u32::try_from(settings.max_attempts).unwrap_or(u32::MAX);
        settings.connect_timeout * attempts.saturating_add(calls)
            + settings.answer_timeout * calls
            + MARGIN
    }

    async fn carry_out(self) -> Result<String, ServiceError> {
        let answer = self.try_to().await;
        // It takes along what was noted of it, through the clean-up.
        if answer.is_err()
            && let Err(error) = self.store.delete(&self.id).await
        {
            warn!(id = %self.id.hint(), %error, "a service that was not started ends by itself");
        }
        answer
    }

    async fn try_to(&self) -> Result<String, ServiceError> {
        let no_plan = || StoreError::Bug("a service without a backend was to be started".into());
        let plan = self.definition.plan().ok_or_else(no_plan)?;
        let about = About {
            id: &self.id,
            definition: self.definition.name(),
            request: "",
            pairs: &self.parameters,
            more: &self.pairs,
            trail: &self.trail,
        };
        let started = plan.start(&self.backends, &about).await?;
        if let Some(session) = &started.session {
            self.note(session).await?;
        }
        let answer = match (started.answer, &started.session) {
            (None, Some(session)) => plan.begin(&self.backends, &about, session).await?,
            (answer, _) => answer.ok_or_else(no_plan)?,
        };
        let end = self.store.now()?.after(self.life);
        let repeatable = self.repeatable.as_ref();
        let kept = repeatable.map(|repeatable| repeatable.kept(&answer));
        let settled = self.store.settle(&self.id, end, kept.as_deref()).await?;
        settled.map(|()| answer).ok_or(ServiceError::UploadLost)
    }

    /// Has the store know of the session; where it may not, the session is ended at once.
    async fn note(&self, session: &Session) -> Result<(), ServiceError> {
        let noted = self.store.attach(&self.id, session).await;
        if let Ok(Some(())) = noted {
            return Ok(());
        }
        let catalog = InForce::new(Arc::clone(&self.catalog));
        let ender = SessionEnder::new(catalog, Arc::clone(&self.backends));
        ender.end(&self.id, session).await;
        noted?;
        Err(ServiceError::UploadLost)
    }
}
