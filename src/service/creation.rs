//! Creating a service, in two steps around the reading of the body.

use std::{sync::Arc, time::Duration};

use super::{
    Pairs, ServiceError, Services, Uploads, builtin::Builtin, definition::Definition, life,
};
use crate::{
    settings::Limits,
    store::{Claim, Created, IdempotencyKey, Moment, NewService, ServiceId, Store},
};

/// What the head of a create says, before its body is read.
#[derive(Debug, Default)]
pub struct CreationHead {
    /// The `gms_user` header.
    pub gms_user: Option<String>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
}

/// How a create goes on after its head was read.
pub enum Begun {
    /// It is a repeat, and this is the answer that the first one got: a JSON object.
    Answered(String),
    /// The body is wanted.
    Open(Box<Creation>),
}

/// A create under way. Dropped, it leaves nothing behind that stays.
pub struct Creation {
    /// Takes the files of the body.
    pub uploads: Uploads,
    id: ServiceId,
    definition: Arc<Definition>,
    gms_user: Option<String>,
    idempotency: Option<IdempotencyKey>,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
}

impl Services {
    /// The first step of a create: settles what is made, and under which id.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchDefinition`] where `name` is none,
    /// [`ServiceError::InvalidParameter`] for an `Idempotency-Key` of no or over 255 characters.
    pub async fn begin(&self, name: &str, head: CreationHead) -> Result<Begun, ServiceError> {
        let definition = self.catalog.get(name);
        let definition =
            definition.ok_or_else(|| ServiceError::NoSuchDefinition(name.to_owned()))?;
        let mut id = ServiceId::fresh();
        let key = head.idempotency_key.map(checked).transpose()?;
        let idempotency = key.map(|key| IdempotencyKey {
            definition: name.to_owned(),
            key,
        });
        if let Some(key) = &idempotency {
            let until = Moment::now().after(Duration::from_secs(definition.ttl()));
            match self.store.claim(key, id, until).await? {
                Claim::Answered(answer) => return Ok(Begun::Answered(answer)),
                Claim::Create(bound) => id = bound,
            }
        }
        Ok(Begun::Open(Box::new(Creation {
            uploads: Uploads::to_new(Arc::clone(&self.store), id.clone()),
            id,
            definition: Arc::clone(definition),
            gms_user: head.gms_user,
            idempotency,
            store: Arc::clone(&self.store),
            limits: Arc::clone(&self.limits),
        })))
    }
}

impl Creation {
    /// The second step: makes the service with all that `pairs` give it, and returns the answer, a
    /// JSON object. A concurrent request with the same `Idempotency-Key` may have been faster; then
    /// the answer is that one's.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a parameter or name that is not allowed,
    /// [`ServiceError::UploadLost`] where files took too long. Nothing was made then.
    pub async fn finish(mut self, pairs: Pairs) -> Result<String, ServiceError> {
        let (parameters, changes) = pairs.split()?;
        let life = life::of_new(&self.definition, &parameters, self.limits.life)?;
        if changes.set.len() > self.limits.keys {
            return Err(ServiceError::TooManyKeys(self.limits.keys));
        }
        let created = Moment::now();
        let answer = match self.definition.builtin() {
            Builtin::Store => serde_json::json!({ "_id": self.id.as_str() }).to_string(),
        };
        self.uploads.hand_over(&changes.set);
        let service = NewService {
            id: self.id,
            definition: self.definition.name().to_owned(),
            created,
            end: created.after(life),
            gms_user: self.gms_user,
            data: changes.set,
            repeatable: self.idempotency.map(|key| (key, answer.clone())),
        };
        let created = match self.store.create(service).await {
            Ok(Created::New) => return Ok(answer),
            Ok(Created::Before(answer)) => Ok(answer),
            Ok(Created::UploadLost) => Err(ServiceError::UploadLost),
            Err(error) => Err(ServiceError::from(error)),
        };
        if created
            .as_ref()
            .err()
            .is_none_or(ServiceError::changed_nothing)
        {
            self.uploads.take_back();
        }
        created
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
