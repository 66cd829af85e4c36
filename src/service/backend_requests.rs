//! Service-specific requests to a service that lives.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    FormData, PropagatedHeaders, ServiceError, Services, Uploads, backend::RequestContext,
    definition::Definition,
};
use crate::store::{BackendSession, ServiceId, StoreError};

/// The request that every service answers: a write to its storage.
const UPDATE_REQUEST: &str = "update";

/// A request that the service knows.
pub struct PreparedRequest {
    id: ServiceId,
    request: String,
    target: RequestTarget,
}

enum RequestTarget {
    Storage,
    Backend(Arc<Definition>, Option<BackendSession>),
}

impl Services {
    /// Checks a request before its body is read: one round trip tells whether the service lives, what it
    /// is and where it runs.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] where no such service lives, [`ServiceError::NoSuchRequest`]
    /// where it does not know the request.
    pub async fn prepare_request(
        &self,
        id: ServiceId,
        request: String,
    ) -> Result<PreparedRequest, ServiceError> {
        if request == UPDATE_REQUEST {
            let to = RequestTarget::Storage;
            return Ok(PreparedRequest {
                id,
                request,
                target: to,
            });
        }
        let running = self.store.running_service(&id).await?;
        let running = running.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
        let catalog = self.catalog.load();
        let definition = catalog.get_or_retired(&running.definition);
        let plan = definition.and_then(|definition| Some((definition, definition.backend()?)));
        match plan {
            Some((definition, plan)) if plan.supports_request(&request) => {
                let to = RequestTarget::Backend(Arc::clone(definition), running.session);
                Ok(PreparedRequest {
                    id,
                    request,
                    target: to,
                })
            }
            plan => Err(ServiceError::NoSuchRequest {
                supported: plan.map_or_else(
                    || format!("{UPDATE_REQUEST:?}"),
                    |(_, plan)| plan.supported_requests(),
                ),
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
    pub async fn send_request(
        &self,
        asked: PreparedRequest,
        pairs: FormData,
        mut uploads: Uploads,
        trail: PropagatedHeaders,
    ) -> Result<Option<Bytes>, ServiceError> {
        let PreparedRequest {
            id,
            request,
            target: to,
        } = asked;
        let RequestTarget::Backend(definition, session) = to else {
            self.write(&id, pairs, uploads).await?;
            return Ok(None);
        };
        let (pairs, files) = pairs.into_backend_fields(&id)?;
        let has_files = !files.set.is_empty();
        if has_files {
            self.write_with_uploads(&id, files, &mut uploads).await?;
        }
        let trail = trail.with_request_id();
        let about = RequestContext {
            id: &id,
            definition: definition.name(),
            request: &request,
            fields: &pairs,
            template_fields: &[],
            propagated_headers: &trail,
        };
        let no_plan = || StoreError::Bug("a service without a backend was to be asked".into());
        let plan = definition.backend().ok_or_else(no_plan)?;
        let answer = plan
            .send_request(&self.backends, &about, session.as_ref())
            .await;
        answer.map(Some).map_err(|error| match error {
            ServiceError::BackendUnreachable(message) if has_files => {
                ServiceError::BackendUnreachable(message + FILES_STORED)
            }
            ServiceError::BackendTimeout(message) if has_files => {
                ServiceError::BackendTimeout(message + FILES_STORED)
            }
            other => other,
        })
    }
}

/// What a failed request did change.
const FILES_STORED: &str = "; its files are in the service's storage";
