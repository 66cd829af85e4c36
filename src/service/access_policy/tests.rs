use super::*;

fn credentials(username: &str, password: &str) -> Credentials {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Credentials {
        username: some(username),
        password: some(password).map(SecretString::from),
    }
}

fn basic(username: &str, password: &str) -> BasicCredentials {
    BasicCredentials(Some((username.to_owned(), password.to_owned().into())))
}

fn policy(own: &Credentials, server: &Credentials) -> Result<AccessPolicy, String> {
    let open = Credentials::default();
    let mut policy = AccessPolicy::new(server);
    for (name, own) in [("shop", own), ("other", &open)] {
        let added = policy.add(name, own, server);
        added.map_err(|error| error.to_string())?;
    }
    Ok(policy)
}

#[test]
fn username_and_password_default_to_those_of_the_server() {
    // service, server, request, whether it is permitted
    let cases = [
        (("", ""), ("", ""), ("a", "b"), true),
        (("u", "p"), ("", ""), ("u", "p"), true),
        (("u", "p"), ("", ""), ("u", "q"), false),
        (("u", "p"), ("", ""), ("v", "p"), false),
        (("u", "p"), ("su", "sp"), ("su", "sp"), false),
        (("", "p"), ("su", ""), ("su", "p"), true),
        (("", "p"), ("su", ""), ("x", "p"), false),
        (("u", ""), ("", "sp"), ("u", "sp"), true),
        (("u", ""), ("su", "sp"), ("su", "sp"), false),
        (("", ""), ("su", "sp"), ("su", "sp"), true),
        (("", "p"), ("", ""), ("anyone", "p"), true),
        (("", "p"), ("", ""), ("", "p"), true),
        (("", "p"), ("", ""), ("p", ""), false),
        (("", "p"), ("", ""), ("", "pp"), false),
    ];
    for (own, server, pair, permitted) in cases {
        let case = format!("{own:?} {server:?} {pair:?}");
        let server = credentials(server.0, server.1);
        let own = credentials(own.0, own.1);
        let mut policy = AccessPolicy::new(&server);
        policy.add("shop", &own, &server).unwrap();
        assert_eq!(
            policy.permits("shop", &basic(pair.0, pair.1)),
            permitted,
            "{case}"
        );
        assert_eq!(
            policy.permits("shop", &BasicCredentials(None)),
            policy.is_empty(),
            "{case}"
        );
    }
}

#[test]
fn a_user_name_without_any_password_is_refused() {
    for (own, server) in [
        (credentials("u", ""), credentials("", "")),
        (credentials("", ""), credentials("su", "")),
        // The service without credentials of its own has a user name only.
        (credentials("u", "p"), credentials("su", "")),
    ] {
        let message = policy(&own, &server).unwrap_err();
        assert!(message.contains("option username"), "{message}");
        assert!(message.contains("auth.password"), "{message}");
    }
}

#[test]
fn permits_all_is_undecided_only_where_services_differ() {
    let some = policy(&credentials("u", "p"), &Credentials::default()).unwrap();
    assert_eq!(some.permits_all(&basic("u", "p")), Some(true));
    assert_eq!(some.permits_all(&basic("x", "y")), None);
    assert_eq!(some.permits_all(&BasicCredentials(None)), None);
    let every = policy(&credentials("u", "p"), &credentials("su", "sp")).unwrap();
    assert_eq!(every.permits_all(&BasicCredentials(None)), Some(false));
    assert_eq!(every.permits_all(&basic("x", "y")), Some(false));
    assert_eq!(every.permits_all(&basic("su", "sp")), None);
    let one = policy(&Credentials::default(), &credentials("su", "sp")).unwrap();
    assert_eq!(one.permits_all(&basic("su", "sp")), Some(true));
    assert_eq!(one.permits_all(&basic("su", "no")), Some(false));
    let none = policy(&Credentials::default(), &Credentials::default()).unwrap();
    assert_eq!(none.permits_all(&BasicCredentials(None)), Some(true));
}

#[test]
fn an_unreadable_service_is_denied_to_all() {
    let mut some = policy(&credentials("u", "p"), &Credentials::default()).unwrap();
    some.deny_all("strange");
    assert_eq!(some.permits_all(&basic("u", "p")), None);
    assert!(!some.permits("strange", &basic("u", "p")));
    assert!(some.permits("shop", &basic("u", "p")));
    assert!(some.permits("other", &BasicCredentials(None)));
}

#[test]
fn a_deleted_service_requires_all_credentials() {
    let some = policy(&credentials("u", "p"), &Credentials::default()).unwrap();
    assert!(some.permits("gone", &basic("u", "p")));
    assert!(!some.permits("gone", &BasicCredentials(None)));
    assert!(some.permits("other", &BasicCredentials(None)));
}

#[test]
fn storage_areas_require_the_credentials_of_the_server() {
    let (own, none) = (credentials("u", "p"), credentials("", ""));
    // The server, the services, and whether the credentials of the server, those of a service, and none permit access.
    for (server, services, expected) in [
        (credentials("su", "sp"), &[&own][..], [true, false, false]),
        (none.clone(), &[&own, &none], [true, true, true]),
        (none.clone(), &[], [true, true, true]),
        // All services are protected.
        (none.clone(), &[&own], [false, true, false]),
        (credentials("su", ""), &[&own], [false, true, false]),
    ] {
        let mut policy = AccessPolicy::new(&server);
        for (index, own) in services.iter().enumerate() {
            policy.add(&index.to_string(), own, &server).unwrap();
        }
        let all = [basic("su", "sp"), basic("u", "p"), BasicCredentials(None)];
        let permitted = all.map(|credentials| policy.permits(STORAGE_AREA, &credentials));
        assert_eq!(permitted, expected, "{server:?} {services:?}");
    }
}

#[test]
fn services_that_are_no_longer_configured_do_not_decide_on_storage_areas() {
    let (own, old, none) = (
        credentials("u", "p"),
        credentials("o", "p"),
        credentials("", ""),
    );
    let mut policy = AccessPolicy::new(&none);
    policy.add("shop", &own, &none).unwrap();
    policy.add_retired("restricted", &old, &none).unwrap();
    policy.add_retired("open", &none, &none).unwrap();
    for (request, expected) in [
        (basic("u", "p"), true),
        (basic("o", "p"), false),
        (BasicCredentials(None), false),
    ] {
        assert_eq!(policy.permits(STORAGE_AREA, &request), expected);
    }
    let mut unreadable = AccessPolicy::new(&none);
    unreadable.deny_all("shop");
    assert!(!unreadable.permits(STORAGE_AREA, &BasicCredentials(None)));
}
