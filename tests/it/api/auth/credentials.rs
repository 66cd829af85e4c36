//! User names, passwords and API keys.

use reqwest::{Method, RequestBuilder};

use crate::support::{Bodies, CatalogFile, Multipart, TestApp, TestResponse, on_redis_only};

on_redis_only!(
    every_request_on_a_protected_service_needs_its_password,
    unprotected_services_stay_open_beside_protected_ones,
    default_credentials_protect_services_without_their_own,
    a_password_without_user_name_accepts_any_user_name,
    request_access_needs_the_password_of_the_service,
    requests_without_an_api_key_are_rejected,
    an_api_key_does_not_replace_the_password,
);

const CATALOG: &str = "\
[services.open]\n_type = 'builtin'\n_service = 'store'\n\
[services.vault]\n_type = 'builtin'\n_service = 'store'\nusername = 'clerk'\npassword = 'hunter2'\n\
[services.safe]\n_type = 'builtin'\n_service = 'store'\npassword = 'only'\n\
[services.more]\n_type = 'builtin'\n_service = 'request-access'\n\
[services.route]\n_type = 'builtin'\n_service = 'match-interaction'\n\
[resources.DNIS]\n_allocation_strategy = 'ROUND_ROBIN'\nnumbers = ['8003449999']\n";

/// Starts a replica with the catalog of this file and `settings`.
async fn start_with_credentials(app: &TestApp, settings: &[(&str, &str)]) -> TestApp {
    let catalog_file = CatalogFile::new(CATALOG);
    let mut all = vec![("catalog.file", catalog_file.path())];
    all.extend_from_slice(settings);
    app.start_sibling(&all).await
}

async fn create(app: &TestApp, name: &str, credentials: Option<(&str, &str)>) -> TestResponse {
    let create = app.post(&format!("/genesys/1/service/{name}"));
    TestResponse::send(with_credentials(create.form_body("a=1"), credentials)).await
}

fn with_credentials(request: RequestBuilder, credentials: Option<(&str, &str)>) -> RequestBuilder {
    match credentials {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    }
}

fn assert_unauthorized(answer: &TestResponse, request_label: &str) {
    assert_eq!(answer.status, 401, "{request_label}: {}", answer.text());
    answer.error_message("Unauthorized", 401);
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("Basic realm=\""),
        "{request_label}: {challenge}"
    );
}

/// Checks that an API key is required, without a challenge that makes browsers prompt for a password.
fn assert_refused_without_key(answer: &TestResponse, request_label: &str) {
    answer.error_message("Unauthorized", 401);
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, "ApiKey realm=\"switchboard\"", "{request_label}");
}

/// All requests on a service, the delete last.
fn all_requests(app: &TestApp, service: &str) -> Vec<RequestBuilder> {
    let at = |method, rest: &str| app.request(method, &format!("{service}{rest}"));
    let cs = service.replace("/service/", "/cs/services/");
    vec![
        at(Method::GET, ""),
        at(Method::PUT, "?ttl=60"),
        app.put(&format!("{cs}?ttl=60")),
        at(Method::GET, "/storage"),
        at(Method::POST, "/storage").form_body("b=2"),
        at(Method::GET, "/storage/a"),
        at(Method::GET, "/storage/binary/map"),
        at(Method::HEAD, "/storage/binary/map"),
        at(Method::POST, "/update").form_body("c=3"),
        at(Method::GET, "/update?c=3"),
        app.get(&service.replace("/service/", "/%73ervice/")),
        app.put(&format!("{}?ttl=60", cs.replace("/cs/", "/%63s/"))),
        at(Method::DELETE, "/storage/a"),
        at(Method::DELETE, "/storage"),
        at(Method::DELETE, ""),
    ]
}

const CLERK: Option<(&str, &str)> = Some(("clerk", "hunter2"));

