//! Service-specific requests.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    FormData, PublicAddress, ServiceError, Services, Uploads,
    builtin::Builtin,
    chat::{ChatRequest, ChatResponse, ChatStart},
    definition::{Definition, DefinitionKind},
};
use crate::{
    backend::{BackendError, RequestContext},
    model::{
        BackendSession, PropagatedHeaders, RunningService, ServiceId, StoreError, WriteCondition,
    },
};

/// The request that all services support: a write to the storage.
const UPDATE_REQUEST: &str = "update";

/// A request that the service supports.
pub struct PreparedRequest {
    id: ServiceId,
    request: String,
    target: RequestTarget,
}

impl PreparedRequest {
    /// The condition of a write to the storage; `None` for other requests.
    pub fn condition(&mut self) -> Option<&mut WriteCondition> {
        match &mut self.target {
            RequestTarget::Storage(condition) => Some(condition),
            RequestTarget::Chat(_) | RequestTarget::Definition(_) => None,
        }
    }
}

enum RequestTarget {
    Storage(WriteCondition),
    /// A request to a chat, if there is one; otherwise the definition of the service determines the target.
    Chat(ChatRequest),
    Definition(DefinitionTarget),
}

/// The target of a request that depends on the definition of the service.
enum DefinitionTarget {
    ChatStart(Arc<Definition>),
    Backend(Arc<Definition>, Option<BackendSession>),
}

/// What a service-specific request contains besides its fields.
pub struct RequestOrigin {
    /// Headers for correlation.
    pub propagated_headers: PropagatedHeaders,
    /// The address under which the client reached this server.
    pub address: PublicAddress,
}

impl Services {
    /// Checks a request before its body is read. One round trip returns the definition and the backend session of the
    /// service. A request to a chat needs none, because the chat itself is looked up later.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id, [`ServiceError::NoSuchRequest`] if
    /// it does not support the request.
    pub async fn prepare_request(
        &self,
        id: ServiceId,
        request: String,
    ) -> Result<PreparedRequest, ServiceError> {
        let target = match ChatRequest::parse(&request) {
            _ if request == UPDATE_REQUEST => RequestTarget::Storage(WriteCondition::default()),
            Some(chat) if chat != ChatRequest::Start => RequestTarget::Chat(chat),
            Some(_) | None => {
                let running = self.context.store.running_service(&id).await?;
                let running = running.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
                RequestTarget::Definition(self.target(&id, &request, running)?)
            }
        };
        Ok(PreparedRequest {
            id,
            request,
            target,
        })
    }

    /// The target of a request according to the definition of the service.
    fn target(
        &self,
        id: &ServiceId,
        request: &str,
        running: RunningService,
    ) -> Result<DefinitionTarget, ServiceError> {
        let catalog = self.context.catalog.load();
        let definition = catalog.get_or_retired(&running.definition);
        let kind = definition.map(|definition| (definition, definition.kind()));
        let supported = match kind {
            Some((definition, DefinitionKind::Backend(backend))) => {
                if backend.supports_request(request) {
                    let target = DefinitionTarget::Backend(Arc::clone(definition), running.session);
                    return Ok(target);
                }
                backend.supported_requests()
            }
            Some((definition, DefinitionKind::Builtin(Builtin::RequestChat))) => {
                match ChatRequest::parse(request) {
                    Some(ChatRequest::Start) => {
                        return Ok(DefinitionTarget::ChatStart(Arc::clone(definition)));
                    }
                    Some(_) => return Err(ServiceError::ChatNotStarted(id.clone())),
                    None => format!("{UPDATE_REQUEST:?}, {}", ChatRequest::names()),
                }
            }
            Some((_, DefinitionKind::Builtin(_))) | None => format!("{UPDATE_REQUEST:?}"),
        };
        Err(ServiceError::NoSuchRequest {
            supported,
            request: request.to_owned(),
            definition: running.definition,
        })
    }

    /// Executes a request with the fields of `form`, whose files are in `uploads`. Returns the JSON of the response of
    /// a backend or chat.
    ///
    /// # Errors
    /// As a write to storage, for an update and for files; [`ServiceError::BackendUnreachable`],
    /// [`ServiceError::BackendTimeout`]. In both cases files are stored, and the message says so.
    pub async fn send_request(
        &self,
        prepared: PreparedRequest,
        form: FormData,
        mut uploads: Uploads,
        origin: RequestOrigin,
    ) -> Result<Option<Bytes>, ServiceError> {
        let PreparedRequest {
            id,
            request,
            target,
        } = prepared;
        let target = match target {
            RequestTarget::Storage(condition) => {
                self.write(&id, form, uploads, condition).await?;
                return Ok(None);
            }
            RequestTarget::Chat(chat) => {
                let response = self.request_chat(&id, chat, &form, &origin.address);
                match response.await? {
                    ChatResponse::Json(json) => return Ok(Some(json)),
                    ChatResponse::NotStarted(running) => self.target(&id, &request, running)?,
                }
            }
            RequestTarget::Definition(target) => target,
        };
        let (definition, session) = match target {
            DefinitionTarget::ChatStart(definition) => {
                let gms_user = origin.propagated_headers.gms_user;
                let start = ChatStart {
                    id,
                    definition,
                    gms_user,
                };
                let response = self.start_chat(&start, form, &mut uploads, &origin.address);
                return response.await.map(Some);
            }
            DefinitionTarget::Backend(definition, session) => (definition, session),
        };
        let (fields, files) = form.into_backend_fields(&id)?;
        let has_files = !files.set.is_empty();
        if has_files {
            self.write_with_uploads(&id, files, &mut uploads).await?;
        }
        let propagated_headers = origin.propagated_headers.with_request_id();
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
