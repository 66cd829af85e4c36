//! Requests to an Orchestration Server, which runs SCXML documents in sessions.
//!
//! `POST {backend}/scxml/session/start` starts a session. Its requests and its termination are below
//! `/scxml/session/{session}`. Fields are sent as a form.

use bytes::Bytes;
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};

use super::request::{BackendRequest, DATA_ID, RequestContext, encode_form, percent_encode};
use crate::model::PropagatedHeaders;

/// The request that begins the execution of a session.
const BEGIN_REQUEST: &str = "gms.start";

/// The parameter of a start with the URL of the document.
const SOURCE_PARAMETER: &str = "src";

/// The SCXML document that a configured service runs.
#[derive(Debug)]
pub(super) struct Ors {
    /// The URL from which the server fetches the document.
    pub(super) src: String,
}

type Headers = [(HeaderName, HeaderValue)];

impl Ors {
    /// The request that starts a session.
    pub(super) fn start_request<'a>(
        &self,
        context: &RequestContext<'a>,
        headers: &'a Headers,
    ) -> BackendRequest<'a> {
        let own_fields = [
            (SOURCE_PARAMETER, self.src.as_str()),
            data_id_field(context),
        ];
        let fields = client_fields(context).filter(|(name, _)| *name != SOURCE_PARAMETER);
        let form = encode_form(own_fields.into_iter().chain(fields));
        post_request(
            "/scxml/session/start".to_owned(),
            form,
            headers,
            context.propagated_headers,
        )
    }

    /// The request whose response becomes the response to the create.
    pub(super) fn begin_request<'a>(
        context: &RequestContext<'a>,
        session: &str,
        headers: &'a Headers,
    ) -> BackendRequest<'a> {
        let form = encode_form(
            [data_id_field(context)]
                .into_iter()
                .chain(client_fields(context)),
        );
        post_request(
            request_path(session, BEGIN_REQUEST),
            form,
            headers,
            context.propagated_headers,
        )
    }

    /// The request for a service-specific request.
    pub(super) fn service_request<'a>(
        context: &RequestContext<'a>,
        session: &str,
        headers: &'a Headers,
    ) -> BackendRequest<'a> {
        let path = request_path(session, context.request);
        post_request(
            path,
            encode_form(client_fields(context)),
            headers,
            context.propagated_headers,
        )
    }

    /// The request that terminates a session.
    pub(super) fn terminate_request<'a>(
        session: &str,
        headers: &'a Headers,
        propagated_headers: &'a PropagatedHeaders,
    ) -> BackendRequest<'a> {
        let path = session_path(session) + "/terminate";
        post_request(path, Bytes::new(), headers, propagated_headers)
    }
}

/// The field by which the document accesses the storage of the service.
fn data_id_field<'a>(context: &RequestContext<'a>) -> (&'a str, &'a str) {
    (DATA_ID, context.id.as_str())
}

/// The fields of the client, without reserved ones.
fn client_fields<'a>(context: &RequestContext<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    context
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
    propagated_headers: &'a PropagatedHeaders,
) -> BackendRequest<'a> {
    BackendRequest {
        method: Method::POST,
        path,
        body,
        content_type: Some("application/x-www-form-urlencoded"),
        headers,
        propagated_headers,
    }
}
