//! API keys, and the credentials of storage areas and services.

use reqwest::RequestBuilder;
use serde_json::json;

use super::{STORAGE, area_path, as_user, binary_path, picture, written_id};
use crate::support::{Bodies, CatalogFile, TestApp, TestResponse, on_redis_only};

on_redis_only!(
    requests_without_an_api_key_are_rejected,
    the_storage_of_a_service_needs_the_password_of_the_service,
    areas_need_the_default_credentials,
    credentials_of_a_service_do_not_open_an_area_with_its_id,
    areas_are_protected_if_every_service_is,
    after_too_many_wrong_credentials_valid_ones_are_rejected_too,
);

const CATALOG: &str = "\
[services.store]\n_type = 'builtin'\n_service = 'store'\n\
[services.vault]\n_type = 'builtin'\n_service = 'store'\nusername = 'clerk'\npassword = 'hunter2'\n";

type Credentials = Option<(&'static str, &'static str)>;
const CLERK: Credentials = Some(("clerk", "hunter2"));
const OPS: Credentials = Some(("ops", "sesame"));

fn with(request: RequestBuilder, credentials: Credentials) -> RequestBuilder {
    match credentials {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    }
}

/// Starts a server with the catalog of this file.
async fn start(app: &TestApp, settings: &[(&str, &str)]) -> TestApp {
    let catalog = CatalogFile::new(CATALOG);
    let mut all = vec![
        ("catalog.file", catalog.path()),
        ("rate_limit.failed_credentials_per_address", "0"),
    ];
    all.extend_from_slice(settings);
    app.start_sibling(&all).await
}

/// The id of a new service.
async fn create(app: &TestApp, name: &str, credentials: Credentials) -> String {
    let request = app.post(&format!("/genesys/1/service/{name}"));
    let created = TestResponse::send(with(request.form_body("a=1"), credentials)).await;
    created.json()["_id"].as_str().unwrap().to_owned()
}

/// Every request on the storage `id`; the deletes last.
fn all_requests(app: &TestApp, id: &str) -> Vec<RequestBuilder> {
    let area = area_path(id);
    vec![
        app.get(&area),
        app.get(&format!("{area}/a")),
        app.post(&format!("{area}/600"))
            .multipart_body(picture(b"1")),
        app.get(&binary_path(id, "picture")),
        app.post(&format!("{area}/600")).form_body("b=2"),
        app.delete(&format!("{area}/b")),
        app.delete(&area),
    ]
}

fn assert_unauthorized(answer: &TestResponse, challenge: &str) {
    answer.error_message("Unauthorized", 401);
    let actual = answer.header("www-authenticate");
    assert!(actual.starts_with(challenge), "{actual}");
}

