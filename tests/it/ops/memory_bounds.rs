//! Contract section 8: the memory limits of request and response bodies, and the release of the memory.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse, disposition, eventually,
    metrics::Metrics, on_every_kind_of_store,
};

const STORE: &str = "/genesys/1/service/store";
const FORM: &str = "application/x-www-form-urlencoded";
/// A budget of 1 MiB; one request can use 768 KiB of it.
const BUDGET: &str = "1048576";
const RESPONSE_BUDGET: &str = "16777216";

on_every_kind_of_store!(
    incoming_bodies_share_a_memory_budget,
    body_larger_than_budget_is_413,
    unread_responses_share_a_memory_budget,
    unread_downloads_share_a_memory_budget,
    reading_all_strings_is_limited_by_budget,
    large_storage_is_read_completely,
    memory_use_and_rejections_are_exported,
);

async fn assert_overloaded(condition: &str, request: impl AsyncFn() -> RequestBuilder) {
    eventually(condition, async || {
        let response = TestResponse::send(request().await).await;
        (response.status == StatusCode::SERVICE_UNAVAILABLE).then(|| {
            let message = response.error_message("Overloaded", 503);
            assert!(message.contains("memory_bytes"), "{message}");
            assert_eq!(response.header("retry-after"), "1");
        })
    })
    .await;
}

async fn assert_served(condition: &str, request: impl AsyncFn() -> RequestBuilder) {
    eventually(condition, async || {
        let response = TestResponse::send(request().await).await;
        response.status.is_success().then_some(())
    })
    .await;
}

/// A request with a `Content-Length` larger than the sent body.
fn partial_request(path: &str, kind: &str, sent: &[u8]) -> Vec<u8> {
    let length = sent.len() + 1_000;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), sent].concat()
}

/// Opens connections with incomplete bodies that use so much memory that `probe` is rejected.
async fn fill_budget(
    app: &TestApp,
    (kind, sent, count): (&str, &[u8], usize),
    path: &str,
    probe: impl AsyncFn() -> RequestBuilder,
) -> Vec<RawConnection> {
    eventually("incomplete bodies use the budget", async || {
        let mut wires = Vec::new();
        for _ in 0..count {
            let mut wire = RawConnection::connect(app).await;
            wire.try_send(partial_request(path, kind, sent)).await;
            wires.push(wire);
        }
        // Concurrent arrivals may cause rejection of either or both: then all are sent again.
        let mut rejections = 0;
        for _ in 0..20 {
            let response = TestResponse::send(probe().await).await;
            if response.status == StatusCode::SERVICE_UNAVAILABLE {
                rejections += 1;
            } else {
                rejections = 0;
            }
            if rejections == 3 {
                return Some(wires);
            }
        }
        wires.into_iter().for_each(RawConnection::reset);
        None
    })
    .await
}

async fn incoming_bodies_share_a_memory_budget(app: TestApp) {
    let app = app
        .start_sibling(&[("limits.request_memory_bytes", BUDGET)])
        .await;
    let service = app.create("a=1").await;
    let storage = format!("{service}/storage");
    let long = "x".repeat(600_000);
    let file = format!("{}; filename=\"f\"", disposition("f"));
    let file = Multipart::new().part(&file, &vec![7; 250_000]).unfinished();
    let texts = Multipart::new().text("a", &long).unfinished();
    let json = format!("{{\"a\":\"{long}");
    for body in [
        (FORM, format!("a={long}").into_bytes(), 1),
        ("application/json", json.into_bytes(), 1),
        (Multipart::CONTENT_TYPE, texts, 1),
        (Multipart::CONTENT_TYPE, file, 3),
    ] {
        let middle = "y".repeat(200_000);
        let form = format!("b={middle}");
        let post_form = async || app.post(&storage).form_body(&form);
        let body = (body.0, body.1.as_slice(), body.2);
        // The probe uses less memory than the other requests, so that they are rejected if it is.
        let smallest = Multipart::new().text("b", &middle);
        let wires = fill_budget(&app, body, &storage, async || {
            app.post(&storage).multipart_body(smallest.clone())
        })
        .await;
        // The probe was accepted before the bodies arrived.
        let b = format!("{storage}/b");
        TestResponse::send(app.delete(&b)).await.assert_ok();
        assert_overloaded("a form is rejected", post_form).await;
        let json = json!({"b": middle}).to_string();
        assert_overloaded("JSON is rejected", async || {
            app.post(STORE).json_body(&json)
        })
        .await;
        // Its strings use their length once, those of forms and JSON twice.
        let parts = Multipart::new().text("b", &middle.repeat(2));
        assert_overloaded("a multipart body is rejected", async || {
            app.post(&storage).multipart_body(parts.clone())
        })
        .await;
        // Small requests are still served, and rejected requests had no effect.
        TestResponse::send(app.post(STORE).form_body("a=1"))
            .await
            .service_id();
        let read = TestResponse::send(app.get(&storage)).await;
        assert!(read.json().get("b").is_none());
        wires.into_iter().for_each(RawConnection::reset);
        assert_served("memory is released", post_form).await;
        TestResponse::send(app.delete(&b)).await.assert_ok();
    }
}

