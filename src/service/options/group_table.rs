//! The table of options of resource groups.

use super::{
    DefaultValue,
    Importance::{Advanced, Mandatory, Optional},
    OptionSpec,
    OptionType::{AccessNumber, AccessNumbers, Boolean, Choice, Integer, ServiceNames},
    ServiceKind::Group,
    constants::{
        ALLOCATION_STRATEGIES, BOOKING_TIMEOUT_RANGE, DEFAULT_BOOKING_TIMEOUT, WEBHOOK_EVENTS,
        WEBHOOK_SECRET, WEBHOOK_SECRET_DESCRIPTION, WEBHOOK_URL,
    },
    spec::option,
};

/// Options of resource groups.
pub(super) static GROUP_OPTIONS: &[OptionSpec] = &[
    option(
        "_allocation_strategy",
        &[(Mandatory, &[Group])],
        |_| Choice(&ALLOCATION_STRATEGIES),
        "How numbers are allocated. CLUSTER and LOCAL, which are the same here, book a number for one \
         service at a time; RANDOM and ROUND_ROBIN share numbers among services.",
    ),
    option(
        "_backup_resource",
        &[(Advanced, &[Group])],
        |_| AccessNumber,
        "Number that is returned when all are booked. It is shared, and must not be one of the group.",
    ),
    option(
        "_booking_expiration_timeout",
        &[(Optional, &[Group])],
        |_| Integer(BOOKING_TIMEOUT_RANGE.0, BOOKING_TIMEOUT_RANGE.1),
        "Seconds that a number stays booked if neither the request nor the service sets it.",
    )
    .with_unit("seconds")
    .with_default(DefaultValue::Number(DEFAULT_BOOKING_TIMEOUT)),
    option(
        "_max_booking_expiration_timeout",
        &[(Advanced, &[Group])],
        |_| Integer(BOOKING_TIMEOUT_RANGE.0, BOOKING_TIMEOUT_RANGE.1),
        "Maximum in seconds that a request can set by _booking_expiration_timeout. Options of services \
         and of the group can be longer.",
    )
    .with_unit("seconds")
    .with_default(DefaultValue::Number(BOOKING_TIMEOUT_RANGE.1)),
    option(
        "_services",
        &[(Advanced, &[Group])],
        |_| ServiceNames,
        "Configured services whose requests can take numbers from the group, in addition to those whose \
         own _resource_group it is. Default: all services.",
    ),
    option(
        "_webhook_url",
        &[(Optional, &[Group])],
        |_| WEBHOOK_URL,
        "URL that events of the numbers of the group are sent to. http:// needs the setting webhooks.allow_http.",
    ),
    option(
        "_webhook_events",
        &[(Optional, &[Group])],
        |_| WEBHOOK_EVENTS,
        "Types of the events, such as number.exhausted. * means all of numbers.",
    )
    .with_default(DefaultValue::Text("*")),
    option(
        "_webhook_secret",
        &[(Optional, &[Group])],
        |_| WEBHOOK_SECRET,
        WEBHOOK_SECRET_DESCRIPTION,
    )
    .secret(),
    option(
        "_webhook_user_data",
        &[(Advanced, &[Group])],
        |_| Boolean,
        "Whether events contain the numbers of callers.",
    )
    .with_default(DefaultValue::Text("false")),
    option(
        "numbers",
        &[(Mandatory, &[Group])],
        |_| AccessNumbers,
        "Numbers that callers dial. Different spellings of a number are the same number, and two groups \
         that book numbers exclusively must not share one.",
    ),
];
