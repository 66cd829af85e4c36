//! Ranges, choices and defaults of the tables of options.

use super::OptionType::{self, Text};

/// The types of configured services.
pub(in crate::service) const TYPES: [&str; 3] = [BUILTIN, ORS, HTTP];
/// Implemented in this program.
pub(super) const BUILTIN: &str = "builtin";
/// On an Orchestration Server.
pub(super) const ORS: &str = "ors";
/// In a web service.
pub(super) const HTTP: &str = "http";
/// The default TTL of a service in seconds.
pub(in crate::service) const DEFAULT_TTL: u64 = 86_400;
/// The default resource group.
pub(in crate::service) const DEFAULT_GROUP: &str = "DNIS";
/// The range of booking timeouts in seconds.
pub(in crate::service) const BOOKING_TIMEOUT_RANGE: (u64, u64) = (5, 1_800);
/// The default booking timeout in seconds.
pub(in crate::service) const DEFAULT_BOOKING_TIMEOUT: u64 = 30;
/// The range of lengths of access codes.
pub(in crate::service) const CODE_LENGTH_RANGE: (u64, u64) = (1, 16);
/// The default length of access codes.
pub(in crate::service) const DEFAULT_CODE_LENGTH: u64 = 6;
/// The range of timeouts of the client of a chat in seconds.
pub(in crate::service) const CLIENT_TIMEOUT_RANGE: (u64, u64) = (5, 86_400);
/// The default timeout of the client of a chat in seconds.
pub(in crate::service) const DEFAULT_CLIENT_TIMEOUT: u64 = 90;
/// The range of the maximum number of events of a chat.
pub(in crate::service) const MAX_EVENTS_RANGE: (u64, u64) = (10, 100_000);
/// The default maximum number of events of a chat.
pub(in crate::service) const DEFAULT_MAX_EVENTS: u64 = 5_000;
/// The range of the maximum size of a chat message in bytes.
pub(in crate::service) const MESSAGE_BYTES_RANGE: (u64, u64) = (1, 65_536);
/// The default maximum size of a chat message in bytes.
pub(in crate::service) const DEFAULT_MESSAGE_BYTES: u64 = 16_384;
/// The allocation strategies of resource groups.
pub(in crate::service) const ALLOCATION_STRATEGIES: [&str; 4] =
    ["RANDOM", "ROUND_ROBIN", "CLUSTER", "LOCAL"];
/// The type of `_webhook_url`.
pub(super) const WEBHOOK_URL: OptionType = Text("a URL, such as https://host/path");
/// The type of `_webhook_events`.
pub(super) const WEBHOOK_EVENTS: OptionType = Text("* or a comma-separated list of event types");
/// The type of `_webhook_secret`.
pub(super) const WEBHOOK_SECRET: OptionType =
    Text("whsec_ and 24 to 64 bytes in base64, once or twice");
/// The description of `_webhook_secret`.
pub(super) const WEBHOOK_SECRET_DESCRIPTION: &str = "Secret that signs the events, as in the Standard Webhooks specification; required with _webhook_url. During a \
     rotation, two secrets separated by a space. It can contain ${NAME} as _header.<Name> does, and is never returned.";
