//! Expansion of templates, and the URLs that are sent.

use proptest::prelude::*;

use super::*;
use crate::model::{PropagatedHeaders, ServiceId};

fn expand(template: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    let template = UrlTemplate::parse(template)?;
    let pairs = pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (id, propagated_headers) = (
        ServiceId::from("4711".to_owned()),
        PropagatedHeaders::default(),
    );
    let context = RequestContext {
        id: &id,
        definition: "my chat",
        request: "room/say it",
        fields: &pairs,
        template_fields: &[],
        propagated_headers: &propagated_headers,
    };
    let path = template.expand(&context, "s/1");
    let path = path.map_err(|error| error.to_string())?;
    Ok(template.base.unwrap_or_default() + &path)
}

#[test]
fn placeholders_are_expanded_and_encoded() {
    for (template, expected) in [
        ("http://h:1/a/{id}/{service}", "http://h:1/a/4711/my%20chat"),
        (
            "http://h/{request}?r={request}",
            "http://h/room/say%20it?r=room%2Fsay%20it",
        ),
        ("https://h/{_session}", "https://h/s%2F1"),
        (
            "http://h/{_id}/{_data_id}/{_DATA_ID}",
            "http://h/4711/4711/4711",
        ),
        ("http://h?by={nick}", "http://h/?by=J%26J%20%C3%A9"),
        ("/x?none={none}", "/x?none="),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://h", "http://h/"),
    ] {
        let fields = [
            ("nick", "J&J é"),
            ("_id", "forged"),
            ("_data_id", "forged"),
            ("_DATA_ID", "forged"),
            ("_session", "forged"),
        ];
        assert_eq!(expand(template, &fields).unwrap(), expected);
    }
}

#[test]
fn a_template_with_a_variable_authority_is_rejected() {
    for (template, expected) in [
        ("{host}/x", "expected http://"),
        ("http://{host}/x", "only in the path"),
        ("http://h:{port}/x", "only in the path"),
        ("http://h{x}", "only in the path"),
        ("{scheme}://h/x", "expected http://"),
        ("http://u:p@h/x", "_header.Authorization"),
        ("ftp://h/x", "expected http://"),
        ("http:///x", "expected http://"),
        ("http://h:x/", "expected http://"),
        ("h/x", "expected http://"),
        ("http://h/{a", "unbalanced"),
        ("http://h/a}", "unbalanced"),
        ("http://h/{}", "name of a parameter"),
        ("http://h/#x", "not contain #"),
        ("http://h\\x/", "expected http://"),
        ("http://h:/", "expected http://"),
        ("http://h/a b", "expected a URL"),
        ("http://h/a\\b", "expected a URL"),
        ("http://h/a/%2E%2e/b", "must not be"),
        ("http://h/é", "expected a URL"),
        ("http://h/?a='{id}'", "expected a URL"),
    ] {
        let message = expand(template, &[]).unwrap_err();
        assert!(message.contains(expected), "{template}: {message}");
    }
}

#[test]
fn a_path_needs_all_parameters_and_has_no_dot_segments() {
    for value in ["", ".", ".."] {
        assert!(
            expand("http://h/rooms/{a}/x", &[("a", value)]).is_err(),
            "{value:?}"
        );
    }
    assert!(expand("http://h/%2e{a}/x", &[("a", ".")]).is_err());
    let expanded = expand("http://h/rooms/{a}/x", &[("a", "../..")]).unwrap();
    assert_eq!(expanded, "http://h/rooms/..%2F../x");
}

proptest! {
    #[test]
    fn no_value_changes_the_host(value in ".{1,40}") {
        if let Ok(expanded) = expand("http://host:81/a/{a}?b={a}", &[("a", &value)]) {
            let url: Url = expanded.parse().unwrap();
            prop_assert_eq!((url.host_str(), url.port()), (Some("host"), Some(81)));
            prop_assert_eq!(url.path().split('/').count(), 3);
            prop_assert!(url.query().unwrap().starts_with("b="));
            prop_assert!(!url.query().unwrap().contains('&'));
        }
    }

    #[test]
    fn the_url_that_is_sent_is_the_expanded_template(value in ".{0,40}") {
        let template = "http://host:81/a//{a};v=1,2/@{a}:$'()*+!/%7e?b={a}&c=[/?:@!$()*,;|^`{a}]&d=%27";
        if let Ok(expanded) = expand(template, &[("a", &value)]) {
            let url = Url::parse(&expanded).unwrap();
            prop_assert_eq!(url.as_str(), expanded);
        }
    }
}
