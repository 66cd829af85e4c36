//! The backend configuration of a configured service.

use reqwest::header::{HeaderName, HeaderValue};

use super::{http::Http, load_balancer::LoadBalancer, ors::Ors};

/// The backend configuration of a configured service.
#[derive(Debug)]
pub(crate) struct BackendDefinition {
    pub(super) kind: BackendKind,
    pub(super) load_balancer: LoadBalancer,
    /// Headers of every request. They can contain secrets.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
pub(super) enum BackendKind {
    Ors(Ors),
    Http(Box<Http>),
}

impl BackendDefinition {
    /// The base URLs of the configured backends.
    pub(crate) fn base_urls(&self) -> impl Iterator<Item = &str> {
        let own: Vec<&str> = match &self.kind {
            BackendKind::Ors(_) => Vec::new(),
            BackendKind::Http(http) => http
                .rules()
                .filter_map(|rule| rule.template.base.as_deref())
                .collect(),
        };
        self.load_balancer
            .base_urls()
            .iter()
            .map(String::as_str)
            .chain(own)
    }

    /// The number of sequential backend requests per create.
    pub(crate) fn requests_per_create(&self) -> u32 {
        match self.kind {
            BackendKind::Ors(_) => 2,
            BackendKind::Http(_) => 1,
        }
    }

    /// Whether a service-specific request of this name is supported.
    pub(crate) fn supports_request(&self, request: &str) -> bool {
        match &self.kind {
            BackendKind::Ors(_) => is_path(request),
            BackendKind::Http(http) => is_path(request) && http.rule_for(request).is_some(),
        }
    }

    /// The supported requests, for messages.
    pub(crate) fn supported_requests(&self) -> String {
        match &self.kind {
            BackendKind::Http(http) if http.default_rule.is_none() => {
                let names = http.request_names().map(|name| format!(", {name:?}"));
                format!("\"update\"{}", names.collect::<String>())
            }
            _ => "any path without segments that are empty, \".\" or \"..\"".to_owned(),
        }
    }
}

/// Whether the name of a request is a valid path: no segment is empty, `.` or `..`.
fn is_path(request: &str) -> bool {
    request
        .split('/')
        .all(|segment| !matches!(segment, "" | "." | ".."))
}
