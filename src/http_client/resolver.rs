//! A resolver that returns only allowed addresses.
//!
//! A client connects to the addresses that its resolver returned, and resolves a name again for each connection. So the
//! address that is checked is the one that is connected to, whatever the name resolves to before or after. Addresses in
//! URLs are not resolved; they are checked where the URL is parsed.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use super::address_policy::{AddressNotAllowed, AddressPolicy};

/// The addresses of a name, or the error of the look-up.
type Lookup = BoxFuture<'static, Result<Vec<SocketAddr>, Arc<io::Error>>>;

/// Resolves names by the system. Concurrent requests for a name share one look-up, so that a slow name occupies one of
/// the threads that the look-ups of all names have in common.
#[derive(Default)]
pub(crate) struct SystemResolver {
    lookups: Mutex<HashMap<String, WeakShared<Lookup>>>,
}

impl SystemResolver {
    fn lookup(&self, host: &str) -> Shared<Lookup> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = lookups.get(host).and_then(WeakShared::upgrade) {
            return lookup;
        }
        lookups.retain(|_, lookup| lookup.upgrade().is_some());
        let name = host.to_owned();
        let lookup = async move {
            // The client replaces port 0 by that of the URL.
            let addresses = lookup_host((&*name, 0)).await;
            addresses.map(Iterator::collect).map_err(|error| {
                let text = format!("host name {name:?} cannot be resolved: {error}");
                Arc::new(io::Error::other(text))
            })
        };
        let lookup = lookup.boxed().shared();
        lookups.extend(lookup.downgrade().map(|weak| (host.to_owned(), weak)));
        lookup
    }
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
    async fn concurrent_requests_share_a_look_up() {
        let resolver = SystemResolver::default();
        let (first, second) = (resolver.lookup("localhost"), resolver.lookup("localhost"));
        assert!(first.ptr_eq(&second));
        assert!(
            first
                .await
                .unwrap()
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        second.await.unwrap();
        assert!(resolver.lookup("localhost").peek().is_none(), "a new one");
    }
}
