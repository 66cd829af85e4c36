use super::*;

fn credentials(username: &str, password: &str) -> Credentials {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Credentials {
        username: some(username),
        password: some(password).map(SecretString::from),
    }
}

fn shown(username: &str, password: &str) -> Shown {
    Shown(Some((username.to_owned(), password.to_owned().into())))
}

fn locks(own: &Credentials, server: &Credentials) -> Result<Locks, String> {
    let open = Credentials::default();
    let mut locks = Locks::new(server);
    for (name, own) in [("shop", own), ("other", &open)] {
        let added = locks.add(name, own, server);
        added.map_err(|error| error.to_string())?;
    }
    Ok(locks)
}

#[test]
fn each_of_the_two_comes_from_the_service_else_from_the_server() {
    // service, server, whether a pair opens it
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
        (("", "p"), ("", ""), ("anybody", "p"), true),
        (("", "p"), ("", ""), ("", "p"), true),
        (("", "p"), ("", ""), ("p", ""), false),
        (("", "p"), ("", ""), ("", "pp"), false),
    ];
    for (own, server, pair, opens) in cases {
        let case = format!("{own:?} {server:?} {pair:?}");
        let server = credentials(server.0, server.1);
        let own = credentials(own.0, own.1);
        let mut locks = Locks::new(&server);
        locks.add("shop", &own, &server).unwrap();
        assert_eq!(locks.opens("shop", &shown(pair.0, pair.1)), opens, "{case}");
        assert_eq!(
            locks.opens("shop", &Shown(None)),
            locks.is_empty(),
            "{case}"
        );
    }
}

#[test]
fn a_user_name_without_any_password_is_refused() {
    for (own, server) in [
        (credentials("u", ""), credentials("", "")),
        (credentials("", ""), credentials("su", "")),
        // The other one is left with a user name.
        (credentials("u", "p"), credentials("su", "")),
    ] {
        let told = locks(&own, &server).unwrap_err();
        assert!(told.contains("option username"), "{told}");
        assert!(told.contains("auth.password"), "{told}");
    }
}

#[test]
fn the_store_is_asked_only_where_it_depends_on_the_service() {
    let some = locks(&credentials("u", "p"), &Credentials::default()).unwrap();
    assert_eq!(some.opened(&shown("u", "p")), Some(true));
    assert_eq!(some.opened(&shown("x", "y")), None);
    assert_eq!(some.opened(&Shown(None)), None);
    let every = locks(&credentials("u", "p"), &credentials("su", "sp")).unwrap();
    assert_eq!(every.opened(&Shown(None)), Some(false));
    assert_eq!(every.opened(&shown("x", "y")), Some(false));
    assert_eq!(every.opened(&shown("su", "sp")), None);
    let one = locks(&Credentials::default(), &credentials("su", "sp")).unwrap();
    assert_eq!(one.opened(&shown("su", "sp")), Some(true));
    assert_eq!(one.opened(&shown("su", "no")), Some(false));
    let none = locks(&Credentials::default(), &Credentials::default()).unwrap();
    assert_eq!(none.opened(&Shown(None)), Some(true));
}

#[test]
fn what_cannot_be_read_is_closed_to_everybody() {
    let mut some = locks(&credentials("u", "p"), &Credentials::default()).unwrap();
    some.seal("strange");
    assert_eq!(some.opened(&shown("u", "p")), None);
    assert!(!some.opens("strange", &shown("u", "p")));
    assert!(some.opens("shop", &shown("u", "p")));
    assert!(some.opens("other", &Shown(None)));
}

#[test]
fn what_is_configured_no_longer_asks_for_everything() {
    let some = locks(&credentials("u", "p"), &Credentials::default()).unwrap();
    assert!(some.opens("gone", &shown("u", "p")));
    assert!(!some.opens("gone", &Shown(None)));
    assert!(some.opens("other", &Shown(None)));
}
