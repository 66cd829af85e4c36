//! Creating a service, in two steps around the reading of the body.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Backends, Catalog, Pairs, ServiceError, Services, Trail, Uploads,
    answer::Answer,
    builtin::Builtin,
    definition::{Definition, Kind},
    failed_credentials::FailedCredentials,
    idempotency::{IdempotencyHead, Repeatable, is_pending},
    life,
    locks::{Shown, not_read_yet},
    parameters::Parameters,
    subscriber::Numbering,
    throttle::{count_address, count_service},
};
use crate::{
    settings::{Limits, Throttle},
    store::{Booking, Changes, Claim, Created, NewService, ServiceId, Store, StoreError},
};

/// How long an `Idempotency-Key` is bound to a request whose service does not stand yet: longer than
/// any upload takes.
const CLAIM_LIFE: Duration = Duration::from_secs(86_400);

/// What a repeat is told that came before there was anything to repeat.
const UNDERWAY: &str = "the first request with this Idempotency-Key still waits for its backend; nothing was changed, try \
     again";

/// What the head of a create says, before its body is read.
#[derive(Debug, Default)]
pub struct CreationHead {
    /// The headers that say who asks and in which course.
    pub trail: Trail,
    /// What is said about repeats, where there is an `Idempotency-Key`.
    pub idempotency: Option<IdempotencyHead>,
    /// Who asks.
    pub address: Option<IpAddr>,
    /// What it shows.
    pub shown: Shown,
}

/// The answer to a create.
#[derive(Debug, PartialEq, Eq)]
pub struct CreateAnswer {
    /// A JSON object.
    pub json: String,
    /// Whether it is that of the first request with this `Idempotency-Key`.
    pub is_replayed: bool,
    /// Names of parameters that did not count, because the definition has options of that name.
    pub overridden: Vec<String>,
}

impl From<String> for CreateAnswer {
    fn from(json: String) -> Self {
        Self {
            json,
            is_replayed: false,
            overridden: Vec::new(),
        }
    }
}

/// What became of the making of a service.
pub(super) enum Made {
    /// It stands.
    Now,
    /// A concurrent request with the same `Idempotency-Key` was faster; this is its answer.
    Before(String),
}

impl Made {
    /// What the client is told, where this request's own answer is `ours`.
    pub(super) fn answer(self, ours: String) -> CreateAnswer {
        match self {
            Self::Now => ours.into(),
            Self::Before(theirs) => CreateAnswer {
                is_replayed: true,
                ..theirs.into()
            },
        }
    }
}

/// A create under way. Dropped, it leaves nothing behind that stays.
pub struct Creation {
    /// Takes the files of the body.
    pub uploads: Uploads,
    pub(super) id: ServiceId,
    pub(super) definition: Arc<Definition>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) numbering: Numbering,
    pub(super) store: Arc<dyn Store>,
    pub(super) limits: Arc<Limits>,
    pub(super) backends: Arc<Backends>,
    pub(super) trail: Trail,
    pub(super) throttle: Throttle,
    pub(super) shown: Shown,
    pub(super) failed_credentials: Arc<FailedCredentials>,
    pub(super) address: Option<IpAddr>,
    pub(super) repeatable: Option<Repeatable>,
}

impl Services {
    /// The first step of a create: settles what is made, and under which id.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchDefinition`] where `name` is none,
    /// [`ServiceError::InvalidParameter`] for an `Idempotency-Key` that is not allowed,
    /// [`ServiceError::Unauthorized`] where `head` does not show what the definition asks for,
    /// [`ServiceError::TooMany`] where a limit is reached.
    pub async fn begin(&self, name: &str, head: CreationHead) -> Result<Creation, ServiceError> {
        let catalog = self.catalog.now();
        let definition = catalog.seen(name, self.sees);
        // The routing side asks for every call; it makes nothing.
        let routes = definition.is_some_and(|known| known.is_for_routing());
        // Who guesses passwords is counted; what is refused uses up nothing that is everybody's.
        if !routes {
            count_address(&*self.store, &self.throttle, head.address).await?;
        }
        self.admit_create(name, &head.shown, head.address).await?;
        let definition = definition.ok_or_else(|| {
            if catalog.is_whole() {
                ServiceError::NoSuchDefinition(name.to_owned())
            } else {
                not_read_yet()
            }
        })?;
        if !routes {
            count_service(&*self.store, &self.throttle, name).await?;
        }
        let mut id = ServiceId::fresh();
        let repeatable = head.idempotency;
        let repeatable = repeatable.map(|repeatable| Repeatable::new(repeatable, head.address));
        let mut repeatable = repeatable.transpose()?;
        repeatable = repeatable.filter(|_| definition.makes_a_service());
        if let Some(repeatable) = &mut repeatable {
            // Until the service stands, with whose end the key then ends.
            let until = self.store.now()?.after(CLAIM_LIFE);
            match self.store.claim(&repeatable.key, id.clone(), until).await? {
                // The body is read all the same: it may be another request.
                Claim::Answered { id: bound, kept } => {
                    if is_pending(&kept) {
                        id = bound;
                    }
                    repeatable.before = Some(kept);
                }
                Claim::Create(bound) => id = bound,
            }
        }
        let mut uploads = Uploads::to_new(
            Arc::clone(&self.store),
            id.clone(),
            self.memory.requests.clone(),
        );
        if repeatable.is_some() {
            uploads = uploads.with_digests();
        }
        Ok(Creation {
            uploads,
            id,
            definition: Arc::clone(definition),
            catalog: Arc::clone(&catalog),
            numbering: self.numbering,
            store: Arc::clone(&self.store),
            limits: Arc::clone(&self.limits),
            backends: Arc::clone(&self.backends),
            trail: head.trail,
            throttle: self.throttle.clone(),
            shown: head.shown,
            failed_credentials: Arc::clone(&self.failed_credentials),
            address: head.address,
            repeatable,
        })
    }
}