async fn requests_without_an_api_key_are_rejected(app: TestApp) {
    let app = app
        .start_sibling(&[("auth.api_keys", "one-key, other-key")])
        .await;
    let create = || as_user(app.post(&format!("{STORAGE}/600")), "ann").form_body("a=1");
    let custom = || as_user(app.post(&format!("{STORAGE}/session1/600")), "ann").form_body("a=1");
    for request in [create(), custom(), create().header("x-api-key", "no")] {
        assert_unauthorized(&TestResponse::send(request).await, "ApiKey ");
    }
    let id = written_id(&TestResponse::send(create().header("x-api-key", "one-key")).await);
    written_id(&TestResponse::send(custom().header("apikey", "other-key")).await);
    for id in [id.as_str(), "session1"] {
        for request in all_requests(&app, id) {
            let answer = TestResponse::send(as_user(request, "ann")).await;
            assert_unauthorized(&answer, "ApiKey ");
        }
        for request in all_requests(&app, id) {
            let request = as_user(request, "ann").header("x-api-key", "one-key");
            let answer = TestResponse::send(request).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

async fn the_storage_of_a_service_needs_the_password_of_the_service(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = create(&app, "vault", CLERK).await;
    for credentials in [None, OPS, Some(("clerk", "hunter3"))] {
        for user in ["", "ann"] {
            for request in all_requests(&app, &id) {
                let request = as_user(with(request, credentials), user);
                assert_unauthorized(&TestResponse::send(request).await, "Basic ");
            }
        }
    }
    for request in all_requests(&app, &id) {
        let answer = TestResponse::send(with(request, CLERK)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // Storage areas and other services are as open as without it.
    let open = create(&app, "store", None).await;
    let area = app.post(&format!("{STORAGE}/600")).form_body("a=1");
    let area = written_id(&TestResponse::send(area).await);
    for id in [open, area] {
        for request in all_requests(&app, &id) {
            let answer = TestResponse::send(request).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

async fn areas_need_the_default_credentials(app: TestApp) {
    let default = [("auth.username", "ops"), ("auth.password", "sesame")];
    let app = start(&app, &default).await;
    let (vault, store) = (
        create(&app, "vault", CLERK).await,
        create(&app, "store", OPS).await,
    );
    let area = || app.post(&format!("{STORAGE}/600")).form_body("a=1");
    let custom = || as_user(app.post(&format!("{STORAGE}/session1/600")), "ann").form_body("a=1");
    for request in [area(), custom(), with(area(), CLERK)] {
        assert_unauthorized(&TestResponse::send(request).await, "Basic ");
    }
    // Credentials of a service find that there is no service with this id.
    let other = TestResponse::send(with(custom(), CLERK)).await;
    other.error_message("ServiceNotFound", 404);
    let area = written_id(&TestResponse::send(with(area(), OPS)).await);
    written_id(&TestResponse::send(with(custom(), OPS)).await);
    for (id, permitted, denied) in [
        (vault.as_str(), CLERK, OPS),
        (&store, OPS, CLERK),
        (&area, OPS, CLERK),
        ("session1", OPS, None),
    ] {
        for credentials in [None, denied] {
            for request in all_requests(&app, id) {
                let request = as_user(with(request, credentials), "ann");
                assert_unauthorized(&TestResponse::send(request).await, "Basic ");
            }
        }
        for request in all_requests(&app, id) {
            let answer = TestResponse::send(as_user(with(request, permitted), "ann")).await;
            assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        }
    }
    // Without credentials, unknown ids are not distinguishable.
    let unknown = TestResponse::send(app.get(&area_path("nothing"))).await;
    assert_unauthorized(&unknown, "Basic ");
}

async fn credentials_of_a_service_do_not_open_an_area_with_its_id(app: TestApp) {
    let default = [("auth.username", "ops"), ("auth.password", "sesame")];
    let app = start(&app, &default).await;
    let vault = create(&app, "vault", CLERK).await;
    for id in [vault.as_str(), "session1"] {
        let custom = app.post(&format!("{STORAGE}/custom/{id}/600"));
        let custom = as_user(with(custom, CLERK), "ann").form_body("own=1");
        assert_unauthorized(&TestResponse::send(custom).await, "Basic ");
    }
    let custom = app.post(&format!("{STORAGE}/custom/session1/600"));
    let custom = as_user(with(custom, OPS), "ann").form_body("own=1");
    written_id(&TestResponse::send(custom).await);
    // They open their service, also with a user, and find no area of this user.
    let read = async |id: &str| {
        let read = as_user(app.get(&area_path(id)), "ann");
        TestResponse::send(with(read, CLERK)).await
    };
    assert_eq!(read(&vault).await.json(), json!({"a": "1"}));
    read("session1").await.error_message("ServiceNotFound", 404);
    read("nothing").await.error_message("ServiceNotFound", 404);
    let write = as_user(app.post(&format!("{STORAGE}/session1/600")), "ann");
    let write = TestResponse::send(with(write, CLERK).form_body("own=2")).await;
    write.error_message("ServiceNotFound", 404);
}

async fn areas_are_protected_if_every_service_is(app: TestApp) {
    // Each service has its own password.
    let catalog = CatalogFile::new(
        "[services.vault]\n_type = 'builtin'\n_service = 'store'\npassword = 'hunter2'\n\
         [services.safe]\n_type = 'builtin'\n_service = 'store'\npassword = 'only'\n",
    );
    let settings = [("catalog.file", catalog.path()), ("auth.username", "clerk")];
    let app = app.start_sibling(&settings).await;
    let area = || as_user(app.post(&format!("{STORAGE}/session1/600")), "ann").form_body("a=1");
    for credentials in [None, Some(("clerk", "wrong"))] {
        let answer = TestResponse::send(with(area(), credentials)).await;
        assert_unauthorized(&answer, "Basic ");
    }
    for credentials in [CLERK, Some(("clerk", "only"))] {
        written_id(&TestResponse::send(with(area(), credentials)).await);
    }
}

/// A guess cannot be confirmed on the paths of the Storage API either.
async fn after_too_many_wrong_credentials_valid_ones_are_rejected_too(app: TestApp) {
    let settings = [
        ("rate_limit.window_seconds", "3600"),
        ("rate_limit.failed_credentials_per_address", "3"),
        ("rate_limit.creates_per_service", "1"),
        ("auth.username", "ops"),
        ("auth.password", "sesame"),
    ];
    let app = app.start_sibling(&settings).await;
    let create = |password| {
        let create = app.post(&format!("{STORAGE}/600"));
        with(create, Some(("ops", password))).form_body("a=1")
    };
    for _ in 0..2 {
        assert_unauthorized(&TestResponse::send(create("wrong")).await, "Basic ");
    }
    // The guesses did not count as creates of all clients.
    let id = written_id(&TestResponse::send(create("sesame")).await);
    let wrong = with(app.get(&area_path(&id)), Some(("ops", "wrong")));
    assert_unauthorized(&TestResponse::send(wrong).await, "Basic ");
    for id in [
        id.as_str(),
        "nothing",
        "session1",
        "39a98e24-b03b-4191-b756-1efe8f3b16b8",
    ] {
        for user in ["", "ann"] {
            for request in all_requests(&app, id) {
                let answer = TestResponse::send(as_user(with(request, OPS), user)).await;
                answer.error_message("TooManyRequests", 429);
            }
        }
    }
}
