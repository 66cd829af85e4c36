//! Which storage the id in a path of the Storage API means.

use std::pin::pin;

use futures_util::future::{Either, join, select};

use super::ServiceError;
use crate::{model::ServiceId, settings::CustomIds, store::Store};

/// The maximum length of a custom id, and of the name of its user, in bytes.
const MAX_BYTES: usize = 256;
/// Ids that are segments of other paths.
const RESERVED_IDS: [&str; 2] = ["binary", "custom"];

/// The storage that an id in a path means: the storage area with this custom id, if there is one, otherwise the storage
/// area or service with this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageAddress {
    custom: Option<ServiceId>,
    plain: Option<ServiceId>,
    /// Whether the request names a user. Only then a write creates the storage area `custom` if it finds nothing.
    has_user: bool,
    /// Whether a write to `plain` is refused.
    is_custom_only: bool,
}

impl StorageAddress {
    /// The storage that a request of `user` means by `id`. Custom ids belong to a user, unless all users share them.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if the name of the user is too long, [`ServiceError::NoSuchStorage`] if
    /// clients cannot address `id`.
    pub(super) fn new(
        id: String,
        user: Option<&str>,
        custom_ids: CustomIds,
    ) -> Result<Self, ServiceError> {
        check_length("the header gms_user", user.unwrap_or_default())?;
        let user = user.filter(|user| !user.is_empty());
        let scope = match custom_ids {
            CustomIds::User => user,
            CustomIds::Shared => Some(""),
        };
        let is_custom_id = !id.is_empty() && check_custom_id(&id).is_ok();
        let scope = scope.filter(|_| is_custom_id);
        let custom = scope.map(|scope| ServiceId::custom(scope, &id));
        let has_user = user.is_some();
        let plain = match ServiceId::from_client(id) {
            Ok(id) => Some(id),
            Err(id) if custom.is_none() => {
                let id = id.to_string();
                return Err(ServiceError::NoSuchStorage { id, has_user });
            }
            Err(_) => None,
        };
        Ok(Self {
            custom,
            plain,
            has_user,
            is_custom_only: false,
        })
    }

    /// As [`StorageAddress::new`], for a write, which can create a storage area with this custom id. If `is_custom_only`,
    /// it is a write to nothing else.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if `id` is too long or reserved, [`ServiceError::NoSuchStorage`] if there
    /// can be no such storage.
    pub(super) fn for_write(
        id: String,
        user: Option<&str>,
        custom_ids: CustomIds,
        is_custom_only: bool,
    ) -> Result<Self, ServiceError> {
        check_custom_id(&id)?;
        let address = Self::new(id, user, custom_ids)?;
        if is_custom_only && address.custom.is_none() {
            return Err(address.not_found());
        }
        Ok(Self {
            is_custom_only,
            ..address
        })
    }

    /// Whether it is that of a write to nothing but the storage area with the custom id.
    pub(super) fn is_custom_only(&self) -> bool {
        self.is_custom_only
    }

    /// The same without the storage area with the custom id.
    pub(super) fn plain_only(self) -> Self {
        Self {
            custom: None,
            ..self
        }
    }

    /// The storage area with the custom id that the request can mean.
    pub(super) fn custom(&self) -> Option<&ServiceId> {
        self.custom.as_ref()
    }

    /// The storage area or service with the id that the request can mean.
    pub(super) fn plain(&self) -> Option<&ServiceId> {
        self.plain.as_ref()
    }

    /// The storage area that a write creates if it finds nothing.
    pub(super) fn new_area(&self) -> Option<&ServiceId> {
        self.custom.as_ref().filter(|_| self.has_user)
    }

    /// Finds the storage for a write, or else the id of the storage area that the write creates. Returns whether it is
    /// to be created.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchStorage`]; see [`StorageAddress::check_plain`].
    pub(super) async fn resolve(
        self,
        store: &dyn Store,
    ) -> Result<(ServiceId, bool), ServiceError> {
        let exists = async |id: Option<&ServiceId>| match id {
            Some(id) => store.definition(id).await.map(|found| found.is_some()),
            None => Ok(false),
        };
        let (custom, plain) = join(exists(self.custom()), exists(self.plain())).await;
        let not_found = self.not_found();
        let (found, is_new) = if custom? {
            (self.custom, false)
        } else if plain? {
            self.check_plain()?;
            (self.plain, false)
        } else {
            (self.custom.filter(|_| self.has_user), true)
        };
        Ok((found.ok_or(not_found)?, is_new))
    }

    /// Checks that a write to the storage with the plain id, which exists, is meant. A custom id that equals it would
    /// hide it from reads.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`]
    pub(super) fn check_plain(&self) -> Result<(), ServiceError> {
        match &self.plain {
            Some(id) if self.is_custom_only => Err(ServiceError::InvalidParameter(format!(
                "{:?} is the id of a {}; it cannot be a custom id",
                id.client_id(),
                id.kind()
            ))),
            _ => Ok(()),
        }
    }

