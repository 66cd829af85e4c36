//! Contract sections 2 and 5: the TTL of services.

use crate::{
    api::services::{STORE, millis},
    support::{Bodies, CatalogFile, TestApp, TestResponse, on_every_kind_of_store},
};

const DAY: i64 = 86_400;

on_every_kind_of_store!(
    the_default_ttl_is_one_day,
    the_ttl_parameter_applies_without_a_configured_ttl,
    a_configured_ttl_wins_over_the_parameter,
    an_overwritable_ttl_yields_to_the_parameter,
    a_ttl_out_of_range_creates_nothing,
);

/// The TTL of a service at its creation, in seconds.
async fn service_ttl(app: &TestApp, service: &str) -> i64 {
    let description = app.get_service(service).await;
    let millis = millis(&description["_expiration_time"]) - millis(&description["_created"]);
    assert_eq!(millis % 1000, 0, "{description}");
    millis / 1000
}

async fn the_default_ttl_is_one_day(app: TestApp) {
    for form in ["", "_ttl="] {
        assert_eq!(service_ttl(&app, &app.create(form).await).await, DAY);
    }
}

async fn the_ttl_parameter_applies_without_a_configured_ttl(app: TestApp) {
    for (ttl, expected) in [("60", 60), ("2592000", 30 * DAY), ("86401", DAY + 1)] {
        let service = app.create(&format!("_ttl={ttl}")).await;
        assert_eq!(service_ttl(&app, &service).await, expected);
    }
}

fn catalog() -> CatalogFile {
    CatalogFile::new(
        r#"
        [services.fixed]
        _type = "builtin"
        _service = "store"
        _ttl = 60
        [services.yielding]
        _type = "builtin"
        _service = "store"
        _ttl = 60
        _overwritable_options = "_provide_code, _ttl"
        "#,
    )
}

async fn a_configured_ttl_wins_over_the_parameter(app: TestApp) {
    let catalog_file = catalog();
    let app = app
        .start_sibling(&[("catalog.file", catalog_file.path())])
        .await;
    for ttl in ["30", "3600", "", "soon"] {
        let path = format!("/genesys/1/service/fixed?_ttl={ttl}");
        let service = TestResponse::send(app.post(&path)).await.service_id();
        assert_eq!(service_ttl(&app, &service).await, 60);
    }
}

async fn an_overwritable_ttl_yields_to_the_parameter(app: TestApp) {
    let catalog_file = catalog();
    let app = app
        .start_sibling(&[("catalog.file", catalog_file.path())])
        .await;
    for (form, expected) in [
        ("_ttl=30", 30),
        ("_ttl=3600", 3600),
        ("_ttl=", 60),
        ("", 60),
    ] {
        let request = app.post("/genesys/1/service/yielding").form_body(form);
        let service = TestResponse::send(request).await.service_id();
        assert_eq!(service_ttl(&app, &service).await, expected);
    }
    let request = app
        .post("/genesys/1/service/yielding")
        .form_body("_ttl=soon");
    TestResponse::send(request)
        .await
        .error_message("InvalidParameter", 400);
}

async fn a_ttl_out_of_range_creates_nothing(app: TestApp) {
    for ttl in ["0", "-1", "1.5", "soon", "2592001", "99999999999999999999"] {
        let request = app.post(STORE).form_body(&format!("a=1&_ttl={ttl}"));
        let message = TestResponse::send(request)
            .await
            .error_message("InvalidParameter", 400);
        for part in ["_ttl", ttl, "1", "2592000"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(app.redis_keys("*").await, Vec::<String>::new());
}
