//! Verifications of passwords that wait or run: few per client address, and one for the same credentials.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use super::verified_passwords::Digest;

/// The maximum number of verifications that wait or run, in total and for one client address.
const MAX_PENDING: usize = 64;
const MAX_PENDING_PER_ADDRESS: usize = 4;

/// The verifications that wait or run.
#[derive(Default)]
pub(super) struct PendingVerifications(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    /// The results, with the number of requests that wait for each.
    results: HashMap<Digest, (Arc<OnceCell<bool>>, usize)>,
    /// The number of verifications of each client address.
    addresses: HashMap<String, usize>,
}

/// The result of a verification, for all requests with the same credentials.
pub(super) struct SharedResult<'a> {
    pending: &'a PendingVerifications,
    digest: Digest,
    pub(super) result: Arc<OnceCell<bool>>,
}

/// Counts a verification for its client address.
pub(super) struct AddressGuard<'a> {
    pending: &'a PendingVerifications,
    address: String,
}

impl PendingVerifications {
    /// The result of the verification of these credentials, which may have begun.
    pub(super) fn share(&self, digest: Digest) -> SharedResult<'_> {
        let mut pending = self.lock();
        let (result, users) = pending.results.entry(digest).or_default();
        *users += 1;
        SharedResult {
            pending: self,
            digest,
            result: Arc::clone(result),
        }
    }

    /// `None` if too many verifications are pending.
    pub(super) fn begin(&self, address: String) -> Option<AddressGuard<'_>> {
        let mut pending = self.lock();
        let total: usize = pending.addresses.values().sum();
        let count = pending.addresses.get(&address).copied().unwrap_or(0);
        if total >= MAX_PENDING || count >= MAX_PENDING_PER_ADDRESS {
            return None;
        }
        pending.addresses.insert(address.clone(), count + 1);
        Some(AddressGuard {
            pending: self,
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedResult<'_> {
    fn drop(&mut self) {
        let mut pending = self.pending.lock();
        if let Some((_result, users)) = pending.results.get_mut(&self.digest) {
            *users -= 1;
            if *users == 0 {
                pending.results.remove(&self.digest);
            }
        }
    }
}

impl Drop for AddressGuard<'_> {
    fn drop(&mut self) {
        let mut pending = self.pending.lock();
        if let Some(count) = pending.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                pending.addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_verifications_is_bounded_per_address_and_in_total() {
        let pending = PendingVerifications::default();
        let begin = |address: usize| pending.begin(address.to_string());
        let mut first: Vec<_> = (0..MAX_PENDING_PER_ADDRESS).map(|_| begin(0)).collect();
        assert!(first.iter().all(Option::is_some));
        assert!(begin(0).is_none());
        first.pop();
        assert!(begin(0).is_some());
        let others: Vec<_> = (1..MAX_PENDING).filter_map(begin).collect();
        assert_eq!(first.len() + others.len(), MAX_PENDING);
        drop((first, others));
        assert!(pending.lock().addresses.is_empty());
    }

    #[tokio::test]
    async fn requests_with_the_same_credentials_share_a_verification() {
        let pending = PendingVerifications::default();
        let (first, second) = (pending.share([1; 32]), pending.share([1; 32]));
        let other = pending.share([2; 32]);
        first.result.set(true).unwrap();
        assert_eq!(second.result.get(), Some(&true));
        assert_eq!(other.result.get(), None);
        drop(first);
        assert_eq!(pending.share([1; 32]).result.get(), Some(&true));
        drop((second, other));
        assert_eq!(pending.share([1; 32]).result.get(), None);
    }
}
