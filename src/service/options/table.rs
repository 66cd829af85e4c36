//! The table of options of configured services.

use super::{
    DefaultValue,
    Importance::{Advanced, Mandatory, Optional},
    OptionSpec,
    OptionType::{
        Boolean, Choice, Integer, OptionNames, Pattern, ResourceGroup, Text, Url, UrlList,
        UrlTemplate,
    },
    ServiceKind::{
        self, Http, MatchInteraction, Ors, RequestAccess, RequestChat, RequestInteraction, Store,
    },
    constants::{
        BOOKING_TIMEOUT_RANGE, CLIENT_TIMEOUT_RANGE, CODE_LENGTH_RANGE, DEFAULT_CLIENT_TIMEOUT,
        DEFAULT_CODE_LENGTH, DEFAULT_GROUP, DEFAULT_MAX_EVENTS, DEFAULT_MESSAGE_BYTES, DEFAULT_TTL,
        MAX_EVENTS_RANGE, MESSAGE_BYTES_RANGE, TYPES, WEBHOOK_EVENTS, WEBHOOK_SECRET,
        WEBHOOK_SECRET_DESCRIPTION, WEBHOOK_URL,
    },
    spec::option,
};
use crate::{
    backend::{BALANCING_STRATEGIES, METHODS},
    service::builtin::Builtin,
};

const ALL_KINDS: &[ServiceKind] = &[
    Store,
    RequestInteraction,
    RequestChat,
    RequestAccess,
    MatchInteraction,
    Ors,
    Http,
];
pub(super) const BUILTIN_KINDS: &[ServiceKind] = &[
    Store,
    RequestInteraction,
    RequestChat,
    RequestAccess,
    MatchInteraction,
];
/// The types whose create creates a service.
const CREATING_KINDS: &[ServiceKind] = &[Store, RequestInteraction, RequestChat, Ors, Http];
/// The types whose services or bookings have events.
const WEBHOOK_KINDS: &[ServiceKind] = &[
    Store,
    RequestInteraction,
    RequestChat,
    RequestAccess,
    Ors,
    Http,
];
/// The types that book a number.
const BOOKING_KINDS: &[ServiceKind] = &[RequestInteraction, RequestAccess];
/// The types that run on a backend.
const BACKEND_KINDS: &[ServiceKind] = &[Ors, Http];

