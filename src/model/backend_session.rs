//! The sessions that services run on backends.

/// The backend session of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackendSession {
    /// The name of the configured service, which defines how to terminate the session.
    pub definition: String,
    /// The URL of its backend, without control characters.
    pub backend: String,
    /// The id of the session on the backend, without control characters; may be empty.
    pub name: String,
}

/// The data of an active service that a service-specific request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningService {
    /// The name of its configured service.
    pub definition: String,
    /// Its backend session, if any.
    pub session: Option<BackendSession>,
}

/// The result of an attempt to terminate a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminateResult {
    /// The session has ended, or another attempt is pointless.
    Done,
    /// The backend was unreachable: try again.
    Retry,
}
