//! A resolver that returns only allowed addresses.
//!
//! A client connects to the addresses that its resolver returned, and resolves a name again for each connection. So the
//! address that is checked is the one that is connected to, whatever the name resolves to before or after. Addresses in
//! URLs are not resolved; they are checked where the URL is parsed.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use super::address_policy::{AddressNotAllowed, AddressPolicy};

/// The addresses of a name, or the error of the look-up.
type Lookup = BoxFuture<'static, Result<Vec<SocketAddr>, Arc<io::Error>>>;

/// Look-ups that have not ended.
type Lookups = Arc<Mutex<HashMap<String, Shared<Lookup>>>>;

/// Resolves names by the system. Requests for a name share one look-up until it ends, also if no request waits for it any
/// more, so that a slow name occupies at most one of the threads that the look-ups of all names have in common.
#[derive(Default)]
pub(crate) struct SystemResolver {
    lookups: Lookups,
}

impl SystemResolver {
    /// The look-up of a name. It must be called by a task of the runtime.
    fn lookup(&self, host: &str) -> Shared<Lookup> {
        let mut lookups = lock(&self.lookups);
        if let Some(lookup) = lookups.get(host) {
            return lookup.clone();
        }
        let lookup = look_up(host.to_owned()).boxed().shared();
        lookups.insert(host.to_owned(), lookup.clone());
        let (all, name, running) = (Arc::clone(&self.lookups), host.to_owned(), lookup.clone());
        tokio::spawn(async move {
            drop(running.await);
            lock(&all).remove(&name);
        });
        lookup
    }
}

fn lock(
    lookups: &Mutex<HashMap<String, Shared<Lookup>>>,
) -> MutexGuard<'_, HashMap<String, Shared<Lookup>>> {
    lookups.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look_up(name: String) -> Result<Vec<SocketAddr>, Arc<io::Error>> {
    // The client replaces port 0 by that of the URL.
    let addresses = lookup_host((&*name, 0)).await;
    addresses.map(Iterator::collect).map_err(|error| {
        let text = format!("host name {name:?} cannot be resolved: {error}");
        Arc::new(io::Error::other(text))
    })
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.lookup(name.as_str());
        Box::pin(async move { Ok(Box::new(lookup.await?.into_iter()) as Addrs) })
    }
}

/// Returns only those addresses of another resolver that a policy allows.
pub(crate) struct PolicyResolver<R> {
    inner: R,
    policy: Arc<AddressPolicy>,
}

impl<R> PolicyResolver<R> {
    pub(crate) fn new(inner: R, policy: Arc<AddressPolicy>) -> Self {
        Self { inner, policy }
    }
}

impl<R: Resolve> Resolve for PolicyResolver<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolving, policy) = (self.inner.resolve(name), Arc::clone(&self.policy));
        Box::pin(async move {
            let allowed = allowed_addresses(&policy, resolving.await?)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The allowed ones of these addresses. An empty list is returned as it is.
///
/// # Errors
/// [`AddressNotAllowed`] with the first address if none is allowed.
fn allowed_addresses(
    policy: &AddressPolicy,
    addresses: Addrs,
) -> Result<Vec<SocketAddr>, AddressNotAllowed> {
    let (mut allowed, mut denied) = (Vec::new(), None);
    for address in addresses {
        match policy.check(address.ip()) {
            Ok(()) => allowed.push(address),
            Err(error) => denied = denied.or(Some(error)),
        }
    }
    match denied {
        Some(error) if allowed.is_empty() => Err(error),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns these addresses for every name.
    struct Fixed(&'static [&'static str]);

    impl Resolve for Fixed {
        fn resolve(&self, _name: Name) -> Resolving {
            let addresses = self.0.iter().map(|address| address.parse().unwrap());
            let addresses: Vec<SocketAddr> = addresses.collect();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    async fn resolve(addresses: &'static [&'static str]) -> Result<Vec<String>, String> {
        let resolver = PolicyResolver::new(Fixed(addresses), Arc::default());
        let found = resolver.resolve("receiver.example".parse().unwrap()).await;
        let texts = |all: Addrs| all.map(|address| address.to_string()).collect();
        found.map(texts).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_allowed_addresses_are_returned() {
        assert_eq!(
            resolve(&["10.0.0.5:0", "1.1.1.1:0", "[::1]:0"]).await,
            Ok(vec!["1.1.1.1:0".to_owned()])
        );
        assert_eq!(
            resolve(&["10.0.0.5:0", "127.0.0.1:0"]).await,
            Err("address 10.0.0.5 is not allowed".to_owned())
        );
        assert_eq!(resolve(&[]).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn requests_share_a_look_up_until_it_ends() {
        let resolver = SystemResolver::default();
        // No request waits for it any more.
        drop(resolver.lookup("localhost"));
        assert_eq!(lock(&resolver.lookups).len(), 1);
        let (first, second) = (resolver.lookup("localhost"), resolver.lookup("localhost"));
        assert!(first.ptr_eq(&second));
        let addresses = first.await.unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        second.await.unwrap();
        while !lock(&resolver.lookups).is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(resolver.lookup("localhost").peek().is_none(), "a new one");
    }
}
