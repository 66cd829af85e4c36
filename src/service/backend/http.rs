//! Any web service as a backend: one URL template per request, JSON out and JSON back.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde::{Serializer, ser::SerializeMap};

use super::{
    OptionError,
    request::{BackendRequest, DATA_ID, RequestContext},
    url_template::{SESSION, UrlTemplate},
};
use crate::{
    service::{
        ServiceError,
        schema::{METHODS, join_with_or},
    },
    store::StoreError,
};

/// What is asked of the web service, and when.
#[derive(Debug)]
pub(super) struct Http {
    /// `_service`: at the create.
    pub(super) create: RequestRule,
    /// `_request.<name>`: at the request of that name.
    requests: BTreeMap<String, RequestRule>,
    /// `_request`: at every other request.
    pub(super) default_rule: Option<RequestRule>,
    /// `_terminate`: after the end.
    pub(super) terminate: Option<RequestRule>,
    /// `_session`: the member of the create's answer that names the session there.
    pub(super) session: Option<String>,
}

/// One kind of request.
#[derive(Debug)]
pub(super) struct RequestRule {
    method: Method,
    pub(super) template: UrlTemplate,
}

impl Http {
    /// Reads the options of a definition.
    ///
    /// # Errors
    /// Which option, what it is and what was expected.
    pub(super) fn parse(options: &BTreeMap<String, String>) -> Result<Self, OptionError> {
        let of = |method: &str, option: &str| {
            let by = if options.contains_key(method) {
                method
            } else {
                "_method"
            };
            let method =
                parse_method(options.get(by)).map_err(|problem| OptionError::new(by, problem))?;
            let template = options.get(option).map_or("", String::as_str);
            let template = UrlTemplate::parse(template);
            let template = template.map_err(|problem| OptionError::new(option, problem))?;
            Ok::<_, OptionError>(RequestRule { method, template })
        };
        let session = options.get("_session").cloned();
        let check = |option: &str, rule: &RequestRule| {
            let unknown = session.is_none() && rule.template.has_placeholder(SESSION);
            let problem = "names {_session}, which needs the option _session";
            (!unknown)
                .then_some(())
                .ok_or_else(|| OptionError::new(option, problem.to_owned()))
        };
        let mut requests = BTreeMap::new();
        for option in options.keys() {
            if let Some(name) = option.strip_prefix("_request.") {
                let rule = of(&format!("_method.{name}"), option)?;
                check(option, &rule)?;
                requests.insert(name.to_owned(), rule);
            }
            if let Some(name) = option.strip_prefix("_method.")
                && !options.contains_key(&format!("_request.{name}"))
            {
                let problem = format!("there is no _request.{name}");
                return Err(OptionError::new(option, problem));
            }
        }
        let create = of("_method", "_service")?;
        if create.template.has_placeholder(SESSION) {
            let problem = "names {_session}, which the answer to it tells".to_owned();
            return Err(OptionError::new("_service", problem));
        }
        let optional = |method: &str, option: &str| {
            let there = options.contains_key(option);
            there.then(|| of(method, option)).transpose()
        };
        let any = optional("_method", "_request")?;
        if let Some(rule) = &any {
            check("_request", rule)?;
        }
        let terminate = optional("_terminate_method", "_terminate")?;
        if let Some(rule) = &terminate {
            check("_terminate", rule)?;
            let known = ["id", "service", SESSION];
            if let Some(name) = rule.template.first_placeholder_except(&known) {
                let problem =
                    format!("names {{{name}}}, expected {{id}}, {{service}} or {{_session}}");
                return Err(OptionError::new("_terminate", problem));
            }
        }
        Ok(Self {
            create,
            requests,
            default_rule: any,
            terminate,
            session,
        })
    }

    /// What to do at a request of this name.
    pub(super) fn rule_for(&self, request: &str) -> Option<&RequestRule> {
        self.requests.get(request).or(self.default_rule.as_ref())
    }

    /// The requests that have a rule of their own.
    pub(super) fn request_names(&self) -> impl Iterator<Item = &str> {
        self.requests.keys().map(String::as_str)
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &RequestRule> {
        let some = [
            Some(&self.create),
            self.default_rule.as_ref(),
            self.terminate.as_ref(),
        ];
        some.into_iter().flatten().chain(self.requests.values())
    }

    /// Whether a service must know where it runs: because it has a name there, is to be ended there,
    /// or because there is more than one place.
    pub(super) fn needs_session(&self) -> bool {
        let anywhere = |rule: &RequestRule| rule.template.base.is_none();
        self.session.is_some() || self.terminate.is_some() || self.rules().any(anywhere)
    }
}

impl RequestRule {
    /// The call that this comes to.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] where the template cannot be filled.
    pub(super) fn build_request<'a>(
        &self,
        about: &RequestContext<'a>,
        session: &str,
        headers: &'a [(HeaderName, HeaderValue)],
    ) -> Result<BackendRequest<'a>, ServiceError> {
        let has_body = !matches!(self.method, Method::GET | Method::DELETE);
        let body = if has_body {
            json_body(about)?
        } else {
            Bytes::new()
        };
        Ok(BackendRequest {
            method: self.method.clone(),
            path: self.template.expand(about, session)?,
            body,
            content_type: has_body.then_some("application/json"),
            headers,
            propagated_headers: about.propagated_headers,
        })
    }
}

fn parse_method(name: Option<&String>) -> Result<Method, String> {
    let Some(name) = name else {
        return Ok(Method::POST);
    };
    let known = METHODS.into_iter().find(|known| *known == name.trim());
    let known = known.and_then(|known| known.parse().ok());
    known.ok_or_else(|| format!("is {name:?}, expected {}", join_with_or(&METHODS)))
}

/// The pairs as an object, `_data_id` first.
fn json_body(about: &RequestContext<'_>) -> Result<Bytes, ServiceError> {
    let mut body = Vec::with_capacity(256);
    let mut json = serde_json::Serializer::new(&mut body);
    let written = json.serialize_map(None).and_then(|mut map| {
        map.serialize_entry(DATA_ID, about.id.as_str())?;
        for (name, value) in about.client_fields() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    });
    written.map_err(|error| StoreError::Bug(error.to_string()))?;
    Ok(Bytes::from(body))
}
