//! Sessions of SCXML documents on an Orchestration Server.
//!
//! `POST {backend}/scxml/session/start` gives a session, and below `/scxml/session/{session}` lie its
//! requests and its end. Pairs go as a form.

use bytes::Bytes;
use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};

use super::call::{About, Call, DATA_ID, Trail, encoded, form};

/// The request that begins a session's work.
const BEGIN: &str = "gms.start";

/// The parameter that names the document, at a start.
const SOURCE: &str = "src";

/// The SCXML document that a configured service runs.
#[derive(Debug)]
pub(super) struct Ors {
    /// URL of the document, for the server to fetch.
    pub(super) src: String,
}

type Headers = [(HeaderName, HeaderValue)];

impl Ors {
    /// The call that starts a session.
    pub(super) fn start<'a>(&self, about: &About<'a>, headers: &'a Headers) -> Call<'a> {
        let first = [(SOURCE, self.src.as_str()), data_id(about)];
        let pairs = pairs(about).filter(|(name, _)| *name != SOURCE);
        let form = form(first.into_iter().chain(pairs));
        post(
            "/scxml/session/start".to_owned(),
            form,
            headers,
            about.trail,
        )
    }

    /// The call whose answer the client gets of its create.
    pub(super) fn begin<'a>(about: &About<'a>, session: &str, headers: &'a Headers) -> Call<'a> {
        let form = form([data_id(about)].into_iter().chain(pairs(about)));
        post(request_path(session, BEGIN), form, headers, about.trail)
    }

    /// The call for a service-specific request.
    pub(super) fn request<'a>(about: &About<'a>, session: &str, headers: &'a Headers) -> Call<'a> {
        let path = request_path(session, about.request);
        post(path, form(pairs(about)), headers, about.trail)
    }

    /// The call that ends a session.
    pub(super) fn end<'a>(session: &str, headers: &'a Headers, trail: &'a Trail) -> Call<'a> {
        let path = session_path(session) + "/terminate";
        post(path, Bytes::new(), headers, trail)
    }
}

/// By this the document finds the service's storage.
fn data_id<'a>(about: &About<'a>) -> (&'a str, &'a str) {
    (DATA_ID, about.id.as_str())
}

/// What the client sent, without what only this service may say.
fn pairs<'a>(about: &About<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    about
        .client_pairs()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

fn session_path(session: &str) -> String {
    let mut path = "/scxml/session/".to_owned();
    path.extend(encoded(session));
    path
}

fn request_path(session: &str, request: &str) -> String {
    let mut path = session_path(session) + "/request";
    for segment in request.split('/') {
        path.push('/');
        path.extend(encoded(segment));
    }
    path
}

fn post<'a>(path: String, body: Bytes, headers: &'a Headers, trail: &'a Trail) -> Call<'a> {
    Call {
        method: Method::POST,
        path,
        body,
        content_type: Some("application/x-www-form-urlencoded"),
        headers,
        trail,
    }
}
