//! What is counted, and how it is told: the text of `GET /metrics`.
//!
//! This is the one part of the program that all layers may name; it names none of them. Counts belong to
//! the process, as the log does. All labels come from sets that are fixed when the program is built, but
//! for the names of resource groups, which the catalogue has. That is why this is no metrics library:
//! where a label is a place in an array, a request is counted by a few additions, with nothing hashed,
//! looked up or locked, and the format is a page of code.

use self::text::Text;
pub use self::{
    counts::{Counter, Held, Level},
    process::{
        Attempt, CLEANUP_ACTIVE, CLEANUP_FAILURES, CLEANUP_SERVICES, LISTENED_TO, Spans, TELLING,
        catalog_entries_lost, cleans_up, is_notified, set_catalog_entries_lost, set_clock_skew,
    },
    redis_checks::{record_redis_check, retain_redis_servers},
    requests::{GONE, Method, RouteCounts, answered, download, is_fault, request_refused},
    shared::{Shared, known, tell},
    store::{BYTES_IN, BYTES_OUT, LANES, LANES_LOST, PoolWatch, StoreCounts, watch_pool},
};
use crate::{
    memory_budget::Memory,
    model::readiness::{READY, Reason, Status},
    settings::VERSION,
};

mod counts;
mod memory;
mod process;
mod redis_checks;
mod requests;
mod shared;
mod store;
mod text;

/// The content type of [`text()`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, with the readiness and the memory budgets of the replica.
#[must_use]
pub fn text(readiness: &Status, memory: &Memory) -> String {
    let mut text = Text::default();
    let help = "Readiness, as /readyz has it: reason=\"ready\" is 1 while requests are welcome, each \
                other reason is 1 while it applies.";
    let mut family = text.gauge("ready", help);
    family.sample(&[("reason", READY)], u8::from(readiness.is_ready()));
    for reason in Reason::ALL {
        let applies = u8::from(readiness.has(*reason));
        family.sample(&[("reason", reason.name())], applies);
    }
    let version = [("version", VERSION)];
    text.gauge("build_info", "Always 1; tells the version.")
        .sample(&version, 1);
    requests::write(&mut text);
    store::write(&mut text);
    memory::write(&mut text, memory);
    process::write(&mut text);
    redis_checks::write(&mut text);
    shared::write(&mut text);
    text.into_string()
}
