//! Creating a service, in two steps around the reading of the body.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Backends, Catalog, FormData, PropagatedHeaders, ServiceError, Services, Uploads,
    auth::{BasicCredentials, catalog_not_loaded},
    builtin::Builtin,
    create_response::CreateResponseBody,
    definition::{Definition, DefinitionKind},
    failed_credentials::FailedCredentials,
    idempotency::{IdempotencyHead, IdempotentRequest, is_pending},
    parameters::Parameters,
    phone_numbers::PhoneNumbers,
    rate_limit::{limit_creates_by_address, limit_creates_of_service},
    ttl,
};
use crate::{
    settings::{Limits, RateLimit},
    store::{
        Booking, Changes, CreateResult, IdempotencyClaim, NewService, ServiceId, Store, StoreError,
    },
};

/// How long an `Idempotency-Key` is bound to a request whose service does not stand yet: longer than
/// any upload takes.
const CLAIM_TTL: Duration = Duration::from_secs(86_400);

/// What a repeat is told that came before there was anything to repeat.
const IN_PROGRESS_MESSAGE: &str = "the first request with this Idempotency-Key still waits for its backend; nothing was changed, try \
     again";

/// What the head of a create says, before its body is read.
#[derive(Debug, Default)]
pub struct CreateRequestHead {
    /// The headers that say who asks and in which course.
    pub propagated_headers: PropagatedHeaders,
    /// What is said about repeats, where there is an `Idempotency-Key`.
    pub idempotency: Option<IdempotencyHead>,
    /// Who asks.
    pub address: Option<IpAddr>,
    /// What it shows.
    pub credentials: BasicCredentials,
}

/// The answer to a create.
#[derive(Debug, PartialEq, Eq)]
pub struct CreateResponse {
    /// A JSON object.
    pub json: String,
    /// Whether it is that of the first request with this `Idempotency-Key`.
    pub is_replayed: bool,
    /// Names of parameters that did not count, because the definition has options of that name.
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

/// What became of the making of a service.
pub(super) enum CreateOutcome {
    /// It stands.
    Created,
    /// A concurrent request with the same `Idempotency-Key` was faster; this is its answer.
    Replayed(String),
}

impl CreateOutcome {
    /// What the client is told, where this request's own answer is `ours`.
    pub(super) fn into_response(self, ours: String) -> CreateResponse {
        match self {
            Self::Created => ours.into(),
            Self::Replayed(theirs) => CreateResponse {
                is_replayed: true,
                ..theirs.into()
            },
        }
    }
}

/// A create under way. Dropped, it leaves nothing behind that stays.
pub struct PendingCreate {
    /// Takes the files of the body.
    pub uploads: Uploads,
    pub(super) id: ServiceId,
    pub(super) definition: Arc<Definition>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) phone_numbers: PhoneNumbers,
    pub(super) store: Arc<dyn Store>,
    pub(super) limits: Arc<Limits>,
    pub(super) backends: Arc<Backends>,
    pub(super) propagated_headers: PropagatedHeaders,
    pub(super) rate_limit: RateLimit,
    pub(super) credentials: BasicCredentials,
    pub(super) failed_credentials: Arc<FailedCredentials>,
    pub(super) address: Option<IpAddr>,
    pub(super) idempotent_request: Option<IdempotentRequest>,
}

