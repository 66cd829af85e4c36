//! Creates a service in two steps, one before and one after the body is read.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Catalog, FormData, ServiceContext, ServiceError, Services, Uploads,
    access_policy::BasicCredentials,
    auth::catalog_not_loaded,
    builtin::Builtin,
    create_response::CreateResponseBody,
    definition::{Definition, DefinitionKind},
    idempotency::{IdempotencyHead, IdempotentRequest, is_pending},
    parameters::Parameters,
    rate_limit::{limit_creates_by_address, limit_creates_of_service},
    ttl,
};
use crate::model::{
    Booking, Changes, CreateResult, IdempotencyClaim, NewService, PropagatedHeaders, ServiceId,
    StoreError,
};

/// How long an `Idempotency-Key` is bound to a request whose service does not exist yet. It is longer than any
/// upload.
const CLAIM_TTL: Duration = Duration::from_secs(86_400);

/// The message for a repeated request while the first one is in progress.
const IN_PROGRESS_MESSAGE: &str = "the first request with this Idempotency-Key is still in progress; no changes were made; try \
     again";

/// The head of a create request.
#[derive(Debug, Default)]
pub struct CreateRequestHead {
    /// Headers for correlation.
    pub propagated_headers: PropagatedHeaders,
    /// The idempotency data, if there is an `Idempotency-Key`.
    pub idempotency: Option<IdempotencyHead>,
    /// The client address.
    pub address: Option<IpAddr>,
    /// The credentials of the client.
    pub credentials: BasicCredentials,
}

/// The response to a create.
#[derive(Debug, PartialEq, Eq)]
pub struct CreateResponse {
    /// A JSON object.
    pub json: String,
    /// Whether it is the stored response to the first request with this `Idempotency-Key`.
    pub is_replayed: bool,
    /// Names of parameters that were ignored because the definition sets options of the same name.
    pub overridden: Vec<String>,
}

impl From<String> for CreateResponse {
    fn from(json: String) -> Self {
        Self {
            json,
            is_replayed: false,
            overridden: Vec::new(),
        }
    }
}

/// The outcome of the creation of a service.
pub(super) enum CreateOutcome {
    /// The service was created.
    Created,
    /// A concurrent request with the same `Idempotency-Key` was faster. Contains its response.
    Replayed(String),
}

impl CreateOutcome {
    /// The response to the client; `own` is the response of this request.
    pub(super) fn into_response(self, own: String) -> CreateResponse {
        match self {
            Self::Created => own.into(),
            Self::Replayed(replayed) => CreateResponse {
                is_replayed: true,
                ..replayed.into()
            },
        }
    }
}

/// A create in progress. If it is dropped, everything it has stored expires.
pub struct PendingCreate {
    /// Receives the files of the body.
    pub uploads: Uploads,
    pub(super) id: ServiceId,
    pub(super) definition: Arc<Definition>,
    /// The catalog from which the definition was selected.
    pub(super) catalog: Arc<Catalog>,
    pub(super) context: Arc<ServiceContext>,
    pub(super) propagated_headers: PropagatedHeaders,
    pub(super) credentials: BasicCredentials,
    pub(super) address: Option<IpAddr>,
    pub(super) idempotent_request: Option<IdempotentRequest>,
    /// The TTL of a storage area; `None` for a service, whose definition and parameters determine it.
    pub(super) storage_area_ttl: Option<Duration>,
}

impl Services {
    /// The first step of a create: selects the definition and the service id.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchDefinition`] if `name` is not configured,
    /// [`ServiceError::InvalidParameter`] for an invalid `Idempotency-Key`,
    /// [`ServiceError::Unauthorized`] for missing or wrong credentials,
    /// [`ServiceError::RateLimited`] if a rate limit is exceeded.
    pub async fn prepare_create(
        &self,
        name: &str,
        head: CreateRequestHead,
    ) -> Result<PendingCreate, ServiceError> {
        let catalog = self.context.catalog.load();
        let definition = catalog.get_for_route_groups(name, self.context.route_groups);
        // A match creates no service and is not limited: the routing side sends one for every call.
        let is_for_routing = definition.is_some_and(|definition| definition.is_for_routing());
        // The limit of the address comes before authentication, so password guesses count. The limit of the service comes
        // after it, because all clients share it.
        if !is_for_routing {
            limit_creates_by_address(&*self.context.store, &self.context.rate_limit, head.address)
                .await?;
        }
        self.authorize_create(name, &head.credentials, head.address)
            .await?;
        let definition = definition.ok_or_else(|| {
            if catalog.is_complete() {
                ServiceError::NoSuchDefinition(name.to_owned())
            } else {
                catalog_not_loaded()
            }
        })?;
        if !is_for_routing {
            limit_creates_of_service(&*self.context.store, &self.context.rate_limit, name).await?;
        }
        let definition = Arc::clone(definition);
        self.begin_create(definition, ServiceId::generate(), None, catalog, head)
            .await
    }