async fn body_larger_than_budget_is_413(app: TestApp) {
    let app = app
        .start_sibling(&[("limits.request_memory_bytes", BUDGET)])
        .await;
    let request = app
        .post(STORE)
        .form_body(&format!("a={}", "x".repeat(500_000)));
    let message = TestResponse::send(request)
        .await
        .error_message("TooLarge", 413);
    assert!(message.contains("limits.request_memory_bytes"), "{message}");
}

async fn unread_responses_share_a_memory_budget(app: TestApp) {
    let app = app
        .start_sibling(&[
            ("limits.response_memory_bytes", "16777216"),
            ("limits.string_bytes", "20000000"),
            ("limits.form_bytes", "20000000"),
        ])
        .await;
    // Larger than the socket buffers.
    let service = app.create(&format!("a={}", "x".repeat(10_000_000))).await;
    for path in [format!("{service}/storage"), format!("{service}/storage/a")] {
        let mut wire = RawConnection::connect_with_small_buffer(&app).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(wire.read_head().await.status, StatusCode::OK);
        assert_overloaded("reading all strings is rejected", async || {
            app.get(&format!("{service}/storage"))
        })
        .await;
        assert_overloaded("reading one string is rejected", async || {
            app.get(&format!("{service}/storage/a"))
        })
        .await;
        TestResponse::send(app.post(STORE).form_body("a=1"))
            .await
            .service_id();
        wire.reset();
        assert_served("memory is released", async || app.get(&path)).await;
    }
}

