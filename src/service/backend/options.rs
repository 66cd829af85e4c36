//! From the options of a definition to a [`BackendDefinition`].

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::{
    BackendDefinition, BackendKind, BackendOptions, OptionError, http::Http,
    load_balancer::LoadBalancer, ors::Ors, url_template::split_base,
};

/// What the option of a header begins with.
const HEADER_PREFIX: &str = "_header.";
/// Headers that the client of backends sets itself.
const RESERVED_HEADERS: [HeaderName; 5] = [
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TRANSFER_ENCODING,
];
impl BackendDefinition {
    /// Reads the options of a definition of `kind`; `None` for a kind that needs no backend. Headers
    /// are taken out of the options, for they may be secret.
    ///
    /// # Errors
    /// Which option is wrong, what it is and what was expected.
    pub(in crate::service) fn parse(
        kind: &str,
        options: &mut BackendOptions,
    ) -> Result<Option<Self>, OptionError> {
        if !matches!(kind, "ors" | "http") {
            return Ok(None);
        }
        let headers = take_headers(options)?;
        let option = |name: &str| options.get(name).map(String::as_str);
        let choice = LoadBalancer::parse(option("_ors"), option("_ors_lb_strategy"));
        let choice = choice.map_err(|(option, problem)| OptionError::new(option, problem))?;
        let kind = if kind == "ors" {
            if choice.is_empty() {
                let problem = "is missing, expected a comma list of URLs of Orchestration Servers";
                return Err(OptionError::new("_ors", problem.to_owned()));
            }
            let src = option("_service").unwrap_or_default();
            let url = split_base(src);
            url.map_err(|why| OptionError::new("_service", format!("is {src:?}: {why}")))?;
            BackendKind::Ors(Ors {
                src: src.to_owned(),
            })
        } else {
            let http = Http::parse(options)?;
            let needs_one = http.rules().any(|rule| rule.template.base.is_none());
            if needs_one && choice.is_empty() {
                let problem = "is missing, and a template begins with its path: expected the URLs \
                               that it stands behind";
                return Err(OptionError::new("_ors", problem.to_owned()));
            }
            BackendKind::Http(Box::new(http))
        };
        Ok(Some(Self {
            kind,
            load_balancer: choice,
            headers,
        }))
    }
}

fn take_headers(
    options: &mut BackendOptions,
) -> Result<Vec<(HeaderName, HeaderValue)>, OptionError> {
    let mut headers = Vec::new();
    let mut wrong = None;
    options.retain(|option, value| {
        let Some(name) = option.strip_prefix(HEADER_PREFIX) else {
            return true;
        };
        match parse_header(name, value) {
            Ok(header) => headers.push(header),
            Err(problem) => wrong = Some(OptionError::new(option, problem)),
        }
        false
    });
    wrong.map_or(Ok(headers), Err)
}

/// A header; its value is not told, whatever is wrong.
fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name: HeaderName = name
        .parse()
        .map_err(|_wrong| "is no name of a header".to_owned())?;
    if RESERVED_HEADERS.contains(&name) {
        return Err("is a header that cannot be configured".to_owned());
    }
    let value = HeaderValue::from_str(value.trim());
    let mut value = value.map_err(|_wrong| "has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}
