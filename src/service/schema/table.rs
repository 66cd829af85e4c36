//! The table.

use super::{
    Allowed::{
        self, AccessNumber, AccessNumbers, Boolean, Choice, OptionNames, ResourceGroup,
        ServiceNames, Text, Url, UrlList, UrlTemplate, WholeNumber,
    },
    Need::{self, Advanced, Mandatory, Optional},
    Otherwise,
    Purpose::{self, Group, Http, MatchInteraction, Ors, RequestAccess, RequestInteraction, Store},
    Row,
};
use crate::service::builtin::Builtin;

/// Who may do what a service is for.
pub(in crate::service) const TYPES: [&str; 3] = [BUILTIN, ORS, HTTP];
/// This program.
pub(super) const BUILTIN: &str = "builtin";
/// An Orchestration Server.
pub(super) const ORS: &str = "ors";
/// A web service.
pub(super) const HTTP: &str = "http";
/// Life of a service where neither definition nor request says, in seconds.
pub(in crate::service) const DEFAULT_TTL: u64 = 86_400;
/// The group that is asked where nobody says.
pub(in crate::service) const DEFAULT_GROUP: &str = "DNIS";
/// Seconds that a number may be held.
pub(in crate::service) const HELD: (u64, u64) = (5, 1_800);
/// Seconds that a number is held where nobody says.
pub(in crate::service) const DEFAULT_HELD: u64 = 30;
/// Digits that an access code may have.
pub(in crate::service) const CODE_LENGTHS: (u64, u64) = (1, 16);
/// Digits of an access code where nobody says.
pub(in crate::service) const DEFAULT_CODE_LENGTH: u64 = 6;
/// How backends are taken in turn; the first where nobody says.
pub(in crate::service) const BALANCING: [&str; 2] = ["circular", "linear"];
/// Methods that a web service may be asked by.
pub(in crate::service) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// How the numbers of a group are handed out.
pub(in crate::service) const STRATEGIES: [&str; 4] = ["RANDOM", "ROUND_ROBIN", "CLUSTER", "LOCAL"];
/// Longest access number, in bytes.
pub(in crate::service) const MAX_NUMBER_BYTES: usize = 64;

const ALL: &[Purpose] = &[
    Store,
    RequestInteraction,
    RequestAccess,
    MatchInteraction,
    Ors,
    Http,
];
pub(super) const BUILTINS: &[Purpose] =
    &[Store, RequestInteraction, RequestAccess, MatchInteraction];
/// Those of which a create makes a service.
const MAKING: &[Purpose] = &[Store, RequestInteraction, Ors, Http];
/// Those that give a number.
const GIVING: &[Purpose] = &[RequestInteraction, RequestAccess];
/// Those that run on a backend.
const BACKED: &[Purpose] = &[Ors, Http];