    /// Calls `operation` with what the id can mean until it finds something. The calls are concurrent: they must change
    /// nothing.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchStorage`], errors of `operation`.
    pub(super) async fn read<'a, T, F>(
        &'a self,
        operation: impl Fn(&'a ServiceId) -> F,
    ) -> Result<T, ServiceError>
    where
        F: Future<Output = Result<T, ServiceError>>,
    {
        let result = match (&self.custom, &self.plain) {
            (Some(custom), Some(plain)) => {
                let custom = pin!(operation(custom));
                match select(custom, pin!(operation(plain))).await {
                    Either::Left((Err(ServiceError::NoSuchService(_)), plain)) => plain.await,
                    Either::Left((custom, _)) => custom,
                    Either::Right((plain, custom)) => match custom.await {
                        Err(ServiceError::NoSuchService(_)) => plain,
                        custom => custom,
                    },
                }
            }
            (Some(id), None) | (None, Some(id)) => operation(id).await,
            (None, None) => Err(self.not_found()),
        };
        self.with_not_found(result)
    }

    /// Calls `operation` with what the id can mean, one after the other, until it finds something.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchStorage`], errors of `operation`.
    pub(super) async fn change<'a, T, F>(
        &'a self,
        operation: impl Fn(&'a ServiceId) -> F,
    ) -> Result<T, ServiceError>
    where
        F: Future<Output = Result<T, ServiceError>>,
    {
        let mut result = Err(self.not_found());
        for id in [&self.custom, &self.plain].into_iter().flatten() {
            result = operation(id).await;
            if !matches!(result, Err(ServiceError::NoSuchService(_))) {
                break;
            }
        }
        self.with_not_found(result)
    }

    /// The error if there is no such storage.
    pub(super) fn not_found(&self) -> ServiceError {
        let id = self.plain.as_ref().or(self.custom.as_ref());
        ServiceError::NoSuchStorage {
            id: id.map(|id| id.client_id().into_owned()).unwrap_or_default(),
            has_user: self.has_user,
        }
    }

    fn with_not_found<T>(&self, result: Result<T, ServiceError>) -> Result<T, ServiceError> {
        result.map_err(|error| match error {
            ServiceError::NoSuchService(_) => self.not_found(),
            other => other,
        })
    }
}

/// Checks an id that a client chooses.
fn check_custom_id(id: &str) -> Result<(), ServiceError> {
    check_not_reserved(id)?;
    check_length("the id of a storage area", id)
}

/// Checks that a segment is not that of other paths.
///
/// # Errors
/// [`ServiceError::InvalidParameter`]
pub(super) fn check_not_reserved(id: &str) -> Result<(), ServiceError> {
    if RESERVED_IDS.contains(&id) {
        return Err(ServiceError::InvalidParameter(format!(
            "{id:?} is reserved and cannot be an id; the path for custom ids is \
             /genesys/1/storage/custom/{{id}}/{{ttl}}"
        )));
    }
    Ok(())
}

fn check_length(what: &str, text: &str) -> Result<(), ServiceError> {
    let bytes = text.len();
    if bytes > MAX_BYTES {
        return Err(ServiceError::InvalidParameter(format!(
            "{what} has {bytes} bytes; expected at most {MAX_BYTES}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(id: &str, user: Option<&str>, custom_ids: CustomIds) -> StorageAddress {
        StorageAddress::new(id.to_owned(), user, custom_ids).unwrap()
    }

    #[test]
    fn custom_ids_of_two_users_differ_unless_all_share_them() {
        let of = |user, mode| address("a", Some(user), mode).custom;
        assert_ne!(of("ann", CustomIds::User), of("bob", CustomIds::User));
        assert_eq!(of("ann", CustomIds::Shared), of("bob", CustomIds::Shared));
    }

    #[test]
    fn only_requests_with_a_user_create_storage_areas() {
        for mode in [CustomIds::User, CustomIds::Shared] {
            assert!(address("a", Some("ann"), mode).new_area().is_some());
            for user in [None, Some("")] {
                assert_eq!(address("a", user, mode).new_area(), None);
            }
        }
        assert_eq!(address("a", None, CustomIds::User).custom, None);
    }

    #[test]
    fn ids_of_custom_ids_cannot_be_addressed() {
        let id = ServiceId::custom("ann", "a");
        let stolen = address(id.as_str(), Some("bob"), CustomIds::User);
        assert_eq!(stolen.plain, None);
        assert_ne!(stolen.custom, Some(id.clone()));
        let anonymous = StorageAddress::new(id.to_string(), None, CustomIds::User);
        assert!(matches!(anonymous, Err(ServiceError::NoSuchStorage { .. })));
    }

    #[test]
    fn ids_that_cannot_be_created_are_rejected_by_writes_only() {
        for id in ["custom", "binary", &"x".repeat(257), ""] {
            let read = address(id, Some("ann"), CustomIds::User);
            assert_eq!((read.custom(), read.new_area()), (None, None), "{id}");
        }
        for (id, expected) in [
            ("custom", "is reserved"),
            ("binary", "is reserved"),
            (&"x".repeat(257), "has 257 bytes; expected at most 256"),
        ] {
            let error =
                StorageAddress::for_write(id.to_owned(), Some("ann"), CustomIds::User, false);
            let message = error.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let longest = "x".repeat(256);
        let write =
            StorageAddress::for_write(longest, Some("ann"), CustomIds::User, false).unwrap();
        assert!(write.new_area().is_some());
    }

    #[test]
    fn a_user_with_a_long_name_is_rejected() {
        let user = "x".repeat(257);
        let result = StorageAddress::new("a".to_owned(), Some(&user), CustomIds::User);
        assert!(
            result
                .unwrap_err()
                .to_string()
                .contains("gms_user has 257 bytes")
        );
    }
}
