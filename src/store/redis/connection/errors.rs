//! Conversion of Redis errors.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use tokio::sync::Notify;

use crate::{
    model::{StoreError, readiness::Reason},
    tls_errors::with_advice,
};

/// Notified when Redis has refused a command of any worker of this process, for lack of rights or because it cannot write its
/// snapshot.
pub(in crate::store::redis) static COMMAND_REFUSED: Notify = Notify::const_new();

/// Error codes, also within the text of a transaction or script error, after which Redis may recover by
/// itself.
const UNAVAILABLE_CODES: [&str; 8] = [
    "BUSY",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOREPLICAS",
    "READONLY",
    "WRONGPASS",
];

/// Parts of the error texts for denied commands, keys and channels, outside and within scripts (6.2, and
/// 7.0 or newer).
const DENIED_TEXTS: [&str; 3] = [
    "noperm",
    "acl failure in script",
    "the user executing the script can't",
];

fn is_denied(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    DENIED_TEXTS.iter().any(|denied| text.contains(denied))
}

/// Whether the connection is unusable after this error. This includes timeouts: a late response may
/// never arrive, and a new connection determines the state.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_timeout() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

/// Whether the connection ended, other than by a timeout.
pub(super) fn is_closed(error: &RedisError) -> bool {
    error.is_connection_dropped() && !error.is_timeout()
}

/// Whether a server rejected a change because it is a replica. Nothing changed.
pub(super) fn is_readonly_replica(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        // Errors of a script only have a text.
        || error.to_string().contains("READONLY")
}

/// Whether the called script is not loaded. Nothing was executed.
pub(super) fn is_noscript(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// A response of a server that does not have the key, or not yet. In each case nothing was executed.
pub(super) enum Redirect {
    /// The slot has moved permanently to this server, `host:port`.
    Moved(String),
    /// The slot is being migrated to this server: it has the key, or must create it.
    Ask(String),
    /// The keys of the command are split between the source and the target of a migration.
    TryAgain,
    /// The server is no longer a primary.
    ReadOnlyReplica,
}

impl Redirect {
    /// `None` for all other errors.
    pub(super) fn from_error(error: &RedisError) -> Option<Self> {
        let to = || Some(error.redirect_node()?.0.to_owned());
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => to().map(Self::Moved),
            ErrorKind::Server(ServerErrorKind::Ask) => to().map(Self::Ask),
            ErrorKind::Server(ServerErrorKind::TryAgain) => Some(Self::TryAgain),
            _ if is_readonly_replica(error) => Some(Self::ReadOnlyReplica),
            _ => None,
        }
    }
}

/// The error code of Redis; for a pipeline or a transaction, that of the first failed command.
fn code_of(error: &RedisError) -> Option<String> {
    let errors = error.clone().into_server_errors()?;
    errors.first().map(|(_, error)| error.code().to_owned())
}

/// The reason why a server that returns this error, or fails with it, does not serve reads.
pub(super) fn reason_of(error: &RedisError) -> Reason {
    // The client replaces the code of the error by its own.
    if error.to_string().contains("DB index") {
        return Reason::NoSuchDatabase;
    }
    match (error.kind(), code_of(error).as_deref()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            Reason::AuthFailed
        }
        (_, Some("NOPERM")) => Reason::MissingRights,
        (_, Some("CLUSTERDOWN")) => Reason::ClusterDown,
        (_, Some("LOADING")) => Reason::StoreLoading,
        (ErrorKind::Client, _) | (_, Some("MASTERDOWN" | "READONLY")) => Reason::NoPrimary,
        (_, Some("BUSY")) => Reason::StoreBusy,
        (_, _) => Reason::StoreUnreachable,
    }
}

/// The restriction of a server that rejects a write with this error; `None` if there is none.
pub(super) fn restriction_of(error: &RedisError) -> Option<Reason> {
    match code_of(error).as_deref() {
        // The slot is on another server, or the preceding read failed for the same reason.
        Some("MOVED" | "ASK" | "TRYAGAIN" | "LOADING" | "MASTERDOWN" | "BUSY" | "NOAUTH") => None,
        Some("MISCONF") => Some(Reason::SnapshotFailing),
        Some("OOM") => Some(Reason::StoreFull),
        Some("READONLY") => Some(Reason::ReadOnly),
        Some("NOREPLICAS") => Some(Reason::TooFewReplicas),
        Some("CLUSTERDOWN") => Some(Reason::ClusterPartlyDown),
        Some("NOPERM") => Some(Reason::MissingRights),
        _ => Some(Reason::WritesRefused),
    }
}

/// The error for an invalid URL or certificate. It contains only the category: the text of a URL may
/// contain a password.
pub(super) fn invalid_url(error: &RedisError) -> StoreError {
    StoreError::Bug(format!("redis.url: {}", error.category()))
}

/// Converts errors of Redis to errors of the store.
pub(in crate::store::redis) fn store_error(error: &RedisError) -> StoreError {
    let text = with_advice(error.to_string());
    let is_denied = is_denied(&text);
    if is_denied || text.contains("MISCONF") {
        COMMAND_REFUSED.notify_one();
    }
    match error.kind() {
        _ if is_denied => StoreError::Denied(text),
        _ if reason_of(error) == Reason::NoSuchDatabase => {
            StoreError::Unavailable(format!("{} ({text})", Reason::NoSuchDatabase.message()))
        }
        _ if text.contains("OOM") => StoreError::Full(text),
        // An unparsable reply means that the connection broke off.
        ErrorKind::Io | ErrorKind::Parse => StoreError::Unknown(text),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain,
        )
        | ErrorKind::AuthenticationFailed => StoreError::Unavailable(text),
        // Errors of a pipeline or a transaction only have a text.
        ErrorKind::Extension
        | ErrorKind::Server(ServerErrorKind::ExecAbort | ServerErrorKind::ResponseError)
            if UNAVAILABLE_CODES.iter().any(|code| text.contains(code)) =>
        {
            StoreError::Unavailable(text)
        }
        ErrorKind::UnexpectedReturnType => StoreError::Corrupt(text),
        _ => StoreError::Bug(text),
    }
}
