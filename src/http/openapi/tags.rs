//! The tags of operations: names of resources, in the order in which integrators use them.

use std::collections::BTreeSet;

use utoipa::openapi::{
    OpenApi,
    tag::{Tag, TagBuilder},
};

use super::path_items::operations_of;

/// All tags with their descriptions. Services and storage come first, administration last.
const TAGS: [(&str, &str); 17] = [
    ("services", "Create, describe, extend and delete services"),
    ("storage", "Strings in the storage of a service"),
    ("binaries", "Files in the storage of a service"),
    ("requests", "Requests that depend on the configured service"),
    ("storage areas", "The Storage API: data without a service"),
    ("chats", "Events of chats for the customer"),
    ("agent chats", "Chats and availability of agents"),
    (
        "active services",
        "All services and storage areas, for operators",
    ),
    ("bookings", "Booked access numbers"),
    ("matches", "Explanations of matches, and failed matches"),
    ("configured services", "Service definitions of the catalog"),
    ("resource groups", "Groups of access numbers in the catalog"),
    ("catalog", "Export, import and restore of all definitions"),
    ("webhooks", "Deliveries of events to other systems"),
    ("audit log", "Changes by operators and clients"),
    (
        "replicas",
        "The running processes, their problems and statistics",
    ),
    ("health", "Probes, metrics and this document"),
];

/// The position of a tag in the order of use; that of unknown tags is last.
pub(super) fn position(tag: &str) -> usize {
    let known = TAGS.iter().position(|(name, _)| *name == tag);
    known.unwrap_or(TAGS.len())
}

/// The tags of the operations and webhooks of a document.
pub(super) fn used_tags(document: &OpenApi) -> Vec<Tag> {
    let webhooks = document.webhooks.iter().flat_map(|section| &section.paths);
    let items = document.paths.paths.iter().chain(webhooks);
    let operations = items.flat_map(|(_, item)| operations_of(item));
    let operations = operations.filter_map(|(_, operation)| operation.as_ref());
    let used: BTreeSet<&str> = operations
        .flat_map(|operation| operation.tags.iter().flatten())
        .map(String::as_str)
        .collect();
    let tags = TAGS.iter().filter(|(name, _)| used.contains(name));
    let tags = tags.map(|(name, description)| {
        let tag = TagBuilder::new().name(*name);
        tag.description(Some(*description)).build()
    });
    tags.collect()
}