/// Options of configured services.
pub(super) static SERVICE_OPTIONS: &[OptionSpec] = &[
    option(
        "_type",
        &[(Mandatory, ALL_KINDS)],
        |_| Choice(&TYPES),
        "Where the service is implemented: in this program (builtin), on an Orchestration Server (ors) or \
         in a web service (http).",
    )
    .server_side(),
    option(
        "_service",
        &[(Mandatory, BUILTIN_KINDS)],
        |_| Choice(&Builtin::NAMES),
        "Function of the service. app-to-connect-basic is an older name of request-interaction.",
    )
    .server_side(),
    option(
        "_service",
        &[(Mandatory, &[Ors])],
        |_| Url,
        "URL of the SCXML document that runs for each service; the Orchestration Server fetches it.",
    )
    .server_side(),
    option(
        "_service",
        &[(Mandatory, &[Http])],
        |_| UrlTemplate,
        "URL that a create calls. Its response is the response to the client.",
    )
    .server_side(),
    option(
        "_ors",
        &[(Mandatory, &[Ors]), (Optional, &[Http])],
        |_| UrlList,
        "Base URLs of the backends; each service runs on one of them. For http they are the base of \
         templates that begin with a path, and required if there is one.",
    )
    .server_side(),
    option(
        "_ors_lb_strategy",
        &[(Advanced, BACKEND_KINDS)],
        |_| Choice(&BALANCING_STRATEGIES),
        "Backend for a new service: each in turn (circular), or the first one that can be reached \
         (linear).",
    )
    .with_default(DefaultValue::Text(BALANCING_STRATEGIES[0]))
    .server_side(),
    option(
        "_request.<name>",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "URL that the request of this name calls. The name can be a path.",
    )
    .server_side(),
    option(
        "_request",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "URL that every request without a template of its own calls. Without this option there are no \
         such requests.",
    )
    .server_side(),
    option(
        "_session",
        &[(Optional, &[Http])],
        |_| Text("the name of a member"),
        "Member of the response to the create that names the session at the web service. All other \
         templates can contain it as {_session}.",
    )
    .server_side(),
    option(
        "_terminate",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "URL that is called when a service has ended. It can contain {id}, {service} and {_session}.",
    )
    .server_side(),
    option(
        "_method",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "Method of all calls that have none of their own. GET and DELETE send only what the template \
         contains.",
    )
    .with_default(DefaultValue::Text("POST"))
    .server_side(),
    option(
        "_method.<name>",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "Method of the request of this name, which must have a template. Default: _method.",
    )
    .server_side(),
    option(
        "_terminate_method",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "Method of _terminate. Default: _method.",
    )
    .server_side(),
    option(
        "_header.<Name>",
        &[(Advanced, BACKEND_KINDS)],
        |_| Text("text, in which ${NAME} stands for a variable of the environment"),
        "Header of every call to a backend. Its value is never returned; entries that are managed through \
         the admin API can use only variables that begin with SWITCHBOARD_HEADER_.",
    )
    .secret()
    .server_side(),
    option(
        "_ttl",
        &[(Optional, CREATING_KINDS)],
        |max_ttl_seconds| Integer(1, max_ttl_seconds),
        "Seconds until a service and all its data expire. The maximum is the setting limits.max_ttl_seconds.",
    )
    .with_unit("seconds")
    .with_default(DefaultValue::Number(DEFAULT_TTL)),
    option(
        "_resource_group",
        &[(Optional, BOOKING_KINDS)],
        |_| ResourceGroup,
        "Resource group that access numbers are taken from.",
    )
    .with_default(DefaultValue::Text(DEFAULT_GROUP)),
    option(
        "_provide_code",
        &[(Optional, BOOKING_KINDS)],
        |_| Boolean,
        "Returns an access code, which the caller keys in, with the number. It distinguishes callers of \
         one number.",
    )
    .with_default(DefaultValue::Text("false")),
    option(
        "_booking_expiration_timeout",
        &[(Optional, BOOKING_KINDS)],
        |_| Integer(BOOKING_TIMEOUT_RANGE.0, BOOKING_TIMEOUT_RANGE.1),
        "Seconds that a number stays booked. The request takes precedence over this option, which takes \
         precedence over that of the group.",
    )
    .with_unit("seconds"),
    option(
        "_access_code_length",
        &[(Advanced, BOOKING_KINDS)],
        |_| Integer(CODE_LENGTH_RANGE.0, CODE_LENGTH_RANGE.1),
        "Digits of an access code, including its prefix.",
    )
    .with_unit("digits")
    .with_default(DefaultValue::Number(DEFAULT_CODE_LENGTH)),
    option(
        "_access_code_prefix",
        &[(Advanced, BOOKING_KINDS)],
        |_| {
            Pattern(
                "digits, or a range of them such as 7-9",
                "^[0-9]{1,16}(-[0-9]{1,16})?$",
            )
        },
        "First digits of access codes; with a range, any value in it.",
    ),
    option(
        "_return_pool_health",
        &[(Advanced, BOOKING_KINDS)],
        |_| Boolean,
        "Returns the size of the group and its number of free numbers as _pool_size and _pool_free.",
    )
    .with_default(DefaultValue::Text("false")),
    option(
        "_return_user_data",
        &[(Optional, &[MatchInteraction])],
        |_| Boolean,
        "Returns the user data of the matched service as _user_data.",
    )
    .with_default(DefaultValue::Text("false")),
    option(
        "_allow_empty_access_code",
        &[(Advanced, &[MatchInteraction])],
        |_| Boolean,
        "Treats an empty _access_code as absent, so that any booking of the number matches. Otherwise it is \
         rejected.",
    )
    .with_default(DefaultValue::Text("false"))
    .server_side(),
    option(
        "_chat_requires_agent",
        &[(Optional, &[RequestChat])],
        |_| Boolean,
        "Rejects the start of a chat with 503 while no agent is available for it.",
    )
    .with_default(DefaultValue::Text("false"))
    .server_side(),
    option(
        "_client_timeout",
        &[(Optional, &[RequestChat])],
        |_| Integer(CLIENT_TIMEOUT_RANGE.0, CLIENT_TIMEOUT_RANGE.1),
        "Seconds without any request or connection of the client of a chat after which it has left. It joins again \
         with its next request.",
    )
    .with_unit("seconds")
    .with_default(DefaultValue::Number(DEFAULT_CLIENT_TIMEOUT))
    .server_side(),
    option(
        "_chat_max_events",
        &[(Advanced, &[RequestChat])],
        |_| Integer(MAX_EVENTS_RANGE.0, MAX_EVENTS_RANGE.1),
        "Maximum number of events in a transcript. Further messages are rejected.",
    )
    .with_unit("events")
    .with_default(DefaultValue::Number(DEFAULT_MAX_EVENTS))
    .server_side(),
    option(
        "_chat_message_bytes",
        &[(Advanced, &[RequestChat])],
        |_| Integer(MESSAGE_BYTES_RANGE.0, MESSAGE_BYTES_RANGE.1),
        "Maximum size of a message in bytes.",
    )
    .with_unit("bytes")
    .with_default(DefaultValue::Number(DEFAULT_MESSAGE_BYTES))
    .server_side(),
    option(
        "_chat_400_response_on_disconnected",
        &[(Advanced, &[RequestChat])],
        |_| Boolean,
        "Responds to requests after the end of a chat with 400 instead of 200 and the state DISCONNECTED.",
    )
    .with_default(DefaultValue::Text("false"))
    .server_side(),
    option(
        "_webhook_url",
        &[(Optional, WEBHOOK_KINDS)],
        |_| WEBHOOK_URL,
        "URL that events of the services are sent to, and of the numbers that they book. It concerns services that are \
         created afterwards. http:// needs the setting webhooks.allow_http.",
    )
    .server_side(),
    option(
        "_webhook_events",
        &[(Optional, WEBHOOK_KINDS)],
        |_| WEBHOOK_EVENTS,
        "Types of the events, such as service.expired, of those that the service can have. * means all of them.",
    )
    .with_default(DefaultValue::Text("*"))
    .server_side(),
    option(
        "_webhook_secret",
        &[(Optional, WEBHOOK_KINDS)],
        |_| WEBHOOK_SECRET,
        WEBHOOK_SECRET_DESCRIPTION,
    )
    .secret()
    .server_side(),
    option(
        "_webhook_user_data",
        &[(Advanced, WEBHOOK_KINDS)],
        |_| Boolean,
        "Whether events contain user data: strings of the create, texts and names in chats, numbers of callers.",
    )
    .with_default(DefaultValue::Text("false"))
    .server_side(),
    option(
        "_overwritable_options",
        &[(Advanced, ALL_KINDS)],
        |_| OptionNames,
        "Options of this service that requests can overwrite. All other options take precedence \
         over the request.",
    )
    .server_side(),
    option(
        "username",
        &[(Advanced, ALL_KINDS)],
        |_| Pattern("text without a colon", "^[^:]*$"),
        "User name (HTTP Basic) that protects this service and those created from it. Default: the \
         setting auth.username.",
    ),
    option(
        "password",
        &[(Advanced, ALL_KINDS)],
        |_| Text("text"),
        "Password for that user name; a password without a user name accepts any. Default: the setting \
         auth.password.",
    )
    .secret(),
];
