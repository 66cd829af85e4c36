//! The budgets for the memory of request and response bodies.

use super::encode::TextEncoder;
use crate::memory_budget::{MemoryBudget, MemoryBudgets};

pub(super) fn write(text: &mut TextEncoder, memory: &MemoryBudgets) {
    let MemoryBudgets {
        requests,
        responses,
    } = memory;
    let help = "Bytes that bodies of requests have reserved of limits.request_memory_bytes.";
    text.gauge("request_memory_bytes", help)
        .value(requests.used());
    let help = "The value of limits.request_memory_bytes.";
    text.gauge("request_memory_limit_bytes", help)
        .value(requests.limit());
    let help = "Bytes that bodies of responses have reserved of limits.response_memory_bytes.";
    text.gauge("response_memory_bytes", help)
        .value(responses.used());
    let help = "The value of limits.response_memory_bytes.";
    text.gauge("response_memory_limit_bytes", help)
        .value(responses.limit());
    let help = "Requests rejected with 503 Overloaded because a budget was exhausted, by budget.";
    let mut family = text.counter("memory_refusals_total", help);
    let mut refusals = |name: &str, budget: &MemoryBudget| {
        family.sample(&[("budget", name)], budget.refusals());
    };
    refusals("request", requests);
    refusals("response", responses);
}
