//! Web services as backends: one URL template per request, JSON requests and responses.

use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde::{Serializer, ser::SerializeMap};

use super::{
    BackendError, OptionError,
    request::{BackendRequest, DATA_ID, RequestContext},
    url_template::{SESSION, UrlTemplate},
};
use crate::model::join_with_or;

/// The methods of requests.
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The requests to the web service.
#[derive(Debug)]
pub(super) struct Http {
    /// `_service`: sent by a create.
    pub(super) create: RequestRule,
    /// `_request.<name>`: sent by the service-specific request of that name.
    requests: BTreeMap<String, RequestRule>,
    /// `_request`: sent by all other service-specific requests.
    pub(super) default_rule: Option<RequestRule>,
    /// `_terminate`: sent after the service has ended.
    pub(super) terminate: Option<RequestRule>,
    /// `_session`: the member of the response to the create with the session name.
    pub(super) session: Option<String>,
}

/// The method and URL template of a request.
#[derive(Debug)]
pub(super) struct RequestRule {
    method: Method,
    pub(super) template: UrlTemplate,
}

impl Http {
    /// Parses the options of a definition. Templates must not contain those that are server-side.
    ///
    /// # Errors
    /// An [`OptionError`] with the option, its value and the expected form.
    pub(super) fn parse(
        options: &BTreeMap<String, String>,
        is_server_side: fn(&str) -> bool,
    ) -> Result<Self, OptionError> {
        let rule_of = |method: &str, option: &str| {
            let method_option = if options.contains_key(method) {
                method
            } else {
                "_method"
            };
            let method = parse_method(options.get(method_option))
                .map_err(|problem| OptionError::new(method_option, problem))?;
            let template = options.get(option).map_or("", String::as_str);
            let template = UrlTemplate::parse(template);
            let template = template.map_err(|problem| OptionError::new(option, problem))?;
            if let Some(name) = template.first_server_side_placeholder(is_server_side) {
                let problem = format!("contains {{{name}}}, an option that clients cannot set");
                return Err(OptionError::new(option, problem));
            }
            Ok::<_, OptionError>(RequestRule { method, template })
        };
        let session = options.get("_session").cloned();
        let check = |option: &str, rule: &RequestRule| {
            let undefined = session.is_none() && rule.template.has_placeholder(SESSION);
            let problem = "contains {_session}, which needs the option _session";
            (!undefined)
                .then_some(())
                .ok_or_else(|| OptionError::new(option, problem.to_owned()))
        };
        let mut requests = BTreeMap::new();
        for option in options.keys() {
            if let Some(name) = option.strip_prefix("_request.") {
                let rule = rule_of(&format!("_method.{name}"), option)?;
                check(option, &rule)?;
                requests.insert(name.to_owned(), rule);
            }
            if let Some(name) = option.strip_prefix("_method.")
                && !options.contains_key(&format!("_request.{name}"))
            {
                let problem = format!("_request.{name} is missing");
                return Err(OptionError::new(option, problem));
            }
        }
        let create = rule_of("_method", "_service")?;
        if create.template.has_placeholder(SESSION) {
            let problem = "contains {_session}, which is known only after the create".to_owned();
            return Err(OptionError::new("_service", problem));
        }
        let optional = |method: &str, option: &str| {
            let is_present = options.contains_key(option);
            is_present.then(|| rule_of(method, option)).transpose()
        };
        let default_rule = optional("_method", "_request")?;
        if let Some(rule) = &default_rule {
            check("_request", rule)?;
        }
        let terminate = optional("_terminate_method", "_terminate")?;
        if let Some(rule) = &terminate {
            check("_terminate", rule)?;
            if let Some(name) = rule.template.first_placeholder_of_a_request() {
                let problem =
                    format!("contains {{{name}}}, expected {{id}}, {{service}} or {{_session}}");
                return Err(OptionError::new("_terminate", problem));
            }
        }
        Ok(Self {
            create,
            requests,
            default_rule,
            terminate,
            session,
        })
    }

    /// The rule of the request with this name.
    pub(super) fn rule_for(&self, request: &str) -> Option<&RequestRule> {
        self.requests.get(request).or(self.default_rule.as_ref())
    }

    /// The names of requests with a rule of their own.
    pub(super) fn request_names(&self) -> impl Iterator<Item = &str> {
        self.requests.keys().map(String::as_str)
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &RequestRule> {
        let optional = [
            Some(&self.create),
            self.default_rule.as_ref(),
            self.terminate.as_ref(),
        ];
        optional.into_iter().flatten().chain(self.requests.values())
    }

    /// Whether services have a stored session: because it has a name, must be terminated, or can be on one of several
    /// backends.
    pub(super) fn needs_session(&self) -> bool {
        let is_relative = |rule: &RequestRule| rule.template.base.is_none();
        self.session.is_some() || self.terminate.is_some() || self.rules().any(is_relative)
    }
}

impl RequestRule {
    /// Builds the request.
    ///
    /// # Errors
    /// [`BackendError::InvalidParameter`] if the template cannot be expanded.
    pub(super) fn build_request<'a>(
        &self,
        context: &RequestContext<'a>,
        session: &str,
        headers: &'a [(HeaderName, HeaderValue)],
    ) -> Result<BackendRequest<'a>, BackendError> {
        let has_body = !matches!(self.method, Method::GET | Method::DELETE);
        let body = if has_body {
            json_body(context)?
        } else {
            Bytes::new()
        };
        Ok(BackendRequest {
            method: self.method.clone(),
            path: self.template.expand(context, session)?,
            body,
            content_type: has_body.then_some("application/json"),
            headers,
            propagated_headers: context.propagated_headers,
        })
    }
}

fn parse_method(name: Option<&String>) -> Result<Method, String> {
    let Some(name) = name else {
        return Ok(Method::POST);
    };
    let method = METHODS.into_iter().find(|method| *method == name.trim());
    let method = method.and_then(|method| method.parse().ok());
    method.ok_or_else(|| format!("is {name:?}, expected {}", join_with_or(&METHODS)))
}

/// The fields as a JSON object, `_data_id` first.
fn json_body(context: &RequestContext<'_>) -> Result<Bytes, BackendError> {
    let mut body = Vec::with_capacity(256);
    let mut json = serde_json::Serializer::new(&mut body);
    let written = json.serialize_map(None).and_then(|mut map| {
        map.serialize_entry(DATA_ID, context.id.as_str())?;
        for (name, value) in context.client_fields() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    });
    written?;
    Ok(Bytes::from(body))
}
