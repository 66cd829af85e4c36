//! The webhook of a configured service or of a resource group, from its options.

use std::collections::BTreeMap;

use reqwest::Url;

use super::signature::Signer;
use crate::{
    model::webhook::{EventType, EventTypes, Subscription},
    service::parse_value::parse_boolean,
};

const URL_OPTION: &str = "_webhook_url";
const EVENTS_OPTION: &str = "_webhook_events";
pub(in crate::service) const SECRET_OPTION: &str = "_webhook_secret";
const USER_DATA_OPTION: &str = "_webhook_user_data";
/// The maximum length of a URL in bytes.
const MAX_URL_BYTES: usize = 2_048;
/// The maximum number of edits between a misspelled type of events and the suggested one.
const MAX_EDITS: usize = 4;

/// Why a URL that begins with `http://` is not used.
pub(super) const HTTP_NOT_ALLOWED: &str = "the setting webhooks.allow_http is false";

/// The settings that restrict webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookRules {
    /// `webhooks.allow_http`
    pub allow_http: bool,
}

/// A webhook.
#[derive(Debug)]
pub(in crate::service) struct WebhookConfig {
    pub(super) url: Url,
    pub(super) signer: Signer,
    subscription: Subscription,
}

/// Removes the options of a webhook from `options`, so that they are never sent to a backend or logged, and parses them.
/// `None` if there is no webhook. `applicable` are the types of events that its owner can have.
///
/// # Errors
/// The invalid option, and the problem.
pub(in crate::service) fn take_webhook(
    options: &mut BTreeMap<String, String>,
    applicable: EventTypes,
    rules: WebhookRules,
) -> Result<Option<WebhookConfig>, (String, String)> {
    let mut take = |option: &str| options.remove(option).filter(|value| !value.is_empty());
    let (url, events) = (take(URL_OPTION), take(EVENTS_OPTION));
    let (secret, user_data) = (take(SECRET_OPTION), take(USER_DATA_OPTION));
    let fail = |option: &str| {
        let option = option.to_owned();
        move |problem: String| (option, problem)
    };
    let others = [
        (EVENTS_OPTION, events.is_some()),
        (SECRET_OPTION, secret.is_some()),
        (USER_DATA_OPTION, user_data.is_some()),
    ];
    let mut others = others.into_iter().filter(|(_, is_set)| *is_set);
    let first = url.as_ref().map(|_| URL_OPTION);
    let Some(first) = first.or_else(|| Some(others.next()?.0)) else {
        return Ok(None);
    };
    if applicable == EventTypes::default() {
        let problem = "has no effect, because this service has no events";
        return Err(fail(first)(problem.to_owned()));
    }
    let missing = || fail(URL_OPTION)(format!("is missing; {first} needs it"));
    let url = url.ok_or_else(missing)?;
    let missing = "is missing; events are sent only with a signature";
    let secret = secret.ok_or_else(|| fail(SECRET_OPTION)(missing.to_owned()))?;
    let with_user_data = user_data
        .map_or(Ok(false), |value| parse_boolean("it", &value))
        .map_err(|error| fail(USER_DATA_OPTION)(error.to_string()))?;
    let events = parse_events(events.as_deref().unwrap_or("*"), applicable);
    Ok(Some(WebhookConfig {
        url: parse_url(&url, rules).map_err(fail(URL_OPTION))?,
        signer: Signer::parse(&secret).map_err(fail(SECRET_OPTION))?,
        subscription: Subscription {
            events: events.map_err(fail(EVENTS_OPTION))?,
            with_user_data,
        },
    }))
}

impl WebhookConfig {
    /// What it subscribes to.
    pub(in crate::service) fn subscription(&self) -> Subscription {
        self.subscription
    }

    /// The URL. It is not secret; the catalog shows it, too.
    pub(in crate::service) fn url(&self) -> &str {
        self.url.as_str()
    }
}

fn parse_url(text: &str, rules: WebhookRules) -> Result<Url, String> {
    let text = text.trim();
    let expected = if rules.allow_http {
        "expected a URL, such as https://host/path or http://host/path"
    } else {
        "expected a URL that begins with https://, such as https://host/path"
    };
    let url = Url::parse(text)
        .ok()
        .filter(|_| text.len() <= MAX_URL_BYTES);
    let url = url.filter(|url| url.has_host() && url.port() != Some(0));
    // The value is not in the message, because it can contain a password.
    let url = url.ok_or(expected)?;
    if !url.username().is_empty() || url.password().is_some() {
        let problem =
            "must not contain a user name or password; the receiver verifies the signature instead";
        return Err(problem.to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not contain #".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if rules.allow_http => Ok(url),
        "http" => Err(format!("{expected}; {HTTP_NOT_ALLOWED}")),
        _ => Err(expected.to_owned()),
    }
}

/// Parses a list of types, all of which must be applicable. `*` means all applicable ones.
fn parse_events(text: &str, applicable: EventTypes) -> Result<EventTypes, String> {
    let expected = || {
        let names = applicable.to_string().replace(',', ", ");
        format!("expected * or a comma-separated list of {names}")
    };
    if text.trim() == "*" {
        return Ok(applicable);
    }
    let events = EventTypes::parse(text).map_err(|unknown| {
        let suggestion = suggestion(&unknown, applicable);
        let suggestion = suggestion.map(|name| format!("; did you mean {name}?"));
        let suggestion = suggestion.unwrap_or_default();
        format!("contains {unknown:?}, {}{suggestion}", expected())
    })?;
    match events.iter().find(|event| !applicable.contains(*event)) {
        Some(other) => Err(format!(
            "contains \"{other}\", which does not occur here, {}",
            expected()
        )),
        None => Ok(events),
    }
}

/// The type of events that `unknown` probably misspells.
fn suggestion(unknown: &str, applicable: EventTypes) -> Option<&'static str> {
    let unknown = unknown.to_ascii_lowercase();
    let names = applicable.iter().map(EventType::as_str);
    let distances = names.map(|name| (strsim::osa_distance(&unknown, name), name));
    let (_, closest) = distances.filter(|(edits, _)| *edits <= MAX_EDITS).min()?;
    Some(closest)
}

