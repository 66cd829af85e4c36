//! Service-specific requests.

use std::sync::Arc;

use bytes::Bytes;

use super::{FormData, ServiceError, Services, Uploads, definition::Definition};
use crate::{
    backend::{BackendError, RequestContext},
    model::{BackendSession, PropagatedHeaders, ServiceId, StoreError},
};

/// The request that all services support: a write to the storage.
const UPDATE_REQUEST: &str = "update";

/// A request that the service supports.
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
    /// Checks a request before its body is read. One round trip returns the definition and the backend session of the
    /// service.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id, [`ServiceError::NoSuchRequest`] if
    /// it does not support the request.
    pub async fn prepare_request(
        &self,
        id: ServiceId,
        request: String,
    ) -> Result<PreparedRequest, ServiceError> {
        if request == UPDATE_REQUEST {
            let target = RequestTarget::Storage;
            return Ok(PreparedRequest {
                id,
                request,
                target,
            });
        }
        let running = self.context.store.running_service(&id).await?;
        let running = running.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
        let catalog = self.context.catalog.load();
        let definition = catalog.get_or_retired(&running.definition);
        let backend = definition.and_then(|definition| Some((definition, definition.backend()?)));
        match backend {
            Some((definition, backend)) if backend.supports_request(&request) => {
                let target = RequestTarget::Backend(Arc::clone(definition), running.session);
                Ok(PreparedRequest {
                    id,
                    request,
                    target,
                })
            }
            backend => Err(ServiceError::NoSuchRequest {
                supported: backend.map_or_else(
                    || format!("{UPDATE_REQUEST:?}"),
                    |(_, backend)| backend.supported_requests(),
                ),
                request,
                definition: running.definition,
            }),
        }
    }

    /// Executes a request with the fields of `form`, whose files are in `uploads`. Returns the JSON of the backend's
    /// response, if the request was sent to one.
    ///
    /// # Errors
    /// As a write to storage, for an update and for files; [`ServiceError::BackendUnreachable`],
    /// [`ServiceError::BackendTimeout`]. In both cases files are stored, and the message says so.
    pub async fn send_request(
        &self,
        prepared: PreparedRequest,
        form: FormData,
        mut uploads: Uploads,
        propagated_headers: PropagatedHeaders,
    ) -> Result<Option<Bytes>, ServiceError> {
        let PreparedRequest {
            id,
            request,
            target,
        } = prepared;
        let RequestTarget::Backend(definition, session) = target else {
            self.write(&id, form, uploads).await?;
            return Ok(None);
        };
        let (fields, files) = form.into_backend_fields(&id)?;
        let has_files = !files.set.is_empty();
        if has_files {
            self.write_with_uploads(&id, files, &mut uploads).await?;
        }
        let propagated_headers = propagated_headers.with_request_id();
        let context = RequestContext {
            id: &id,
            definition: definition.name(),
            request: &request,
            fields: &fields,
            template_fields: &[],
            propagated_headers: &propagated_headers,
        };
        let no_backend =
            || StoreError::Bug("service-specific request for a service without a backend".into());
        let backend = definition.backend().ok_or_else(no_backend)?;
        let response = backend
            .send_request(&self.context.backends, &context, session.as_ref())
            .await;
        response.map(Some).map_err(|error| match error {
            BackendError::Unreachable(message) if has_files => {
                ServiceError::BackendUnreachable(message + FILES_STORED)
            }
            BackendError::Timeout(message) if has_files => {
                ServiceError::BackendTimeout(message + FILES_STORED)
            }
            other => other.into(),
        })
    }
}

/// The effect of a failed request, for its message.
const FILES_STORED: &str = "; its files are in the service's storage";