impl Creation {
    /// The second step: does what the service is for with `pairs`, and returns the answer, a JSON
    /// object. A concurrent request with the same `Idempotency-Key` may have been faster; then the
    /// answer is that one's.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a parameter or name that is not allowed,
    /// [`ServiceError::UploadLost`] where files took too long, and what the builtin or the backend says. Nothing was
    /// made then, and no number is held.
    pub async fn finish(mut self, pairs: Pairs) -> Result<CreateAnswer, ServiceError> {
        let definition = Arc::clone(&self.definition);
        if let Some(repeatable) = &mut self.repeatable {
            repeatable.note_request(definition.name(), &pairs, &self.uploads);
            let kept = repeatable.before.as_ref();
            let answer = kept.map(|kept| repeatable.answer_of(kept)).transpose()?;
            // A first request that was pending may have been answered while this body was read.
            if let Some(answer) = answer.flatten() {
                let answer = Made::Before(answer).answer(String::new());
                let (parameters, _) = pairs.split()?;
                let overridden = parameters.overridden(&definition);
                return Ok(CreateAnswer {
                    overridden,
                    ..answer
                });
            }
        }
        let texts = pairs.texts();
        let (parameters, changes) = pairs.split()?;
        let overridden = parameters.overridden(&definition);
        let answer = self
            .carry_out(&definition, parameters, changes, texts)
            .await?;
        Ok(CreateAnswer {
            overridden,
            ..answer
        })
    }

    async fn carry_out(
        self,
        definition: &Definition,
        parameters: Parameters,
        changes: Changes,
        texts: Vec<(String, String)>,
    ) -> Result<CreateAnswer, ServiceError> {
        let builtin = match definition.kind() {
            Kind::Builtin(builtin) => builtin,
            Kind::Backend(_) => return self.start(&parameters, changes, texts).await,
        };
        match builtin {
            Builtin::Store => {
                self.check_keys(&changes)?;
                let life = self.life(&parameters)?;
                let answer = Answer::of(&self.id).json()?;
                let made = self.make(life, changes, None, Some(&answer)).await?;
                Ok(made.answer(answer))
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
    pub(super) fn life(&self, parameters: &Parameters) -> Result<Duration, ServiceError> {
        life::of_new(&self.definition, parameters, self.limits.life)
    }

    pub(super) fn check_keys(&self, changes: &Changes) -> Result<(), ServiceError> {
        if changes.set.len() > self.limits.keys {
            return Err(ServiceError::TooManyKeys(self.limits.keys));
        }
        Ok(())
    }

    /// Makes the service; `answer` is the response to a repeat of the request, if it is known yet.
    pub(super) async fn make(
        mut self,
        life: Duration,
        changes: Changes,
        booking: Option<Booking>,
        answer: Option<&str>,
    ) -> Result<Made, ServiceError> {
        self.uploads.hand_over(&changes.set);
        let created = self.store.now()?;
        let service = NewService {
            id: self.id,
            definition: self.definition.name().to_owned(),
            created,
            end: created.after(life),
            gms_user: self.trail.gms_user,
            data: changes.set,
            booking,
            repeatable: self.repeatable.as_ref().map(|repeatable| {
                // Without an answer the digest alone: it tells repeats from other requests.
                let kept = repeatable.kept(answer.unwrap_or_default());
                (repeatable.key.clone(), kept)
            }),
        };
        let made = match self.store.create(service).await {
            Ok(Created::New) => return Ok(Made::Now),
            Ok(Created::Before(kept)) => match &self.repeatable {
                Some(repeatable) => repeatable.answer_of(&kept).and_then(|answer| {
                    let pending = || ServiceError::BackendTimeout(UNDERWAY.to_owned());
                    answer.map(Made::Before).ok_or_else(pending)
                }),
                None => Err(StoreError::Bug("an answer was kept for no key".to_owned()).into()),
            },
            Ok(Created::UploadLost) => Err(ServiceError::UploadLost),
            Err(error) => Err(ServiceError::from(error)),
        };
        let error = made.as_ref().err();
        if error.is_none_or(ServiceError::changed_nothing) {
            self.uploads.take_back();
        }
        made
    }
}
