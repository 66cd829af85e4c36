//! From the options of a definition to a [`Plan`].

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::{
    Kind, Options, Plan, Wrong, choice::Choice, http::Http, ors::Ors, template::split_base,
};

/// What the option of a header begins with.
const HEADER: &str = "_header.";
/// Headers that the client of backends sets itself.
const OURS: [HeaderName; 5] = [
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TRANSFER_ENCODING,
];
impl Plan {
    /// Reads the options of a definition of `kind`; `None` for a kind that needs no backend. Headers
    /// are taken out of the options, for they may be secret.
    ///
    /// # Errors
    /// Which option is wrong, what it is and what was expected.
    pub(in crate::service) fn read(
        kind: &str,
        options: &mut Options,
    ) -> Result<Option<Self>, Wrong> {
        if !matches!(kind, "ors" | "http") {
            return Ok(None);
        }
        let headers = take_headers(options)?;
        let option = |name: &str| options.get(name).map(String::as_str);
        let choice = Choice::read(option("_ors"), option("_ors_lb_strategy"));
        let choice = choice.map_err(|(option, problem)| Wrong::new(option, problem))?;
        let kind = if kind == "ors" {
            if choice.is_empty() {
                let problem = "is missing, expected a comma list of URLs of Orchestration Servers";
                return Err(Wrong::new("_ors", problem.to_owned()));
            }
            let src = option("_service").unwrap_or_default();
            let url = split_base(src);
            url.map_err(|why| Wrong::new("_service", format!("is {src:?}: {why}")))?;
            Kind::Ors(Ors {
                src: src.to_owned(),
            })
        } else {
            let http = Http::read(options)?;
            let needs_one = http.rules().any(|rule| rule.template.base.is_none());
            if needs_one && choice.is_empty() {
                let problem = "is missing, and a template begins with its path: expected the URLs \
                               that it stands behind";
                return Err(Wrong::new("_ors", problem.to_owned()));
            }
            Kind::Http(Box::new(http))
        };
        Ok(Some(Self {
            kind,
            choice,
            headers,
        }))
    }
}

fn take_headers(options: &mut Options) -> Result<Vec<(HeaderName, HeaderValue)>, Wrong> {
    let mut headers = Vec::new();
    let mut wrong = None;
    options.retain(|option, value| {
        let Some(name) = option.strip_prefix(HEADER) else {
            return true;
        };
        match header(name, value) {
            Ok(header) => headers.push(header),
            Err(problem) => wrong = Some(Wrong::new(option, problem)),
        }
        false
    });
    wrong.map_or(Ok(headers), Err)
}

/// A header; its value is not told, whatever is wrong.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name: HeaderName = name
        .parse()
        .map_err(|_wrong| "is no name of a header".to_owned())?;
    if OURS.contains(&name) {
        return Err("is a header that cannot be configured".to_owned());
    }
    let value = HeaderValue::from_str(value.trim());
    let mut value = value.map_err(|_wrong| "has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}
