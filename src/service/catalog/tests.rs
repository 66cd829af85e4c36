//! Parsing and validation of catalogs.

use std::time::Duration;

use super::*;
use crate::{
    model::{RetiredEntry, StoredCatalog, StoredEntry, Timestamp},
    service::{phone_numbers::PhoneNumbers, webhooks::WebhookRules},
    settings::Credentials,
};

fn context(max_ttl_seconds: u64) -> CatalogContext {
    CatalogContext {
        max_ttl_seconds,
        phone_numbers: PhoneNumbers::new(rlibphonenumber::Region::US),
        default_credentials: Credentials::default(),
        variables: Arc::new(|name: &str| name.ends_with("TOKEN").then(|| "s3cret".to_owned())),
        webhooks: WebhookRules::default(),
    }
}

fn parse(text: &str) -> Result<Catalog, String> {
    let file = CatalogFile::parse("test.toml", text);
    let catalog = file.and_then(|file| Catalog::from_file("test.toml", &file, &context(3_600)));
    catalog.map_err(|error| error.to_string())
}

#[test]
fn the_shipped_catalog_has_a_store_service() {
    let shipped = include_str!("../../../config/catalog.toml");
    let file = CatalogFile::parse("shipped", shipped).unwrap();
    let catalog = Catalog::from_file("shipped", &file, &context(2_592_000)).unwrap();
    assert!(catalog.get("store").is_some());
    let group = &catalog.resource_group("DNIS").unwrap().group;
    assert_eq!(group.numbers[0].text, "8003449999");
}

#[test]
fn values_of_all_types_are_read_as_strings() {
    let text = "[services.a]\n_type='builtin'\n_service='store'\n_ttl=60\n_x=true\n_y=''";
    let catalog = parse(text).unwrap();
    let definition = catalog.get("a").unwrap();
    assert_eq!(definition.ttl(), 60);
    assert_eq!(definition.option("_x"), Some("true"));
    assert_eq!(definition.option("_y"), None);
}

#[test]
fn a_name_is_a_valid_path_segment() {
    let service = |name: &str| format!("[services.{name:?}]\n_type='builtin'\n_service='store'");
    let group =
        |name: &str| format!("[resources.{name:?}]\n_allocation_strategy='LOCAL'\nnumbers=['1']");
    let long = |bytes: usize| "n".repeat(bytes);
    for (valid, invalid) in [
        (service(&long(128)), service(&long(129))),
        (service("{..}"), service("..")),
        (service("..."), service(".")),
        (service("a b"), service("a/b")),
        (service("storage"), service("_storage")),
        (group("_storage"), group("a}b")),
        (group(&long(64)), group(&long(65))),
        (group("../.."), group("..")),
        (group(" ."), group(".")),
        (group("a/b"), group("a{b")),
        (group("a"), group("")),
    ] {
        assert!(parse(&valid).is_ok(), "{valid}");
        let message = parse(&invalid).unwrap_err();
        let allowed = [
            "a name must have 1 to",
            "control characters",
            "must not be \".\" or \"..\"",
        ];
        for part in allowed {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn an_error_names_the_file_and_the_location() {
    let cases = [
        ("[services.a", "line 1"),
        (
            "[services.a]\n_type=['x']",
            "option _type: expected a string",
        ),
        ("[services.a]\n_type='x'", "service \"a\", option _type"),
        ("[services.'a/b']\n_type='x'", "service \"a/b\""),
        ("[servces.a]\n_type='x'", "servces"),
        (
            "[resources.a]\nnumbers=['1']",
            "resource group \"a\", option _allocation_strategy",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers='1'",
            "option numbers: expected a list",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['6504699999','+1 650 469 9999']",
            "are the same subscriber",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['1','2']\n\
             [resources.b]\n_allocation_strategy='CLUSTER'\nnumbers=['2']",
            "group \"b\", option numbers: \"2\" is also in \"a\"",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['6504699999']\n\
             _backup_resource='+1 650 469 9999'",
            "option _backup_resource: \"+1 650 469 9999\" is also one of the numbers of the group",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['1']\n_strategy='x'",
            "option _strategy: is unknown",
        ),
        (
            "[services.a]\n_type='builtin'\n_service='store'\n_resource_group='x'",
            "option _resource_group: is \"x\"",
        ),
        (
            "[services.a]\n_type='builtin'\n_service='store'\n''='x'",
            "service \"a\", option \"\": the name of an option must have at least one character",
        ),
        (
            "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['1']\n\"x\\t\"=''",
            "resource group \"a\", option \"x\\t\": the name of an option must have",
        ),
    ];
    for (text, expected) in cases {
        let message = parse(text).unwrap_err();
        assert!(message.starts_with("test.toml: "), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

const WEBHOOK: &str =
    r#""_webhook_url":"http://host/","_webhook_secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw""#;

/// A stored catalog with a webhook at a URL without TLS.
fn stored_webhook() -> (EntryName, StoredCatalog) {
    let name = (Table::Services, "shop".to_owned());
    let entry = StoredEntry {
        revision: "1".to_owned(),
        text: format!(r#"{{"_type":"builtin","_service":"store",{WEBHOOK}}}"#),
    };
    let stored = StoredCatalog {
        entries: BTreeMap::from([(name.clone(), entry)]),
        ..StoredCatalog::default()
    };
    (name, stored)
}

#[test]
fn only_an_entry_that_is_changed_is_rejected_because_of_its_url_without_tls() {
    let ((name, stored), now) = (stored_webhook(), Timestamp::default());
    let with = |changed: &BTreeSet<EntryName>| {
        Catalog::default().with_stored(&stored, changed, &context(60), now)
    };
    let unchanged = with(&BTreeSet::new());
    assert_eq!(unchanged.webhooks().len(), 1);
    assert!(unchanged.problems().is_empty());
    let changed = with(&BTreeSet::from([name.clone()]));
    let problem = changed.problems()[&name].to_string();
    assert!(
        problem.contains("webhooks.allow_http is false"),
        "{problem}"
    );
}

#[test]
fn a_deleted_group_keeps_its_webhook_for_an_hour() {
    let retired = RetiredEntry {
        since: Timestamp::default(),
        text: format!(r#"{{"numbers":["1"],{WEBHOOK}}}"#),
    };
    let stored = StoredCatalog {
        retired: BTreeMap::from([((Table::Resources, "support".to_owned()), retired)]),
        ..StoredCatalog::default()
    };
    let webhooks = |minutes: u64| {
        let now = Timestamp::default().after(Duration::from_secs(60 * minutes));
        let nothing = BTreeSet::new();
        let catalog = Catalog::default().with_stored(&stored, &nothing, &context(60), now);
        catalog.webhooks().into_keys().collect::<Vec<_>>()
    };
    assert_eq!(webhooks(59), [WebhookEndpoint::of_group("support")]);
    assert_eq!(webhooks(61), []);
}