    /// Binds the `Idempotency-Key` of a create, if there is one, to the new `id`. Without a `storage_area_ttl` it is the
    /// create of a service.
    pub(super) async fn begin_create(
        &self,
        definition: Arc<Definition>,
        mut id: ServiceId,
        storage_area_ttl: Option<Duration>,
        catalog: Arc<Catalog>,
        head: CreateRequestHead,
    ) -> Result<PendingCreate, ServiceError> {
        let idempotent_request = head.idempotency;
        let idempotent_request = idempotent_request
            .filter(|_| definition.creates_service())
            .map(|request| {
                IdempotentRequest::new(request, head.address, storage_area_ttl.is_some())
            });
        let mut idempotent_request = idempotent_request.transpose()?;
        if let Some(idempotent_request) = &mut idempotent_request {
            // Once the service exists, the key expires with it.
            let until = self.context.store.now()?.after(CLAIM_TTL);
            let claim = self
                .context
                .store
                .claim(&idempotent_request.key, id.clone(), until);
            match claim.await? {
                // The body is still read, because the request may be a different one.
                IdempotencyClaim::Replayed {
                    id: claimed_id,
                    stored,
                } => {
                    if is_pending(&stored) {
                        id = claimed_id;
                    }
                    idempotent_request.stored_response = Some(stored);
                }
                IdempotencyClaim::Create(claimed_id) => id = claimed_id,
            }
        }
        let mut uploads = Uploads::for_new(Arc::clone(&self.context), id.clone());
        if idempotent_request.is_some() {
            uploads = uploads.with_digests();
        }
        Ok(PendingCreate {
            uploads,
            id,
            definition,
            catalog,
            context: Arc::clone(&self.context),
            propagated_headers: head.propagated_headers,
            credentials: head.credentials,
            address: head.address,
            idempotent_request,
            storage_area_ttl,
        })
    }
}

impl PendingCreate {
    /// The second step of a create: executes it with `form` and returns the response, a JSON object. If a concurrent
    /// request with the same `Idempotency-Key` was faster, its response is returned.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for an invalid parameter or name, [`ServiceError::UploadLost`] if the
    /// upload of files took too long, and errors of the builtin or backend. After an error no service exists and no
    /// number is booked.
    pub async fn finish(mut self, form: FormData) -> Result<CreateResponse, ServiceError> {
        let definition = Arc::clone(&self.definition);
        if let Some(idempotent_request) = &mut self.idempotent_request {
            let ttl = self.storage_area_ttl.map(|ttl| ttl.as_secs().to_string());
            let target = [definition.name(), ttl.as_deref().unwrap_or_default()].concat();
            idempotent_request.set_request_digest(&target, &form, &self.uploads);
            let stored_response = idempotent_request.stored_response.as_ref();
            let response = stored_response
                .map(|stored_response| idempotent_request.replay_response(stored_response))
                .transpose()?;
            // A first request that was pending may have completed while this body was read.
            if let Some(response) = response.flatten() {
                let response = CreateOutcome::Replayed(response).into_response(String::new());
                let (parameters, _) = form.into_parameters_and_changes()?;
                let overridden = parameters.overridden(&definition);
                return Ok(CreateResponse {
                    overridden,
                    ..response
                });
            }
        }
        let texts = form.text_fields();
        let (parameters, changes) = form.into_parameters_and_changes()?;
        let overridden = parameters.overridden(&definition);
        let response = self
            .execute(&definition, parameters, changes, texts)
            .await?;
        Ok(CreateResponse {
            overridden,
            ..response
        })
    }

