//! Parses the options of a definition into a [`BackendDefinition`].

use std::collections::BTreeMap;

use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::{
    definition::{BackendDefinition, BackendKind},
    http::Http,
    load_balancer::LoadBalancer,
    option_error::OptionError,
    ors::Ors,
    url_template::split_base,
};

/// The name prefix of header options.
const HEADER_PREFIX: &str = "_header.";
/// Headers that only the HTTP client sets.
const RESERVED_HEADERS: [HeaderName; 5] = [
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TRANSFER_ENCODING,
];

type BackendOptions = BTreeMap<String, String>;

impl BackendDefinition {
    /// Parses the options of a definition of type `kind`; `None` for types without a backend. Headers are removed
    /// from the options, as they can be secret. `is_server_side` returns whether clients cannot set an option.
    ///
    /// # Errors
    /// An [`OptionError`] with the invalid option, its value and the expected form.
    pub(crate) fn parse(
        kind: &str,
        options: &mut BackendOptions,
        is_server_side: fn(&str) -> bool,
    ) -> Result<Option<Self>, OptionError> {
        if !matches!(kind, "ors" | "http") {
            return Ok(None);
        }
        let headers = take_headers(options)?;
        let option = |name: &str| options.get(name).map(String::as_str);
        let load_balancer = LoadBalancer::parse(option("_ors"), option("_ors_lb_strategy"));
        let load_balancer =
            load_balancer.map_err(|(option, problem)| OptionError::new(option, problem))?;
        let kind = if kind == "ors" {
            if load_balancer.is_empty() {
                let problem =
                    "is missing, expected a comma-separated list of URLs of Orchestration Servers";
                return Err(OptionError::new("_ors", problem.to_owned()));
            }
            let src = option("_service").unwrap_or_default();
            let url = split_base(src);
            url.map_err(|reason| OptionError::new("_service", format!("is {src:?}: {reason}")))?;
            BackendKind::Ors(Ors {
                src: src.to_owned(),
            })
        } else {
            let http = Http::parse(options, is_server_side)?;
            let needs_base = http.rules().any(|rule| rule.template.base.is_none());
            if needs_base && load_balancer.is_empty() {
                let problem =
                    "is missing, expected the base URLs of the templates that begin with a path";
                return Err(OptionError::new("_ors", problem.to_owned()));
            }
            BackendKind::Http(Box::new(http))
        };
        Ok(Some(Self {
            kind,
            load_balancer,
            headers,
        }))
    }
}

fn take_headers(
    options: &mut BackendOptions,
) -> Result<Vec<(HeaderName, HeaderValue)>, OptionError> {
    let mut headers = Vec::new();
    let mut invalid = None;
    options.retain(|option, value| {
        let Some(name) = option.strip_prefix(HEADER_PREFIX) else {
            return true;
        };
        match parse_header(name, value) {
            Ok(header) => headers.push(header),
            Err(problem) => invalid = Some(OptionError::new(option, problem)),
        }
        false
    });
    invalid.map_or(Ok(headers), Err)
}

/// Parses a header. Error messages do not contain its value.
fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name: HeaderName = name
        .parse()
        .map_err(|_error| "is not a valid header name".to_owned())?;
    if RESERVED_HEADERS.contains(&name) {
        return Err("is a header that cannot be configured".to_owned());
    }
    let value = HeaderValue::from_str(value.trim());
    let mut value =
        value.map_err(|_error| "contains characters that are invalid in a header".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}
