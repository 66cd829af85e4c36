//! The phone number library, loaded while phone numbers are parsed.
//!
//! Its metadata of all countries takes 6 MiB of memory. Loading takes 11 ms, which the first request with a phone
//! number waits for.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use rlibphonenumber::PhoneNumberUtil;
use tokio::time;

/// The library is unloaded when it has not been used for this time, or at most twice this time.
const UNLOAD_INTERVAL: Duration = Duration::from_secs(15);

static LIBRARY: Library = Library::new();

struct Library {
    loaded: RwLock<Option<Arc<PhoneNumberUtil>>>,
    /// Whether it was used since the last [`Library::unload_unused`].
    used: AtomicBool,
}

/// The library, which is loaded if it is not in memory. It is always there: the metadata is a part of the program.
pub(super) fn library() -> Option<Arc<PhoneNumberUtil>> {
    LIBRARY.get()
}

/// Unloads the library whenever it is not used, until the future is dropped.
pub async fn unload_unused_phone_library() {
    loop {
        time::sleep(UNLOAD_INTERVAL).await;
        LIBRARY.unload_unused();
    }
}

impl Library {
    const fn new() -> Self {
        Self {
            loaded: RwLock::new(None),
            used: AtomicBool::new(false),
        }
    }

    fn get(&self) -> Option<Arc<PhoneNumberUtil>> {
        self.used.store(true, Relaxed);
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_some() {
            return loaded.clone();
        }
        drop(loaded);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_none() {
            *loaded = PhoneNumberUtil::new().ok().map(Arc::new);
        }
        loaded.clone()
    }

    /// Unloads the library if it was not used since the previous call.
    fn unload_unused(&self) {
        if !self.used.swap(false, Relaxed) {
            let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
            let unused = loaded.take();
            drop(loaded);
            drop(unused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_unloaded_when_it_is_not_used() {
        let library = Library::new();
        let is_loaded = || library.loaded.read().unwrap().is_some();
        assert!(!is_loaded());
        assert!(library.get().is_some());
        library.unload_unused();
        assert!(is_loaded());
        assert!(library.get().is_some());
        library.unload_unused();
        assert!(is_loaded());
        library.unload_unused();
        assert!(!is_loaded());
        assert!(library.get().is_some());
    }
}
