//! One id space: the storage of a service under the Storage API, and storage areas under the paths of services.

use reqwest::Method;
use serde_json::json;

use super::{
    STORAGE, area_path, assert_not_found, create_area, picture, read_as, write_as, written_id,
};
use crate::{
    api::expiry::path_under_cs,
    support::{Bodies, TestApp, TestResponse, bookings, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_write_under_the_id_of_a_service_keeps_its_expiration,
    a_delete_under_the_id_of_a_service_empties_its_storage,
    a_strategy_reads_the_data_of_a_matched_call,
    an_area_is_found_under_the_paths_of_services,
    an_area_is_extended_and_deleted_under_the_paths_of_services,
    no_service_is_created_from_the_definition_of_storage_areas,
    an_area_gets_no_access_number,
);

fn id_of(service: &str) -> &str {
    service.rsplit('/').next().unwrap()
}

async fn a_write_under_the_id_of_a_service_keeps_its_expiration(app: TestApp) {
    let service = app.create("_ttl=600&Key1=Value1&Key2=Value2").await;
    let before = app.get_service(&service).await;
    let path = area_path(id_of(&service));
    for (ttl, request) in [
        (
            "5000",
            app.post(&format!("{path}/5000"))
                .form_body("Key2=new&Key3="),
        ),
        (
            "1",
            app.post(&format!("{path}/1")).json_body(r#"{"Key4":4}"#),
        ),
        (
            "60",
            app.post(&format!("{path}/60"))
                .multipart_body(picture(b"12345")),
        ),
    ] {
        for user in ["", "ann"] {
            let request = super::as_user(request.try_clone().unwrap(), user);
            let written = TestResponse::send(request).await;
            assert_eq!(written_id(&written), id_of(&service));
            assert_eq!(written.header("warning"), "", "{ttl}");
        }
        let after = app.get_service(&service).await;
        assert_eq!(
            after["_expiration_time"], before["_expiration_time"],
            "{ttl}"
        );
    }
    let expected = json!({"Key1": "Value1", "Key2": "new", "Key3": "", "Key4": "4"});
    assert_eq!(app.storage(&service).await, expected);
    for user in ["", "ann", "bob"] {
        let read = read_as(&app, user, id_of(&service)).await;
        assert_eq!(read.json(), expected);
    }
    let binary = TestResponse::send(app.get(&super::binary_path(id_of(&service), "picture"))).await;
    let same = app.get(&format!("{service}/storage/binary/picture"));
    let same = TestResponse::send(same).await;
    assert_eq!(
        (&*binary.body, binary.header("etag")),
        (&b"12345"[..], same.header("etag"))
    );
}

async fn a_delete_under_the_id_of_a_service_empties_its_storage(app: TestApp) {
    let app = bookings::start_app(&app, &bookings::default_group_toml("LOCAL", 1)).await;
    let booked = bookings::book_number(&app, "Key1=Value1&Key2=Value2").await;
    let path = area_path(&booked.id);
    let written = TestResponse::send(
        app.post(&format!("{path}/600"))
            .multipart_body(picture(b"1")),
    );
    written_id(&written.await);
    let key = app.delete(&format!("{path}/Key1"));
    TestResponse::send(key).await.assert_ok();
    assert_eq!(
        read_as(&app, "", &booked.id).await.json(),
        json!({"Key2": "Value2"})
    );
    for _ in 0..2 {
        TestResponse::send(app.delete(&path)).await.assert_ok();
        let service = app.get_service(&booked.service_path()).await;
        assert_eq!(
            (&service["_keys"], &service["_binaries"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(read_as(&app, "", &booked.id).await.json(), json!({}));
    }
    // Its number is still booked.
    let call = format!("_access_number={}", booked.number);
    assert_eq!(bookings::match_call(&app, &call).await, booked.id);
}

async fn a_strategy_reads_the_data_of_a_matched_call(app: TestApp) {
    let app = bookings::start_app(&app, &bookings::default_group_toml("ROUND_ROBIN", 3)).await;
    let form = "_provide_code=true&language=french&reason=billing&empty=";
    let booked = bookings::book_number(&app, form).await;
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    let matched = bookings::create(&app, "match-interaction", &call)
        .await
        .json();
    let data_id = matched["_data_id"].as_str().unwrap();
    let read = TestResponse::send(app.get(&format!("{STORAGE}/{data_id}"))).await;
    let expected = json!({"language": "french", "reason": "billing", "empty": ""});
    assert_eq!(read.json(), expected);
    // The strategy notes its progress, and the client sees it.
    let write = app.post(&format!("{STORAGE}/{data_id}/600"));
    written_id(&TestResponse::send(write.form_body("queue=7")).await);
    assert_eq!(app.storage(&booked.service_path()).await["queue"], "7");
    TestResponse::send(app.delete(&booked.service_path()))
        .await
        .assert_ok();
    assert_not_found(&app, "", data_id).await;
    let late = write_as(&app, "", data_id, "queue=8").await;
    late.error_message("ServiceNotFound", 404);
}

async fn an_area_is_found_under_the_paths_of_services(app: TestApp) {
    let id = create_area(&app, "Key1=Value1").await;
    let service = format!("/genesys/1/service/{id}");
    let described = app.get_service(&service).await;
    assert_eq!(described["_id"], id.as_str());
    assert_eq!(described["_service"], "_storage");
    assert_eq!(described["_keys"], json!(["Key1"]));
    for request in [
        app.post(&format!("{service}/storage"))
            .form_body("Key2=Value2"),
        app.post(&format!("{service}/storage"))
            .multipart_body(picture(b"12345")),
        app.post(&format!("{service}/update"))
            .form_body("Key3=Value3"),
    ] {
        TestResponse::send(request).await.assert_empty();
    }
    let expected = json!({"Key1": "Value1", "Key2": "Value2", "Key3": "Value3"});
    assert_eq!(app.storage(&service).await, expected);
    assert_eq!(read_as(&app, "", &id).await.json(), expected);
    let key = TestResponse::send(app.get(&format!("{service}/storage/Key2"))).await;
    assert_eq!(key.json(), json!({"Key2": "Value2"}));
    let binary = app.get(&format!("{service}/storage/binary/picture"));
    assert_eq!(TestResponse::send(binary).await.body, b"12345");
    // Writes under the paths of services do not change the expiration.
    let after = app.get_service(&service).await;
    assert_eq!(after["_expiration_time"], described["_expiration_time"]);
    let other = TestResponse::send(app.post(&format!("{service}/other"))).await;
    let message = other.error_message("RequestNotFound", 404);
    assert!(message.contains("storage area"), "{message}");
    let unknown = TestResponse::send(app.get(&format!("{service}/storage/none"))).await;
    let message = unknown.error_message("KeyNotFound", 404);
    assert!(message.contains("storage area"), "{message}");
    let key = app.delete(&format!("{service}/storage/Key1"));
    TestResponse::send(key).await.assert_ok();
    let clear = app.delete(&format!("{service}/storage"));
    TestResponse::send(clear).await.assert_ok();
    assert_eq!(read_as(&app, "", &id).await.json(), json!({}));
}

async fn an_area_is_extended_and_deleted_under_the_paths_of_services(app: TestApp) {
    let id = create_area(&app, "Key1=Value1").await;
    let service = format!("/genesys/1/service/{id}");
    for (method, path, ttl) in [
        (Method::PUT, service.clone(), 1_000),
        (Method::PUT, path_under_cs(&service), 2_000),
        (Method::POST, format!("{}/3000", area_path(&id)), 3_000),
        (Method::POST, format!("{}/60", area_path(&id)), 60),
    ] {
        let request = app.request(method, &path).form_body(&format!("ttl={ttl}"));
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let remaining = app.get_service(&service).await["_ttl"].as_u64().unwrap();
        assert!((ttl - 50..=ttl).contains(&remaining), "{path}: {remaining}");
    }
    TestResponse::send(app.delete(&service)).await.assert_ok();
    assert_not_found(&app, "", &id).await;
    let late = write_as(&app, "", &id, "a=1").await;
    late.error_message("ServiceNotFound", 404);
    // And the other way round.
    let id = create_area(&app, "Key1=Value1").await;
    TestResponse::send(app.delete(&area_path(&id)))
        .await
        .assert_ok();
    let gone = TestResponse::send(app.get(&format!("/genesys/1/service/{id}"))).await;
    gone.error_message("ServiceNotFound", 404);
}

async fn no_service_is_created_from_the_definition_of_storage_areas(app: TestApp) {
    for request in [
        app.post("/genesys/1/service/_storage").form_body("a=1"),
        app.get("/genesys/1/service/_storage"),
    ] {
        let answer = TestResponse::send(request).await;
        answer.error_message("ServiceNotFound", 404);
    }
    assert!(app.redis_keys("*").await.is_empty());
}

async fn an_area_gets_no_access_number(app: TestApp) {
    let id = create_area(&app, "a=1").await;
    let request = app.post("/genesys/1/service/request-access");
    let answer = TestResponse::send(request.form_body(&format!("_id={id}&b=2"))).await;
    let message = answer.error_message("InvalidParameter", 400);
    assert!(
        message.contains("_id is that of a storage area"),
        "{message}"
    );
    assert_eq!(read_as(&app, "", &id).await.json(), json!({"a": "1"}));
}