async fn every_request_on_a_protected_service_needs_its_password(app: TestApp) {
    let unlimited = [("rate_limit.failed_credentials_per_address", "0")];
    let app = start_with_credentials(&app, &unlimited).await;
    let strangers = [
        None,
        Some(("clerk", "hunter3")),
        Some(("clerk", "hunter2 ")),
        Some(("Clerk", "hunter2")),
        Some(("clerk", "")),
        Some(("", "hunter2")),
        Some(("any", "only")),
    ];
    for credentials in strangers {
        assert_unauthorized(&create(&app, "vault", credentials).await, "create");
    }
    let get = app.get("/genesys/1/service/vault");
    assert_unauthorized(&TestResponse::send(get).await, "create by GET");
    for path in [
        "/genesys/1/%73ervice/vault",
        "/%67enesys/1/service/v%61ult",
        "/genesys/1/service/vault?username=clerk&password=hunter2",
    ] {
        assert_unauthorized(&TestResponse::send(app.post(path)).await, path);
    }

    let service = create(&app, "vault", CLERK).await.service_id();
    let file = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let write = app.post(&format!("{service}/storage"));
    let written = with_credentials(write.multipart_body(file), CLERK);
    TestResponse::send(written).await.assert_empty();
    for credentials in strangers {
        for request in all_requests(&app, &service) {
            let request = with_credentials(request, credentials).build().unwrap();
            let request_label =
                format!("{} {} by {credentials:?}", request.method(), request.url());
            let is_head = request.method() == Method::HEAD;
            let answer = app.client.execute(request).await.unwrap();
            let answer = TestResponse::from_response(answer).await;
            if is_head {
                assert_eq!(answer.status, 401, "{request_label}");
            } else {
                assert_unauthorized(&answer, &request_label);
            }
        }
    }
    for request in all_requests(&app, &service) {
        let answer = TestResponse::send(with_credentials(request, CLERK)).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }
    let response = app.get(&format!("{service}/storage"));
    let response = TestResponse::send(with_credentials(response, CLERK)).await;
    response.error_message("ServiceNotFound", 404);
}

async fn unprotected_services_stay_open_beside_protected_ones(app: TestApp) {
    let app = start_with_credentials(&app, &[]).await;
    for credentials in [None, CLERK, Some(("x", "y"))] {
        let service = create(&app, "open", credentials).await.service_id();
        for request in all_requests(&app, &service) {
            let answer = TestResponse::send(with_credentials(request, credentials)).await;
            assert_ne!(answer.status, 401, "{}", answer.text());
        }
        let nothing = TestResponse::send(with_credentials(app.get(&service), credentials)).await;
        nothing.error_message("ServiceNotFound", 404);
        let unknown_service = create(&app, "unknown", credentials).await;
        unknown_service.error_message("ServiceNotFound", 404);
    }
    for path in ["/livez", "/readyz", "/genesys/1/admin/node/status"] {
        assert_eq!(
            TestResponse::send(app.get(path)).await.status,
            200,
            "{path}"
        );
    }
}

async fn default_credentials_protect_services_without_their_own(app: TestApp) {
    let server = [("auth.username", "ops"), ("auth.password", "sesame")];
    let app = start_with_credentials(&app, &server).await;
    let ops = Some(("ops", "sesame"));
    let vault = create(&app, "vault", CLERK).await.service_id();
    let open = create(&app, "open", ops).await.service_id();
    // Its own password and the default user name.
    let safe = Some(("ops", "only"));
    create(&app, "safe", safe).await.service_id();
    for (name, credentials) in [
        ("vault", ops),
        ("open", CLERK),
        ("open", None),
        ("safe", ops),
        ("safe", Some(("any", "only"))),
        ("no credentials", None),
    ] {
        assert_unauthorized(&create(&app, name, credentials).await, name);
    }
    for (service, credentials, status) in [
        (&vault, ops, 401),
        (&vault, CLERK, 200),
        (&open, CLERK, 401),
        (&open, ops, 200),
        (&open, None, 401),
    ] {
        let read = app.get(&format!("{service}/storage"));
        let answer = TestResponse::send(with_credentials(read, credentials)).await;
        assert_eq!(answer.status, status, "{credentials:?}: {}", answer.text());
    }
    // Without credentials unknown ids are not distinguishable.
    let nowhere = app.get("/genesys/1/service/nothing/storage");
    assert_unauthorized(&TestResponse::send(nowhere).await, "an unknown id");
}

async fn a_password_without_user_name_accepts_any_user_name(app: TestApp) {
    let app = start_with_credentials(&app, &[]).await;
    for user in ["", "any"] {
        let credentials = Some((user, "only"));
        let service = create(&app, "safe", credentials).await.service_id();
        let read = app.get(&format!("{service}/storage"));
        assert_eq!(
            TestResponse::send(with_credentials(read, credentials))
                .await
                .status,
            200
        );
    }
    assert_unauthorized(&create(&app, "safe", Some(("only", ""))).await, "safe");
}

