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
    an_incomplete_default_closes_areas,
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
    for credentials in [None, CLERK] {
        for request in [area(), custom()] {
            let answer = TestResponse::send(with(request, credentials)).await;
            assert_unauthorized(&answer, "Basic ");
        }
    }
    let area = written_id(&TestResponse::send(with(area(), OPS)).await);
    written_id(&TestResponse::send(with(custom(), OPS)).await);
    for (id, permitted, denied) in [
        (vault.as_str(), CLERK, OPS),
        (&store, OPS, CLERK),
        (&area, OPS, CLERK),
        ("session1", OPS, CLERK),
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
    let custom = async |credentials| {
        let write = app.post(&format!("{STORAGE}/custom/{vault}/600"));
        let write = as_user(with(write, credentials), "ann");
        TestResponse::send(write.form_body("own=1")).await
    };
    assert_unauthorized(&custom(CLERK).await, "Basic ");
    written_id(&custom(OPS).await);
    // The custom id of this user would take precedence, but these credentials open the service only.
    let read = as_user(app.get(&area_path(&vault)), "ann");
    let read = TestResponse::send(with(read, CLERK)).await;
    assert_eq!(read.json(), json!({"a": "1"}));
    let write = as_user(app.post(&format!("{}/600", area_path(&vault))), "ann");
    let write = with(write, CLERK).form_body("b=2");
    written_id(&TestResponse::send(write).await);
    let delete = as_user(app.delete(&area_path(&vault)), "ann");
    TestResponse::send(with(delete, CLERK)).await.assert_ok();
    let service = app.get(&format!("/genesys/1/service/{vault}/storage"));
    let service = TestResponse::send(with(service, CLERK)).await;
    assert_eq!(service.json(), json!({}));
}

async fn an_incomplete_default_closes_areas(app: TestApp) {
    // Each service has its own password; the user name is common.
    let catalog = CatalogFile::new(
        "[services.vault]\n_type = 'builtin'\n_service = 'store'\npassword = 'hunter2'\n\
         [services.safe]\n_type = 'builtin'\n_service = 'store'\npassword = 'only'\n",
    );
    let settings = [("catalog.file", catalog.path()), ("auth.username", "clerk")];
    let app = app.start_sibling(&settings).await;
    let area = app.post(&format!("{STORAGE}/600")).form_body("a=1");
    for credentials in [None, CLERK, Some(("clerk", "only"))] {
        let request = with(area.try_clone().unwrap(), credentials);
        assert_unauthorized(&TestResponse::send(request).await, "Basic ");
    }
}
