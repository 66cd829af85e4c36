//! Creating a service, in two steps around the reading of the body.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Backends, Catalog, Pairs, ServiceError, Services, Trail, Uploads,
    answer::Answer,
    builtin::Builtin,
    definition::{Definition, Kind},
    life,
    locks::{Shown, not_read_yet},
    parameters::Parameters,
    subscriber::Numbering,
    throttle::{count_address, count_service},
};
use crate::{
    settings::{Limits, Throttle},
    store::{Booking, Changes, Claim, Created, IdempotencyKey, NewService, ServiceId, Store},
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
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// Who asks, where [`Services::counts_addresses`].
    pub address: Option<IpAddr>,
    /// What it shows.
    pub shown: Shown,
}

/// How a create goes on after its head was read.
pub enum Begun {
    /// It is a repeat, and this is the answer that the first one got: a JSON object.
    Answered(String),
    /// The body is wanted.
    Open(Box<Creation>),
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
    pub(super) fn answer(self, ours: String) -> String {
        match self {
            Self::Now => ours,
            Self::Before(theirs) => theirs,
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
    idempotency: Option<IdempotencyKey>,
}

impl Services {
    /// The first step of a create: settles what is made, and under which id.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchDefinition`] where `name` is none,
    /// [`ServiceError::InvalidParameter`] for an `Idempotency-Key` of no or over 255 characters,
    /// [`ServiceError::Unauthorized`] where `head` does not show what the definition asks for,
    /// [`ServiceError::TooMany`] where a limit is reached.
    pub async fn begin(&self, name: &str, head: CreationHead) -> Result<Begun, ServiceError> {
        let catalog = self.catalog.now();
        let definition = catalog.seen(name, self.sees);
        // The routing side asks for every call; it makes nothing.
        let routes = definition.is_some_and(|known| known.is_for_routing());
        // Who guesses passwords is counted; what is refused uses up nothing that is everybody's.
        if !routes {
            count_address(&*self.store, &self.throttle, head.address).await?;
        }
        self.admit_create(name, &head.shown)?;
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
        let key = head.idempotency_key.map(checked).transpose()?;
        let idempotency = key.map(|key| IdempotencyKey {
            definition: name.to_owned(),
            key,
        });
        if let Some(key) = &idempotency
            && definition.makes_a_service()
        {
            // Until the service stands, with whose end the key then ends.
            let until = self.store.now()?.after(CLAIM_LIFE);
            match self.store.claim(key, id, until).await? {
                Claim::Answered(answer) => return Ok(Begun::Answered(answer)),
                Claim::Create(bound) => id = bound,
            }
        }
        Ok(Begun::Open(Box::new(Creation {
            uploads: Uploads::to_new(
                Arc::clone(&self.store),
                id.clone(),
                self.memory.requests.clone(),
            ),
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
            idempotency,
        })))
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
    pub async fn finish(self, pairs: Pairs) -> Result<String, ServiceError> {
        let definition = Arc::clone(&self.definition);
        let builtin = match definition.kind() {
            Kind::Builtin(builtin) => builtin,
            Kind::Backend(_) => {
                let texts = pairs.texts();
                let (parameters, changes) = pairs.split()?;
                return self.start(&parameters, changes, texts).await;
            }
        };
        let (parameters, changes) = pairs.split()?;
        match builtin {
            Builtin::Store => {
                self.check_keys(&changes)?;
                let life = self.life(&parameters)?;
                let answer = Answer::of(&self.id).json()?;
                let made = self.make(life, changes, None, Some(&answer)).await?;
                Ok(made.answer(answer))
            }
            Builtin::RequestInteraction => self.request_interaction(parameters, changes).await,
            Builtin::RequestAccess => self.request_access(parameters, changes).await,
            Builtin::MatchInteraction => self.match_interaction(parameters).await,
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

    /// Whether the client may repeat the request.
    pub(super) fn is_repeatable(&self) -> bool {
        self.idempotency.is_some()
    }

    /// Makes the service; `answer` is what a repeat of the request is told, if that is known yet.
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
            repeatable: self.idempotency.map(|key| (key, answer.map(str::to_owned))),
        };
        let made = match self.store.create(service).await {
            Ok(Created::New) => return Ok(Made::Now),
            Ok(Created::Before(answer)) => Ok(Made::Before(answer)),
            Ok(Created::Underway) => Err(ServiceError::BackendTimeout(UNDERWAY.to_owned())),
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

fn checked(key: String) -> Result<String, ServiceError> {
    let characters = key.chars().count();
    if (1..=255).contains(&characters) {
        return Ok(key);
    }
    Err(ServiceError::InvalidParameter(format!(
        "Idempotency-Key has {characters} characters; 1 to 255 are allowed"
    )))
}