/// A webhook for tests.
#[cfg(test)]
pub(super) fn test_webhook() -> WebhookConfig {
    let options = [
        (URL_OPTION, "https://receiver.example/"),
        (SECRET_OPTION, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let webhook = take_webhook(
        &mut options.into(),
        EventTypes::all(),
        WebhookRules::default(),
    );
    webhook.unwrap().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn take(more: &[(&str, &str)], allow_http: bool) -> Result<Option<WebhookConfig>, String> {
        take_applicable(more, EventTypes::all(), allow_http)
    }

    fn take_applicable(
        more: &[(&str, &str)],
        applicable: EventTypes,
        allow_http: bool,
    ) -> Result<Option<WebhookConfig>, String> {
        let options = more.iter();
        let options = options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut options: BTreeMap<String, String> = options.collect();
        options.insert("_ttl".to_owned(), "60".to_owned());
        let webhook = take_webhook(&mut options, applicable, WebhookRules { allow_http });
        assert_eq!(options.len(), 1, "only other options remain");
        webhook.map_err(|(option, problem)| format!("{option}: {problem}"))
    }

    fn url(url: &str, allow_http: bool) -> Result<String, String> {
        let webhook = take(&[(URL_OPTION, url), (SECRET_OPTION, SECRET)], allow_http);
        webhook.map(|webhook| webhook.unwrap().url().to_owned())
    }

    #[test]
    fn a_webhook_subscribes_to_all_events_without_user_data_by_default() {
        assert!(take(&[], false).unwrap().is_none());
        let base = [(URL_OPTION, "https://host/hook"), (SECRET_OPTION, SECRET)];
        let subscription = take(&base, false).unwrap().unwrap().subscription();
        assert_eq!(subscription.events, EventTypes::all());
        assert!(!subscription.with_user_data);
        let more = [
            (EVENTS_OPTION, "number.matched, chat.ended"),
            (USER_DATA_OPTION, "True"),
        ];
        let all = [base, more].concat();
        let subscription = take(&all, false).unwrap().unwrap().subscription();
        assert_eq!(subscription.events.to_string(), "number.matched,chat.ended");
        assert!(subscription.with_user_data);
    }

    #[test]
    fn only_events_that_can_occur_are_accepted() {
        let base = [(URL_OPTION, "https://host/hook"), (SECRET_OPTION, SECRET)];
        let with = |events, applicable| {
            let all = [&base[..], &[(EVENTS_OPTION, events)]].concat();
            let webhook = take_applicable(&all, applicable, false)?;
            Ok::<_, String>(webhook.unwrap().subscription().events)
        };
        let chats = EventTypes::of_chats();
        assert_eq!(with("*", chats), Ok(chats));
        assert_eq!(
            with("chat.ended,service.created", chats),
            Err(
                "_webhook_events: contains \"service.created\", which does not occur here, expected * or a \
                 comma-separated list of chat.started, chat.message, chat.ended"
                    .to_owned()
            )
        );
        let none = take_applicable(&base, EventTypes::default(), false);
        assert_eq!(
            none.unwrap_err(),
            "_webhook_url: has no effect, because this service has no events"
        );
        assert!(
            take_applicable(&[], EventTypes::default(), false)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_url_has_no_credentials_and_usually_uses_tls() {
        for (valid, shown) in [
            ("https://host/a", "https://host/a"),
            (" https://HOST:8443 ", "https://host:8443/"),
            ("https://host/a?b=c", "https://host/a?b=c"),
        ] {
            assert_eq!(url(valid, false), Ok(shown.to_owned()));
        }
        assert_eq!(url("http://host/a", true), Ok("http://host/a".to_owned()));
        for invalid in [
            "host/a",
            "/a",
            "ftp://host/a",
            "https://",
            "https://host:0/",
            "http://host/a",
            "https://ann:secret@host/",
            "https://ann@host/",
            "https://host/#a",
            &format!("https://host/{}", "a".repeat(MAX_URL_BYTES)),
        ] {
            let message = url(invalid, false).unwrap_err();
            assert!(message.starts_with("_webhook_url: "), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn an_error_names_the_option_and_suggests_a_type() {
        let with = |option, value| {
            let base = [(URL_OPTION, "https://host/"), (SECRET_OPTION, SECRET)];
            let options: BTreeMap<&str, &str> = base.into_iter().chain([(option, value)]).collect();
            let options: Vec<_> = options.into_iter().collect();
            take(&options, false).unwrap_err()
        };
        let message = with(EVENTS_OPTION, "chat.started,number.match");
        let expected = "_webhook_events: contains \"number.match\", expected * or a comma-separated list of \
                        service.created, service.expired,";
        assert!(message.starts_with(expected), "{message}");
        assert!(
            message.ends_with("chat.ended; did you mean number.matched?"),
            "{message}"
        );
        assert!(!with(EVENTS_OPTION, "everything").contains("did you mean"));
        assert!(with(SECRET_OPTION, "whsec_x").starts_with("_webhook_secret: expected one or two"));
        assert!(with(SECRET_OPTION, "").starts_with("_webhook_secret: is missing"));
        assert!(with(USER_DATA_OPTION, "maybe").starts_with("_webhook_user_data: it is \"maybe\""));
        let message = with(URL_OPTION, "");
        assert_eq!(
            message,
            "_webhook_url: is missing; _webhook_secret needs it"
        );
    }
}