/// Options of configured services.
pub(super) static SERVICES: &[Row] = &[
    row(
        "_type",
        &[(Mandatory, ALL)],
        |_| Choice(&TYPES),
        "Where the service is implemented: in this program (builtin), on an Orchestration Server (ors) or \
         in a web service (http).",
    )
    .wiring(),
    row(
        "_service",
        &[(Mandatory, BUILTINS)],
        |_| Choice(&Builtin::NAMES),
        "What the service does. app-to-connect-basic is an older name of request-interaction.",
    )
    .wiring(),
    row(
        "_service",
        &[(Mandatory, &[Ors])],
        |_| Url,
        "URL of the SCXML document that runs for each service; the Orchestration Server fetches it.",
    )
    .wiring(),
    row(
        "_service",
        &[(Mandatory, &[Http])],
        |_| UrlTemplate,
        "URL that a create calls. Its response is the response to the client.",
    )
    .wiring(),
    row(
        "_ors",
        &[(Mandatory, &[Ors]), (Optional, &[Http])],
        |_| UrlList,
        "Base URLs of the backends; each service runs on one of them. For http they are the base of \
         templates that begin with a path, and required if there is one.",
    )
    .wiring(),
    row(
        "_ors_lb_strategy",
        &[(Advanced, BACKED)],
        |_| Choice(&BALANCING),
        "Backend for a new service: each in turn (circular), or the first one that can be reached \
         (linear).",
    )
    .otherwise(Otherwise::Text(BALANCING[0]))
    .wiring(),
    row(
        "_request.<name>",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "URL that the request of this name calls. The name can be a path.",
    )
    .wiring(),
    row(
        "_request",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "URL that every request without a template of its own calls. Without this option there are no \
         such requests.",
    )
    .wiring(),
    row(
        "_session",
        &[(Optional, &[Http])],
        |_| Text("the name of a member"),
        "Member of the response to the create that names the session at the web service. All other \
         templates can contain it as {_session}.",
    )
    .wiring(),
    row(
        "_terminate",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "URL that is called when a service has ended. It can contain {id}, {service} and {_session}.",
    )
    .wiring(),
    row(
        "_method",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "Method of all calls that have none of their own. GET and DELETE send only what the template \
         contains.",
    )
    .otherwise(Otherwise::Text("POST"))
    .wiring(),
    row(
        "_method.<name>",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "Method of the request of this name, which must have a template. Default: _method.",
    )
    .wiring(),
    row(
        "_terminate_method",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "Method of _terminate. Default: _method.",
    )
    .wiring(),
    row(
        "_header.<Name>",
        &[(Advanced, BACKED)],
        |_| Text("text, in which ${NAME} stands for a variable of the environment"),
        "Header of every call to a backend. Its value is never returned; entries that are managed through \
         the admin API can use only variables that begin with SWITCHBOARD_HEADER_.",
    )
    .secret()
    .wiring(),
    row(
        "_ttl",
        &[(Optional, MAKING)],
        |longest_life| WholeNumber(1, longest_life),
        "Seconds until a service and all its data expire. The maximum is the setting limits.life_seconds.",
    )
    .otherwise(Otherwise::Number(DEFAULT_TTL)),
    row(
        "_resource_group",
        &[(Optional, GIVING)],
        |_| ResourceGroup,
        "Resource group that access numbers are taken from.",
    )
    .otherwise(Otherwise::Text(DEFAULT_GROUP)),
    row(
        "_provide_code",
        &[(Optional, GIVING)],
        |_| Boolean,
        "Returns an access code, which the caller keys in, with the number. It distinguishes callers of \
         one number.",
    )
    .otherwise(Otherwise::Text("false")),
    row(
        "_booking_expiration_timeout",
        &[(Optional, GIVING)],
        |_| WholeNumber(HELD.0, HELD.1),
        "Seconds that a number stays booked. The request wins over this option, which wins over that of \
         the group.",
    ),
    row(
        "_access_code_length",
        &[(Advanced, GIVING)],
        |_| WholeNumber(CODE_LENGTHS.0, CODE_LENGTHS.1),
        "Digits of an access code, including its prefix.",
    )
    .otherwise(Otherwise::Number(DEFAULT_CODE_LENGTH)),
    row(
        "_access_code_prefix",
        &[(Advanced, GIVING)],
        |_| Text("digits, or a range of them such as 7-9"),
        "First digits of access codes; with a range, any value in it.",
    ),
    row(
        "_return_pool_health",
        &[(Advanced, GIVING)],
        |_| Boolean,
        "Returns the size of the group and its number of free numbers as _pool_size and _pool_free.",
    )
    .otherwise(Otherwise::Text("false")),
    row(
        "_return_user_data",
        &[(Optional, &[MatchInteraction])],
        |_| Boolean,
        "Returns the user data of the matched service as _user_data.",
    )
    .otherwise(Otherwise::Text("false")),
    row(
        "_allow_empty_access_code",
        &[(Advanced, &[MatchInteraction])],
        |_| Boolean,
        "Treats an empty _access_code as absent, so that any booking of the number matches. Otherwise it \
         is refused.",
    )
    .otherwise(Otherwise::Text("false"))
    .wiring(),
    row(
        "_overwritable_options",
        &[(Advanced, ALL)],
        |_| OptionNames,
        "Options of this service that requests can overwrite. All other options win over the request.",
    )
    .wiring(),
    row(
        "username",
        &[(Advanced, ALL)],
        |_| Text("text without a colon"),
        "User name (HTTP Basic) that protects this service and those created from it. Default: the \
         setting auth.username.",
    ),
    row(
        "password",
        &[(Advanced, ALL)],
        |_| Text("text"),
        "Password for that user name; a password without a user name accepts any. Default: the setting \
         auth.password.",
    )
    .secret(),
];

/// Options of resource groups.
pub(super) static GROUPS: &[Row] = &[
    row(
        "_allocation_strategy",
        &[(Mandatory, &[Group])],
        |_| Choice(&STRATEGIES),
        "How numbers are allocated. CLUSTER and LOCAL, which are the same here, book a number for one \
         service at a time; RANDOM and ROUND_ROBIN share numbers among services.",
    ),
    row(
        "_backup_resource",
        &[(Advanced, &[Group])],
        |_| AccessNumber,
        "Number that is returned when all are booked. It is shared, and must not be one of the group.",
    ),
    row(
        "_booking_expiration_timeout",
        &[(Optional, &[Group])],
        |_| WholeNumber(HELD.0, HELD.1),
        "Seconds that a number stays booked if neither the request nor the service sets it.",
    )
    .otherwise(Otherwise::Number(DEFAULT_HELD)),
    row(
        "_max_booking_expiration_timeout",
        &[(Advanced, &[Group])],
        |_| WholeNumber(HELD.0, HELD.1),
        "Maximum in seconds that a request can set by _booking_expiration_timeout. Options of services \
         and of the group can be longer.",
    )
    .otherwise(Otherwise::Number(HELD.1)),
    row(
        "_services",
        &[(Advanced, &[Group])],
        |_| ServiceNames,
        "Configured services whose requests can take numbers from the group, in addition to those whose \
         own _resource_group it is. Default: all services.",
    ),
    row(
        "numbers",
        &[(Mandatory, &[Group])],
        |_| AccessNumbers,
        "Numbers that callers dial. Different spellings of a number are the same number, and two groups \
         that book numbers exclusively must not share one.",
    ),
];

const fn row(
    name: &'static str,
    stands: &'static [(Need, &'static [Purpose])],
    allowed: fn(u64) -> Allowed,
    help: &'static str,
) -> Row {
    Row {
        name,
        stands,
        allowed,
        default: None,
        is_secret: false,
        is_wiring: false,
        help,
    }
}

impl Row {
    /// The same, of which this counts where it is absent.
    const fn otherwise(self, default: Otherwise) -> Self {
        let default = Some(default);
        Self { default, ..self }
    }

    const fn secret(self) -> Self {
        let is_secret = true;
        Self { is_secret, ..self }
    }

    const fn wiring(self) -> Self {
        let is_wiring = true;
        Self { is_wiring, ..self }
    }
}