impl Services {
    /// The first step of a create: settles what is made, and under which id.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchDefinition`] where `name` is none,
    /// [`ServiceError::InvalidParameter`] for an `Idempotency-Key` that is not allowed,
    /// [`ServiceError::Unauthorized`] where `head` does not show what the definition asks for,
    /// [`ServiceError::TooMany`] where a limit is reached.
    pub async fn prepare_create(
        &self,
        name: &str,
        head: CreateRequestHead,
    ) -> Result<PendingCreate, ServiceError> {
        let catalog = self.catalog.load();
        let definition = catalog.get_for_route_groups(name, self.route_groups);
        // The routing side asks for every call; it makes nothing.
        let routes = definition.is_some_and(|known| known.is_for_routing());
        // Who guesses passwords is counted; what is refused uses up nothing that is everybody's.
        if !routes {
            limit_creates_by_address(&*self.store, &self.rate_limit, head.address).await?;
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
        if !routes {
            limit_creates_of_service(&*self.store, &self.rate_limit, name).await?;
        }
        let mut id = ServiceId::generate();
        let repeatable = head.idempotency;
        let repeatable =
            repeatable.map(|repeatable| IdempotentRequest::new(repeatable, head.address));
        let mut repeatable = repeatable.transpose()?;
        repeatable = repeatable.filter(|_| definition.creates_service());
        if let Some(repeatable) = &mut repeatable {
            // Until the service stands, with whose end the key then ends.
            let until = self.store.now()?.after(CLAIM_TTL);
            match self.store.claim(&repeatable.key, id.clone(), until).await? {
                // The body is read all the same: it may be another request.
                IdempotencyClaim::Replayed { id: bound, stored } => {
                    if is_pending(&stored) {
                        id = bound;
                    }
                    repeatable.stored_response = Some(stored);
                }
                IdempotencyClaim::Create(bound) => id = bound,
            }
        }
        let mut uploads = Uploads::for_new(
            Arc::clone(&self.store),
            id.clone(),
            self.memory.requests.clone(),
        );
        if repeatable.is_some() {
            uploads = uploads.with_digests();
        }
        Ok(PendingCreate {
            uploads,
            id,
            definition: Arc::clone(definition),
            catalog: Arc::clone(&catalog),
            phone_numbers: self.phone_numbers,
            store: Arc::clone(&self.store),
            limits: Arc::clone(&self.limits),
            backends: Arc::clone(&self.backends),
            propagated_headers: head.propagated_headers,
            rate_limit: self.rate_limit.clone(),
            credentials: head.credentials,
            failed_credentials: Arc::clone(&self.failed_credentials),
            address: head.address,
            idempotent_request: repeatable,
        })
    }
}

impl PendingCreate {
    /// The second step: does what the service is for with `pairs`, and returns the answer, a JSON
    /// object. A concurrent request with the same `Idempotency-Key` may have been faster; then the
    /// answer is that one's.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a parameter or name that is not allowed,
    /// [`ServiceError::UploadLost`] where files took too long, and what the builtin or the backend says. Nothing was
    /// made then, and no number is held.
    pub async fn finish(mut self, pairs: FormData) -> Result<CreateResponse, ServiceError> {
        let definition = Arc::clone(&self.definition);
        if let Some(repeatable) = &mut self.idempotent_request {
            repeatable.set_request_digest(definition.name(), &pairs, &self.uploads);
            let kept = repeatable.stored_response.as_ref();
            let answer = kept
                .map(|kept| repeatable.replay_response(kept))
                .transpose()?;
            // A first request that was pending may have been answered while this body was read.
            if let Some(answer) = answer.flatten() {
                let answer = CreateOutcome::Replayed(answer).into_response(String::new());
                let (parameters, _) = pairs.into_parameters_and_changes()?;
                let overridden = parameters.overridden(&definition);
                return Ok(CreateResponse {
                    overridden,
                    ..answer
                });
            }
        }
        let texts = pairs.text_fields();
        let (parameters, changes) = pairs.into_parameters_and_changes()?;
        let overridden = parameters.overridden(&definition);
        let answer = self
            .execute(&definition, parameters, changes, texts)
            .await?;
        Ok(CreateResponse {
            overridden,
            ..answer
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
            Builtin::Store => {
                self.check_key_count(&changes)?;
                let life = self.ttl(&parameters)?;
                let answer = CreateResponseBody::new(&self.id).to_json()?;
                let made = self.create(life, changes, None, Some(&answer)).await?;
                Ok(made.into_response(answer))
            }
            Builtin::RequestInteraction => self.request_interaction(parameters, changes).await,
            Builtin::RequestAccess => {
                let answer = self.request_access(parameters, changes).await?;
                Ok(answer.into())
            }
            Builtin::MatchInteraction => Ok(self.match_interaction(parameters).await?.into()),
        }
    }

    /// How long the service is to live.
    pub(super) fn ttl(&self, parameters: &Parameters) -> Result<Duration, ServiceError> {
        ttl::initial_ttl(&self.definition, parameters, self.limits.max_ttl)
    }

    pub(super) fn check_key_count(&self, changes: &Changes) -> Result<(), ServiceError> {
        if changes.set.len() > self.limits.keys {
            return Err(ServiceError::TooManyKeys(self.limits.keys));
        }
        Ok(())
    }

    /// Makes the service; `answer` is the response to a repeat of the request, if it is known yet.
    pub(super) async fn create(
        mut self,
        life: Duration,
        changes: Changes,
        booking: Option<Booking>,
        answer: Option<&str>,
    ) -> Result<CreateOutcome, ServiceError> {
        self.uploads.transfer_to_store(&changes.set);
        let created = self.store.now()?;
        let service = NewService {
            id: self.id,
            definition: self.definition.name().to_owned(),
            created,
            end: created.after(life),
            gms_user: self.propagated_headers.gms_user,
            data: changes.set,
            booking,
            idempotency: self.idempotent_request.as_ref().map(|repeatable| {
                // Without an answer the digest alone: it tells repeats from other requests.
                let kept = repeatable.stored_value(answer.unwrap_or_default());
                (repeatable.key.clone(), kept)
            }),
        };
        let made = match self.store.create(service).await {
            Ok(CreateResult::Created) => return Ok(CreateOutcome::Created),
            Ok(CreateResult::Replayed(kept)) => match &self.idempotent_request {
                Some(repeatable) => repeatable.replay_response(&kept).and_then(|answer| {
                    let pending = || ServiceError::BackendTimeout(IN_PROGRESS_MESSAGE.to_owned());
                    answer.map(CreateOutcome::Replayed).ok_or_else(pending)
                }),
                None => Err(StoreError::Bug("an answer was kept for no key".to_owned()).into()),
            },
            Ok(CreateResult::UploadLost) => Err(ServiceError::UploadLost),
            Err(error) => Err(ServiceError::from(error)),
        };
        let error = made.as_ref().err();
        if error.is_none_or(ServiceError::had_no_effect) {
            self.uploads.reclaim();
        }
        made
    }
}
