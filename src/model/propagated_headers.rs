//! Headers of a client request that are passed on to backends.

use uuid::Uuid;

/// The header that names the user of a client.
pub const GMS_USER: &str = "gms_user";
/// The header of the request id that the client has chosen.
pub const REQUEST_ID: &str = "x-request-id";
/// The maximum length of a request id that is logged or passed on.
pub const MAX_REQUEST_ID_BYTES: usize = 200;

/// Headers of a client request that are propagated to backends, for correlation.
#[derive(Debug, Default, Clone)]
pub struct PropagatedHeaders {
    /// The `gms_user` header.
    pub gms_user: Option<String>,
    /// The headers of the trace context, such as `traceparent`. The span of a sampled request replaces them.
    pub trace_context: Vec<(&'static str, String)>,
    /// The `x-request-id` header.
    pub request_id: Option<String>,
}

impl PropagatedHeaders {
    /// Adds a new request id if there is none.
    #[must_use]
    pub fn with_request_id(mut self) -> Self {
        let request_id = self.request_id.take();
        let request_id = request_id.filter(|id| (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()));
        self.request_id = Some(request_id.unwrap_or_else(|| Uuid::new_v4().to_string()));
        self
    }
}
