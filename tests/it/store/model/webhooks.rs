//! Webhooks in the model: the receiver gets the events of what the clients did, once each and in order.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{EXCLUSIVE_GROUP, TTL};
use crate::{
    api::webhooks::fixture::{SECRET, receiver, verify},
    support::{backends::Backend, bookings::service_toml},
};

/// The configured service with a webhook.
pub(super) const DEFINITION: &str = "observed";
/// The time until all events are delivered on a busy machine.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(90);

/// What the clients did with a service.
#[derive(Default)]
struct Done {
    updates: usize,
    is_deleted: bool,
}

/// The receiver, and what it is to receive.
pub(super) struct Webhooks {
    receiver: Backend,
    services: RefCell<HashMap<String, Done>>,
}

impl Webhooks {
    pub(super) async fn new() -> Self {
        Self {
            receiver: receiver(200).await,
            services: RefCell::default(),
        }
    }

    /// The configured service, as TOML.
    pub(super) fn toml(&self) -> String {
        let mut toml = service_toml(DEFINITION, "request-interaction");
        toml += "_access_code_length = 2\n_return_pool_health = true\n";
        toml += &format!(
            "_resource_group = {EXCLUSIVE_GROUP:?}\n_ttl = {}\n",
            TTL.as_secs()
        );
        toml += &format!(
            "_booking_expiration_timeout = {}\n",
            super::TIMEOUT.as_secs()
        );
        let url = self.receiver.url();
        toml + &format!("_webhook_url = {url:?}\n_webhook_secret = {SECRET:?}\n")
    }

    pub(super) fn record_create(&self, id: &str) {
        self.services
            .borrow_mut()
            .insert(id.to_owned(), Done::default());
    }

    pub(super) fn record_update(&self, id: &str) {
        if let Some(done) = self.services.borrow_mut().get_mut(id) {
            done.updates += 1;
        }
    }

    pub(super) fn record_delete(&self, id: &str) {
        if let Some(done) = self.services.borrow_mut().get_mut(id) {
            done.is_deleted = true;
        }
    }

    /// Waits until the receiver has all events of the services, which have ended.
    pub(super) async fn assert_complete(&self) {
        let deadline = Instant::now() + DELIVERY_TIMEOUT;
        while let Some(contradiction) = self.find_contradiction() {
            assert!(Instant::now() < deadline, "{contradiction}");
            sleep(Duration::from_millis(500)).await;
        }
        let services = self.services.borrow();
        let updates: usize = services.values().map(|done| done.updates).sum();
        let deleted = services.values().filter(|done| done.is_deleted).count();
        let counts = [updates, deleted, services.len() - deleted];
        assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
    }

    fn find_contradiction(&self) -> Option<String> {
        let mut by_service: HashMap<String, Vec<String>> = HashMap::new();
        let mut known = HashSet::new();
        for request in self.receiver.received_requests() {
            let event = verify(&request, SECRET);
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            let Some(service) = event["service"]["id"].as_str() else {
                assert_eq!(text("type"), "number.exhausted");
                continue;
            };
            // An event may be delivered more than once.
            if known.insert(text("id")) {
                let types = by_service.entry(service.to_owned()).or_default();
                types.push(text("type"));
            }
        }
        let services = self.services.borrow();
        if let Some(unknown) = by_service.keys().find(|id| !services.contains_key(*id)) {
            return Some(format!("{unknown} was not created"));
        }
        services.iter().find_map(|(id, done)| {
            let types = by_service.get(id).map(Vec::as_slice).unwrap_or_default();
            let (numbers, lifecycle): (Vec<&str>, Vec<&str>) = types
                .iter()
                .map(String::as_str)
                .partition(|event_type| event_type.starts_with("number."));
            let end = if done.is_deleted {
                "service.deleted"
            } else {
                "service.expired"
            };
            let updates = vec!["service.expiration_updated"; done.updates];
            let expected = [vec!["service.created"], updates, vec![end]].concat();
            let ends = ["number.matched", "number.released", "number.lapsed"];
            let is_booked_once =
                matches!(numbers[..], ["number.booked", end] if ends.contains(&end));
            let is_complete = lifecycle == expected && is_booked_once;
            (!is_complete).then(|| format!("{id} has {types:?}, expected {expected:?}"))
        })
    }
}
