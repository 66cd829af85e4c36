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
        "Who does what the service is for: this program (builtin), an Orchestration Server (ors) or any web service \
         (http).",
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
        "The SCXML document that runs for each service; the Orchestration Server fetches it from there.",
    )
    .wiring(),
    row(
        "_service",
        &[(Mandatory, &[Http])],
        |_| UrlTemplate,
        "What is asked of the web service at a create. What it answers is what the client gets.",
    )
    .wiring(),
    row(
        "_ors",
        &[(Mandatory, &[Ors]), (Optional, &[Http])],
        |_| UrlList,
        "The backends, of which each service has one. For http they are where templates stand that begin with their \
         path, and must be there if one does.",
    )
    .wiring(),
    row(
        "_ors_lb_strategy",
        &[(Advanced, BACKED)],
        |_| Choice(&BALANCING),
        "Which backend takes a new service: each in its turn (circular), or the first one that can be reached \
         (linear).",
    )
    .otherwise(Otherwise::Text(BALANCING[0]))
    .wiring(),
    row(
        "_request.<name>",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "What is asked of the web service at the request of this name. The name may be a path.",
    )
    .wiring(),
    row(
        "_request",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "What is asked of the web service at every request that has no template of its own. Without it there are no \
         such requests.",
    )
    .wiring(),
    row(
        "_session",
        &[(Optional, &[Http])],
        |_| Text("the name of a member"),
        "The member of the answer to the create that names the session at the web service. All other templates may \
         have it as {_session}.",
    )
    .wiring(),
    row(
        "_terminate",
        &[(Optional, &[Http])],
        |_| UrlTemplate,
        "What is asked of the web service when a service has ended. It may have {id}, {service} and {_session}.",
    )
    .wiring(),
    row(
        "_method",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "The method by which the web service is asked where nothing else is said. GET and DELETE send only what \
         stands in the template.",
    )
    .otherwise(Otherwise::Text("POST"))
    .wiring(),
    row(
        "_method.<name>",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "The method of the request of this name, which must have a template; without it that of _method.",
    )
    .wiring(),
    row(
        "_terminate_method",
        &[(Advanced, &[Http])],
        |_| Choice(&METHODS),
        "The method of _terminate; without it that of _method.",
    )
    .wiring(),
    row(
        "_header.<Name>",
        &[(Advanced, BACKED)],
        |_| Text("text, in which ${NAME} stands for a variable of the environment"),
        "A header that is sent with every call of a backend. Its value is never told; an operator may name only \
         variables that begin with SWITCHBOARD_HEADER_.",
    )
    .secret()
    .wiring(),
    row(
        "_ttl",
        &[(Optional, MAKING)],
        |longest_life| WholeNumber(1, longest_life),
        "Seconds that a service and all its data live. The setting limits.life_seconds says how many there may be.",
    )
    .otherwise(Otherwise::Number(DEFAULT_TTL)),
    row(
        "_resource_group",
        &[(Optional, GIVING)],
        |_| ResourceGroup,
        "The group that access numbers are taken from.",
    )
    .otherwise(Otherwise::Text(DEFAULT_GROUP)),
    row(
        "_provide_code",
        &[(Optional, GIVING)],
        |_| Boolean,
        "Whether a caller is given a code to key in, beside the number. By it callers of one number are told apart.",
    )
    .otherwise(Otherwise::Text("false")),
    row(
        "_booking_expiration_timeout",
        &[(Optional, GIVING)],
        |_| WholeNumber(HELD.0, HELD.1),
        "Seconds that a number is held for its caller. What the request says wins over this, and this over what the \
         group says.",
    ),
    row(
        "_access_code_length",
        &[(Advanced, GIVING)],
        |_| WholeNumber(CODE_LENGTHS.0, CODE_LENGTHS.1),
        "Digits of an access code, those of its prefix included.",
    )
    .otherwise(Otherwise::Number(DEFAULT_CODE_LENGTH)),
    row(
        "_access_code_prefix",
        &[(Advanced, GIVING)],
        |_| Text("digits, or a range of them such as 7-9"),
        "What access codes begin with; of a range, with any that lies in it.",
    ),
    row(
        "_return_pool_health",
        &[(Advanced, GIVING)],
        |_| Boolean,
        "Whether the answer tells how many numbers the group has and how many of them are free, as _pool_size and \
         _pool_free.",
    )
    .otherwise(Otherwise::Text("false")),
    row(
        "_return_user_data",
        &[(Optional, &[MatchInteraction])],
        |_| Boolean,
        "Whether the answer has the user data of the service that was found, as _user_data.",
    )
    .otherwise(Otherwise::Text("false")),
    row(
        "_allow_empty_access_code",
        &[(Advanced, &[MatchInteraction])],
        |_| Boolean,
        "Whether an empty _access_code counts as none, so that any booking of the number matches. Otherwise it is \
         refused.",
    )
    .otherwise(Otherwise::Text("false"))
    .wiring(),
    row(
        "_overwritable_options",
        &[(Advanced, ALL)],
        |_| OptionNames,
        "Options that are said here and yield to what a request says. All others that are said here win over the \
         request.",
    )
    .wiring(),
    row(
        "username",
        &[(Advanced, ALL)],
        |_| Text("text without a colon"),
        "The user name by which callers open this service and those made from it (HTTP Basic). Without it that of \
         the server counts, the setting auth.username.",
    ),
    row(
        "password",
        &[(Advanced, ALL)],
        |_| Text("text"),
        "The password that goes with it; alone it takes any user name. Without it that of the server counts, the \
         setting auth.password.",
    )
    .secret(),
];

/// Options of resource groups.
pub(super) static GROUPS: &[Row] = &[
    row(
        "_allocation_strategy",
        &[(Mandatory, &[Group])],
        |_| Choice(&STRATEGIES),
        "How numbers are handed out. CLUSTER and LOCAL, which are the same here, hold a number for one service at a \
         time; RANDOM and ROUND_ROBIN share numbers among services.",
    ),
    row(
        "_backup_resource",
        &[(Advanced, &[Group])],
        |_| AccessNumber,
        "The number that is handed out when all are taken. It is shared, and none of the group's own.",
    ),
    row(
        "_booking_expiration_timeout",
        &[(Optional, &[Group])],
        |_| WholeNumber(HELD.0, HELD.1),
        "Seconds that a number is held for its caller where neither the request nor the service says.",
    )
    .otherwise(Otherwise::Number(DEFAULT_HELD)),
    row(
        "_max_booking_expiration_timeout",
        &[(Advanced, &[Group])],
        |_| WholeNumber(HELD.0, HELD.1),
        "The longest time in seconds that a request may ask for by _booking_expiration_timeout. The options of \
         services and of the group may be longer.",
    )
    .otherwise(Otherwise::Number(HELD.1)),
    row(
        "_services",
        &[(Advanced, &[Group])],
        |_| ServiceNames,
        "The configured services whose requests may take numbers from the group; those whose own _resource_group it is \
         always may. Without this option every service may.",
    ),
    row(
        "numbers",
        &[(Mandatory, &[Group])],
        |_| AccessNumbers,
        "The numbers that callers are given to dial. Two ways to write one number are one number, and no two groups \
         that hold numbers for one service at a time may have the same.",
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
