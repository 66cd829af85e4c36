//! Service-specific requests to a service that lives.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Pairs, ServiceError, Services, Trail, Uploads, backend::About, definition::Definition,
};
use crate::store::{ServiceId, Session, StoreError};

/// The request that every service answers: a write to its storage.
const UPDATE: &str = "update";

/// A request that the service knows.
pub struct Asked {
    id: ServiceId,
    request: String,
    to: To,
}

enum To {
    Storage,
    Backend(Arc<Definition>, Option<Session>),
}

impl Services {
    /// Checks a request before its body is read: one round trip tells whether the service lives, what it
    /// is and where it runs.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] where no such service lives, [`ServiceError::NoSuchRequest`]
    /// where it does not know the request.
    pub async fn ask(&self, id: ServiceId, request: String) -> Result<Asked, ServiceError> {
        if request == UPDATE {
            let to = To::Storage;
            return Ok(Asked { id, request, to });
        }
        let running = self.store.running(&id).await?;
        let running = running.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
        let catalog = self.catalog.now();
        let definition = catalog.origin_of(&running.definition);
        let plan = definition.and_then(|definition| Some((definition, definition.plan()?)));
        match plan {
            Some((definition, plan)) if plan.knows(&request) => {
                let to = To::Backend(Arc::clone(definition), running.session);
                Ok(Asked { id, request, to })
            }
            plan => Err(ServiceError::NoSuchRequest {
                known: plan.map_or_else(|| format!("{UPDATE:?}"), |(_, plan)| plan.known()),
                request,
                definition: running.definition,
            }),
        }
    }

    /// Does what was asked, with `pairs`, whose files `uploads` took; gives the JSON that a backend
    /// answered, if one was asked.
    ///
    /// # Errors
    /// As a write to storage, for an update and for files; [`ServiceError::BackendUnreachable`],
    /// [`ServiceError::BackendTimeout`]. Files are in the storage then, and the message says so.
    pub async fn answer(
        &self,
        asked: Asked,
        pairs: Pairs,
        mut uploads: Uploads,
        trail: Trail,
    ) -> Result<Option<Bytes>, ServiceError> {
        let Asked { id, request, to } = asked;
        let To::Backend(definition, session) = to else {
            self.write(&id, pairs, uploads).await?;
            return Ok(None);
        };
        let (pairs, files) = pairs.for_backend(&id)?;
        let has_files = !files.set.is_empty();
        if has_files {
            self.store_uploaded(&id, files, &mut uploads).await?;
        }
        let trail = trail.complete();
        let about = About {
            id: &id,
            definition: definition.name(),
            request: &request,
            pairs: &pairs,
            more: &[],
            trail: &trail,
        };
        let no_plan = || StoreError::Bug("a service without a backend was to be asked".into());
        let plan = definition.plan().ok_or_else(no_plan)?;
        let answer = plan.request(&self.backends, &about, session.as_ref()).await;
        answer.map(Some).map_err(|error| match error {
            ServiceError::BackendUnreachable(message) if has_files => {
                ServiceError::BackendUnreachable(message + FILES_STAY)
            }
            ServiceError::BackendTimeout(message) if has_files => {
                ServiceError::BackendTimeout(message + FILES_STAY)
            }
            other => other,
        })
    }
}

/// What a failed request did change.
const FILES_STAY: &str = "; its files are in the service's storage";