async fn request_access_needs_the_password_of_the_service(app: TestApp) {
    let app = start_with_credentials(&app, &[]).await;
    let service = create(&app, "vault", CLERK).await.service_id();
    let id = service.rsplit('/').next().unwrap();
    let request_access = |credentials| {
        let request = app.post("/genesys/1/service/more");
        with_credentials(
            request.form_body(&format!("_id={id}&planted=1")),
            credentials,
        )
    };
    assert_unauthorized(
        &TestResponse::send(request_access(None)).await,
        "request-access",
    );
    let answer = TestResponse::send(request_access(CLERK)).await;
    assert_eq!(answer.json()["_access_number"], "8003449999");
    let stored = TestResponse::send(with_credentials(
        app.get(&format!("{service}/storage")),
        CLERK,
    ))
    .await;
    assert_eq!(stored.json()["planted"], "1");
    // The routing side needs no password.
    let call = app.post("/genesys/1/service/route");
    let call = call.form_body("_access_number=8003449999&_return_user_data=true");
    assert_eq!(
        TestResponse::send(call).await.json()["_user_data"]["a"],
        "1"
    );
}

async fn requests_without_an_api_key_are_rejected(app: TestApp) {
    let app = app
        .start_sibling(&[("auth.api_keys", "one-key, other-key")])
        .await;
    let create = || app.post("/genesys/1/service/store").form_body("a=1");
    assert_refused_without_key(&TestResponse::send(create()).await, "no key");
    for (header, key) in [
        ("x-api-key", "one-ke"),
        ("x-api-key", ""),
        ("apikey", "one-key,"),
    ] {
        let answer = TestResponse::send(create().header(header, key)).await;
        assert_refused_without_key(&answer, key);
    }
    for (header, key) in [("x-api-key", "one-key"), ("apikey", "other-key")] {
        let service = TestResponse::send(create().header(header, key))
            .await
            .service_id();
        for request in all_requests(&app, &service) {
            let answer = TestResponse::send(request).await;
            assert_eq!(answer.status, 401);
        }
        let read = app.get(&format!("{service}/storage"));
        let read = TestResponse::send(read.header(header, key)).await;
        assert_eq!(read.json()["a"], "1");
    }
    for path in ["/livez", "/readyz", "/genesys/1/admin/node/status"] {
        assert_eq!(
            TestResponse::send(app.get(path)).await.status,
            200,
            "{path}"
        );
    }
    // The first header that is not empty applies.
    for (headers, allowed) in [
        (&[("x-api-key", ""), ("apikey", "one-key")][..], true),
        (&[("x-api-key", " "), ("apikey", "one-key")], true),
        (&[("x-api-key", "one-key"), ("apikey", "")], true),
        (&[("x-api-key", ""), ("x-api-key", "one-key")], true),
        (&[("x-api-key", "one-key"), ("apikey", "wrong")], true),
        (&[("x-api-key", "wrong"), ("apikey", "one-key")], false),
        (&[("x-api-key", ""), ("apikey", "")], false),
    ] {
        let with =
            |request, (name, value): &(&str, &str)| RequestBuilder::header(request, *name, *value);
        let answer = TestResponse::send(headers.iter().fold(create(), with)).await;
        if allowed {
            answer.service_id();
        } else {
            assert_refused_without_key(&answer, "several");
        }
    }
}

async fn an_api_key_does_not_replace_the_password(app: TestApp) {
    let app = start_with_credentials(&app, &[("auth.api_keys", "key")]).await;
    let create = || app.post("/genesys/1/service/vault").form_body("a=1");
    let keyed = create().header("x-api-key", "key");
    assert_unauthorized(&TestResponse::send(keyed).await, "the key alone");
    assert_refused_without_key(
        &TestResponse::send(with_credentials(create(), CLERK)).await,
        "no key",
    );
    let both = with_credentials(create().header("x-api-key", "key"), CLERK);
    TestResponse::send(both).await.service_id();
}

#[tokio::test]
async fn services_of_removed_definitions_stay_protected() {
    let before = TestApp::on_redis().await;
    let before = start_with_credentials(&before, &[]).await;
    let service = create(&before, "vault", CLERK).await.service_id();
    let without = CATALOG.replace("[services.vault]", "[services.renamed]");
    let without = CatalogFile::new(&without);
    let settings = [("catalog.file", without.path())];
    let after = TestApp::start(before.redis.clone(), &before.prefix, &settings).await;
    let read =
        |credentials| with_credentials(after.get(&format!("{service}/storage")), credentials);
    assert_unauthorized(&TestResponse::send(read(None)).await, "no credentials");
    // The credentials match one of two requirements.
    assert_unauthorized(&TestResponse::send(read(CLERK)).await, "the clerk");
    let read = with_credentials(before.get(&format!("{service}/storage")), CLERK);
    assert_eq!(TestResponse::send(read).await.status, 200);
}