    async fn execute(
        self,
        definition: &Definition,
        parameters: Parameters,
        changes: Changes,
        texts: Vec<(String, String)>,
    ) -> Result<CreateResponse, ServiceError> {
        let builtin = match definition.kind() {
            DefinitionKind::Builtin(builtin) => builtin,
            DefinitionKind::Backend(_) => {
                return self.create_on_backend(&parameters, changes, texts).await;
            }
        };
        match builtin {
            Builtin::Store | Builtin::RequestChat => {
                self.check_key_count(&changes)?;
                let ttl = self.ttl(&parameters)?;
                let response = CreateResponseBody::of_create(&self.id, *builtin).to_json()?;
                let outcome = self.create(ttl, changes, None, Some(&response)).await?;
                Ok(outcome.into_response(response))
            }
            Builtin::RequestInteraction => self.request_interaction(parameters, changes).await,
            Builtin::RequestAccess => {
                let response = self.request_access(parameters, changes).await?;
                Ok(response.into())
            }
            Builtin::MatchInteraction => Ok(self.match_interaction(parameters).await?.into()),
        }
    }

    /// The TTL of the new service or storage area.
    pub(super) fn ttl(&self, parameters: &Parameters) -> Result<Duration, ServiceError> {
        match self.storage_area_ttl {
            Some(ttl) => Ok(ttl),
            None => ttl::initial_ttl(&self.definition, parameters, self.context.limits.max_ttl),
        }
    }

    pub(super) fn check_key_count(&self, changes: &Changes) -> Result<(), ServiceError> {
        if changes.set.len() > self.context.limits.keys {
            return Err(ServiceError::TooManyKeys(self.context.limits.keys));
        }
        Ok(())
    }

    /// Creates the service. `response` is the response to store for repeated requests, if it is known already.
    pub(super) async fn create(
        mut self,
        ttl: Duration,
        changes: Changes,
        booking: Option<Booking>,
        response: Option<&str>,
    ) -> Result<CreateOutcome, ServiceError> {
        self.uploads.transfer_to_store(&changes.set);
        let created = self.context.store.now()?;
        let service = NewService {
            id: self.id,
            definition: self.definition.name().to_owned(),
            created,
            end: created.after(ttl),
            gms_user: self.propagated_headers.gms_user,
            data: changes.set,
            booking,
            idempotency: self.idempotent_request.as_ref().map(|idempotent_request| {
                // Without a response only the digest is stored, which distinguishes repetitions from other requests.
                let stored = idempotent_request.stored_value(response.unwrap_or_default());
                (idempotent_request.key.clone(), stored)
            }),
            webhook: self.definition.subscription(),
            is_pending: matches!(self.definition.kind(), DefinitionKind::Backend(_)),
        };
        let result = match self.context.store.create(service).await {
            Ok(CreateResult::Created) => return Ok(CreateOutcome::Created),
            Ok(CreateResult::Replayed(stored)) => replay(self.idempotent_request.as_ref(), &stored),
            Ok(CreateResult::UploadLost) => Err(ServiceError::UploadLost),
            Ok(CreateResult::IdInUse(_)) => {
                Err(StoreError::Bug("a generated id is in use".to_owned()).into())
            }
            Err(error) => Err(ServiceError::from(error)),
        };
        let error = result.as_ref().err();
        if error.is_none_or(ServiceError::had_no_effect) {
            self.uploads.reclaim();
        }
        result
    }
}

/// The outcome for a request that a concurrent one with the same `Idempotency-Key` has overtaken; `stored` is the
/// stored value of that one.
pub(super) fn replay(
    request: Option<&IdempotentRequest>,
    stored: &str,
) -> Result<CreateOutcome, ServiceError> {
    let Some(request) = request else {
        let message = "stored response without an idempotency key";
        return Err(StoreError::Bug(message.to_owned()).into());
    };
    let response = request.replay_response(stored)?;
    let pending = || ServiceError::BackendTimeout(IN_PROGRESS_MESSAGE.to_owned());
    response.map(CreateOutcome::Replayed).ok_or_else(pending)
}
