//! Results of the checks of Redis (`store::redis::checks`), by check and server.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::encode::TextEncoder;

type Results = BTreeMap<&'static str, BTreeMap<String, bool>>;

static RESULTS: Mutex<Results> = Mutex::new(BTreeMap::new());

/// Records the result of a check of one server. `None` means that Redis denies the command: then no
/// result is exported for the server.
pub fn record_redis_check(check: &'static str, server: &str, passed: Option<bool>) {
    let mut results = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let servers = results.entry(check).or_default();
    match passed {
        Some(passed) => servers.insert(server.to_owned(), passed),
        None => servers.remove(server),
    };
}

/// Removes the results of all other servers.
pub fn retain_redis_servers(current: &[String]) {
    let mut results = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
    for servers in results.values_mut() {
        servers.retain(|server, _| current.contains(server));
    }
}

pub(super) fn write(text: &mut TextEncoder) {
    let results = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let help = "1 if all Redis servers pass the check, else 0; absent if Redis denies the command of the \
                check.";
    let mut family = text.gauge("redis_check", help);
    for (check, servers) in results.iter().filter(|(_, servers)| !servers.is_empty()) {
        let passed = servers.values().all(|passed| *passed);
        family.sample(&[("check", check)], u8::from(passed));
    }
}
