//! Contract sections 4 and 7: changes of the expiration time.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp, tz};
use serde_json::{Value, json};

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    every_kind_of_body_sets_the_expiration_under_both_paths,
    an_expiration_time_is_set_to_the_millisecond,
    ttl_wins_over_expiration_time,
    an_invalid_expiration_is_rejected_and_changes_nothing,
);

/// The measured clock of Redis can be ahead by the time of one round trip; this is the maximum on a busy machine.
pub(crate) const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

pub(crate) fn path_under_cs(service: &str) -> String {
    service.replace("/service/", "/cs/services/")
}

pub(crate) fn expiration_time(description: &Value) -> Timestamp {
    description["_expiration_time"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// A service with a string and a binary.
pub(crate) async fn create(app: &TestApp, ttl: &str) -> String {
    let multipart = Multipart::new()
        .text("Key1", "Value1")
        .text("_ttl", ttl)
        .file("pic", "p.png", "image/png", &vec![7; 300_000]);
    let request = app.post("/genesys/1/service/store");
    TestResponse::send(request.multipart_body(multipart))
        .await
        .service_id()
}

async fn every_kind_of_body_sets_the_expiration_under_both_paths(app: TestApp) {
    let service = create(&app, "60").await;
    for path in [service.clone(), path_under_cs(&service)] {
        let by_query = |ttl: u32| app.put(&format!("{path}?ttl={ttl}"));
        let multipart = Multipart::new().text("ttl", "500");
        for (request, ttl) in [
            (app.put(&path).json_body(r#"{"ttl":100}"#), 100),
            (app.put(&path).json_body(r#"{"ttl":"200"}"#), 200),
            (app.put(&path).json_body(r#"{"ttl":60.0}"#), 60),
            (app.put(&path).json_body(r#"{"ttl":6e1}"#), 60),
            (app.put(&path).form_body("ttl=90.0"), 90),
            (app.put(&path).form_body("ttl=300"), 300),
            (by_query(400), 400),
            (app.put(&path).multipart_body(multipart), 500),
            (by_query(1).form_body("ttl=600"), 600),
            (by_query(2_592_000), 2_592_000),
        ] {
            let ttl_duration = SignedDuration::from_secs(ttl);
            let earliest = milliseconds_now() + ttl_duration;
            TestResponse::send(request).await.assert_empty();
            let latest = Timestamp::now() + ttl_duration + CLOCK_TOLERANCE;
            let description = app.get_service(&service).await;
            assert!(
                (earliest..=latest).contains(&expiration_time(&description)),
                "{ttl}: {description}"
            );
            assert!((ttl - 10..=ttl).contains(&description["_ttl"].as_i64().unwrap()));
        }
    }
}

/// The current time in milliseconds, the precision of expiration times.
fn milliseconds_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = i64::try_from(since.unwrap().as_millis()).unwrap();
    Timestamp::from_millisecond(millis).unwrap()
}

async fn an_expiration_time_is_set_to_the_millisecond(app: TestApp) {
    let service = create(&app, "60").await;
    let time = milliseconds_now() + SignedDuration::from_millis(3_600_123);
    let utc = format!("{time:.3}");
    let offset = tz::TimeZone::fixed(tz::offset(2));
    let offset = time.to_zoned(offset).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z");
    let in_query = offset.to_string().replace('+', "%2B");
    for (request, path) in [
        (json!({"expiration_time": utc}).to_string(), service.clone()),
        (
            json!({"expiration_time": utc}).to_string(),
            path_under_cs(&service),
        ),
        (
            json!({"expiration_time": offset.to_string()}).to_string(),
            service.clone(),
        ),
    ] {
        app.put(&service).form_body("ttl=60").send().await.unwrap();
        TestResponse::send(app.put(&path).json_body(&request))
            .await
            .assert_empty();
        assert_eq!(
            app.get_service(&service).await["_expiration_time"],
            utc.as_str()
        );
    }
    for request in [
        app.put(&service)
            .form_body(&format!("expiration_time={utc}")),
        app.put(&format!("{service}?expiration_time={in_query}")),
    ] {
        app.put(&service).form_body("ttl=60").send().await.unwrap();
        TestResponse::send(request).await.assert_empty();
        assert_eq!(
            app.get_service(&service).await["_expiration_time"],
            utc.as_str()
        );
    }
}

async fn ttl_wins_over_expiration_time(app: TestApp) {
    let service = create(&app, "60").await;
    let far = Timestamp::now() + SignedDuration::from_hours(48);
    let both = json!({"expiration_time": far.to_string(), "ttl": 100}).to_string();
    TestResponse::send(app.put(&service).json_body(&both))
        .await
        .assert_empty();
    let ttl = app.get_service(&service).await["_ttl"].as_i64().unwrap();
    assert!((90..=100).contains(&ttl), "{ttl}");
}

async fn an_invalid_expiration_is_rejected_and_changes_nothing(app: TestApp) {
    let service = create(&app, "60").await;
    let before = app.get_service(&service).await["_expiration_time"].clone();
    let now = Timestamp::now();
    let past = (now - SignedDuration::from_secs(1)).to_string();
    let too_far = (now + SignedDuration::from_hours(24 * 31)).to_string();
    let requests = [
        ("ttl", "0"),
        ("ttl", "-1"),
        ("ttl", "1.5"),
        ("ttl", "15e-1"),
        ("ttl", "1e400"),
        ("ttl", "soon"),
        ("ttl", "2592001"),
        ("expiration_time", past.as_str()),
        ("expiration_time", too_far.as_str()),
        ("expiration_time", "tomorrow"),
        ("expiration_time", "1795455943"),
        ("other", "60"),
    ];
    for path in [service.clone(), path_under_cs(&service)] {
        for (name, value) in requests {
            let body = json!({name: value}).to_string();
            for request in [
                app.put(&path).json_body(&body),
                app.put(&path).form_body(&format!("{name}={value}")),
                app.put(&format!("{path}?{name}={value}")),
            ] {
                let answer = TestResponse::send(request).await;
                let message = answer.error_message("InvalidParameter", 400);
                let parameter = if name == "other" { "ttl" } else { name };
                assert!(message.contains(parameter), "{message}");
            }
        }
        TestResponse::send(app.put(&path))
            .await
            .error_message("InvalidParameter", 400);
    }
    assert_eq!(app.get_service(&service).await["_expiration_time"], before);
}