async fn unread_downloads_share_a_memory_budget(app: TestApp) {
    let app = app
        .start_sibling(&[("limits.response_memory_bytes", BUDGET)])
        .await;
    let file = Multipart::new().file("pic", "p", "a/b", &vec![7; 16_000_000]);
    let service = TestResponse::send(app.post(STORE).multipart_body(file))
        .await
        .service_id();
    let binary = format!("{service}/storage/binary/pic");
    let mut wires = Vec::new();
    for _ in 0..3 {
        let mut wire = RawConnection::connect_with_small_buffer(&app).await;
        wire.send(format!("GET {binary} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(wire.read_head().await.status, StatusCode::OK);
        wires.push(wire);
    }
    assert_overloaded("a fourth download is rejected", async || app.get(&binary)).await;
    wires.into_iter().for_each(RawConnection::reset);
    assert_served("memory is released", async || app.get(&binary)).await;
}

async fn reading_all_strings_is_limited_by_budget(app: TestApp) {
    let app = app
        .start_sibling(&[("limits.response_memory_bytes", BUDGET)])
        .await;
    let service = app.create(&format!("a={}", "x".repeat(500_000))).await;
    let storage = format!("{service}/storage");
    let form = format!("b={}", "y".repeat(500_000));
    TestResponse::send(app.post(&storage).form_body(&form))
        .await
        .assert_empty();
    let message = TestResponse::send(app.get(&storage))
        .await
        .error_message("TooLarge", 413);
    assert!(
        message.contains("limits.response_memory_bytes"),
        "{message}"
    );
    let one = TestResponse::send(app.get(&format!("{storage}/b"))).await;
    assert_eq!(one.json()["b"].as_str().unwrap().len(), 500_000);
}

async fn large_storage_is_read_completely(app: TestApp) {
    let service = app.create("small=\"\\\u{1}\u{e9}").await;
    let storage = format!("{service}/storage");
    let mut expected = json!({"small": "\"\\\u{1}\u{e9}"});
    for number in 0..5 {
        let (name, value) = (
            format!("key{number}"),
            format!("{number}\"\n").repeat(300_000),
        );
        let body = json!({&name: value}).to_string();
        TestResponse::send(app.post(&storage).json_body(&body))
            .await
            .assert_empty();
        expected[name] = json!(value);
        let response = TestResponse::send(app.get(&storage)).await;
        assert_eq!(
            response.header("content-length"),
            response.body.len().to_string()
        );
        assert_eq!(response.json(), expected);
    }
}

/// Waits until the metrics of both budgets have these values.
async fn assert_use(app: &TestApp, request: bool, response: bool, rejections: (u32, u32)) {
    eventually(
        &format!("{request}, {response}, {rejections:?}"),
        async || {
            let metrics = Metrics::scrape(app.address).await;
            for (budget, limit) in [("request", BUDGET), ("response", RESPONSE_BUDGET)] {
                let sample = format!("switchboard_{budget}_memory_limit_bytes {limit}");
                assert!(
                    metrics.text.lines().any(|line| line == sample),
                    "{}",
                    metrics.text
                );
            }
            let used = ["request_memory_bytes", "response_memory_bytes"];
            assert!(used.iter().all(|name| metrics.has(name)));
            let used = used.map(|name| metrics.value(name) >= 500_000.0);
            let rejected = ["request", "response"].map(|budget| {
                let sample = format!("memory_refusals_total{{budget=\"{budget}\"}}");
                assert!(metrics.has(&sample), "{}", metrics.text);
                metrics.value(&sample).to_string()
            });
            let expected = [rejections.0, rejections.1].map(|count| count.to_string());
            (used == [request, response] && rejected == expected).then_some(())
        },
    )
    .await;
}

async fn memory_use_and_rejections_are_exported(app: TestApp) {
    let app = app
        .start_sibling(&[
            ("limits.request_memory_bytes", BUDGET),
            ("limits.response_memory_bytes", RESPONSE_BUDGET),
        ])
        .await;
    let service = app.create("a=1").await;
    let storage = format!("{service}/storage");
    for key in 0..10 {
        let string = Multipart::new().text(&format!("k{key}"), &"x".repeat(700_000));
        TestResponse::send(app.post(&storage).multipart_body(string))
            .await
            .assert_empty();
    }
    assert_use(&app, false, false, (0, 0)).await;
    // A body larger than the budget is an error of the request, not a rejection.
    let form = format!("b={}", "x".repeat(900_000));
    TestResponse::send(app.post(&storage).form_body(&form))
        .await
        .error_message("TooLarge", 413);
    assert_use(&app, false, false, (0, 0)).await;

    let texts = Multipart::new().text("b", &"x".repeat(600_000));
    let mut incomplete = RawConnection::connect(&app).await;
    let texts = partial_request(&storage, Multipart::CONTENT_TYPE, &texts.unfinished());
    incomplete.send(texts).await;
    assert_use(&app, true, false, (0, 0)).await;
    for rejected in 1..3 {
        let form = format!("b={}", "x".repeat(400_000));
        TestResponse::send(app.post(&storage).form_body(&form))
            .await
            .error_message("Overloaded", 503);
        assert_use(&app, true, false, (rejected, 0)).await;
    }
    let mut unread = RawConnection::connect_with_small_buffer(&app).await;
    unread
        .send(format!("GET {storage} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(unread.read_head().await.status, StatusCode::OK);
    assert_use(&app, true, true, (2, 0)).await;
    TestResponse::send(app.get(&storage))
        .await
        .error_message("Overloaded", 503);
    assert_use(&app, true, true, (2, 1)).await;

    incomplete.reset();
    assert_use(&app, false, true, (2, 1)).await;
    unread.reset();
    assert_use(&app, false, false, (2, 1)).await;
}
