//! What Redis says, and what that means for whoever asked.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::{
    model::readiness::Reason,
    store::{StoreError, redis::checks::request_recheck},
    tls_errors::with_advice,
};

/// What Redis says, by itself or within a transaction or script, when it may work again by itself.
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

/// What Redis says, by itself or of a command within a script (6.2, and 7.0 or newer), where the user may
/// not run a command, or not use a key or channel.
const DENIED_TEXTS: [&str; 3] = [
    "noperm",
    "acl failure in script",
    "the user executing the script can't",
];

fn is_denied(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    DENIED_TEXTS.iter().any(|denied| text.contains(denied))
}

/// Whether the connection that gave this error is of no more use. A timeout counts: what answers
/// late may never answer, and a fresh connection finds out.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_timeout() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

/// Whether a server refused a change because it is a replica; nothing was done.
pub(super) fn is_readonly_replica(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        // Of a script only the text tells.
        || error.to_string().contains("READONLY")
}

/// Whether Redis does not know the script that was called; nothing was done.
pub(super) fn is_noscript(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// What a server answers that is not the one to ask, or not yet. In each case it did nothing.
pub(super) enum Redirect {
    /// The slot is this one's from now on, `host:port`.
    Moved(String),
    /// The slot is on its way to this one: it has the key, or is to make it.
    Ask(String),
    /// Of several keys some are here and some there already.
    TryAgain,
    /// It is no primary any more.
    ReadOnlyReplica,
}

impl Redirect {
    /// `None` for every other error.
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

/// The code that Redis answered with; of a pipeline or a transaction, to the first command that failed.
fn code_of(error: &RedisError) -> Option<String> {
    let errors = error.clone().into_server_errors()?;
    errors.first().map(|(_, error)| error.code().to_owned())
}

/// Why a server that answers with this error, or fails with it, does not serve reads.
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

/// What is restricted at a server that answers a write with this error; `None` where nothing is.
pub(super) fn restriction_of(error: &RedisError) -> Option<Reason> {
    match code_of(error).as_deref() {
        // The slot is elsewhere; or the read before it failed for the same reason.
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

/// The error for a URL or certificate that is not understood. Only the category is told: the text of
/// a URL may hold a password.
pub(super) fn invalid_url(error: &RedisError) -> StoreError {
    StoreError::Bug(format!("redis.url: {}", error.category()))
}

/// The one bridge from Redis' errors to the store's.
pub(in crate::store::redis) fn store_error(error: &RedisError) -> StoreError {
    let text = with_advice(error.to_string());
    match error.kind() {
        _ if is_denied(&text) => {
            request_recheck();
            StoreError::Denied(text)
        }
        _ if text.contains("OOM") => StoreError::Full(text),
        // What cannot be read as an answer at all is one that broke off.
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
        // Of a pipeline or a transaction only the text tells.
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
