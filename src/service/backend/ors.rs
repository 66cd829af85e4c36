//! Sessions of SCXML documents on an Orchestration Server.
//!
//! `POST {backend}/scxml/session/start` gives a session, and below `/scxml/session/{session}` lie its
//! requests and its end. Pairs go as a form.

use bytes::Bytes;
use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};

use super::request::{
    BackendRequest, DATA_ID, PropagatedHeaders, RequestContext, encode_form, percent_encode,
};

/// The request that begins a session's work.
const BEGIN_REQUEST: &str = "gms.start";

/// The parameter that names the document, at a start.
const SOURCE_PARAMETER: &str = "src";

/// The SCXML document that a configured service runs.
#[derive(Debug)]
pub(super) struct Ors {
    /// URL of the document, for the server to fetch.
    pub(super) src: String,
}

type Headers = [(HeaderName, HeaderValue)];

impl Ors {
    /// The call that starts a session.
    pub(super) fn start_request<'a>(
        &self,
        about: &RequestContext<'a>,
        headers: &'a Headers,
    ) -> BackendRequest<'a> {
        let first = [(SOURCE_PARAMETER, self.src.as_str()), data_id_field(about)];
        let pairs = client_fields(about).filter(|(name, _)| *name != SOURCE_PARAMETER);
        let form = encode_form(first.into_iter().chain(pairs));
        post_request(
            "/scxml/session/start".to_owned(),
            form,
            headers,
            about.propagated_headers,
        )
    }

    /// The call whose answer the client gets of its create.
    pub(super) fn begin_request<'a>(
        about: &RequestContext<'a>,
        session: &str,
        headers: &'a Headers,
    ) -> BackendRequest<'a> {
        let form = encode_form(
            [data_id_field(about)]
                .into_iter()
                .chain(client_fields(about)),
        );
        post_request(
            request_path(session, BEGIN_REQUEST),
            form,
            headers,
            about.propagated_headers,
        )
    }

    /// The call for a service-specific request.
    pub(super) fn service_request<'a>(
        about: &RequestContext<'a>,
        session: &str,
        headers: &'a Headers,
    ) -> BackendRequest<'a> {
        let path = request_path(session, about.request);
        post_request(
            path,
            encode_form(client_fields(about)),
            headers,
            about.propagated_headers,
        )
    }

    /// The call that ends a session.
    pub(super) fn terminate_request<'a>(
        session: &str,
        headers: &'a Headers,
        trail: &'a PropagatedHeaders,
    ) -> BackendRequest<'a> {
        let path = session_path(session) + "/terminate";
        post_request(path, Bytes::new(), headers, trail)
    }
}

/// By this the document finds the service's storage.
fn data_id_field<'a>(about: &RequestContext<'a>) -> (&'a str, &'a str) {
    (DATA_ID, about.id.as_str())
}

/// What the client sent, without what only this service may say.
fn client_fields<'a>(about: &RequestContext<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    about
        .client_fields()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

fn session_path(session: &str) -> String {
    let mut path = "/scxml/session/".to_owned();
    path.extend(percent_encode(session));
    path
}

fn request_path(session: &str, request: &str) -> String {
    let mut path = session_path(session) + "/request";
    for segment in request.split('/') {
        path.push('/');
        path.extend(percent_encode(segment));
    }
    path
}

fn post_request<'a>(
    path: String,
    body: Bytes,
    headers: &'a Headers,
    trail: &'a PropagatedHeaders,
) -> BackendRequest<'a> {
    BackendRequest {
        method: Method::POST,
        path,
        body,
        content_type: Some("application/x-www-form-urlencoded"),
        headers,
        propagated_headers: trail,
    }
}
