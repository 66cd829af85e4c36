//! Contract section 8: what bodies under way may take in memory, and that it is given back.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse, disposition, eventually,
    metrics::Metrics, on_every_kind_of_store,
};

const STORE: &str = "/genesys/1/service/store";
const FORM: &str = "application/x-www-form-urlencoded";
/// A budget of 1 MiB: one request can have 768 KiB of it.
const BUDGET: &str = "1048576";
const RESPONSE_BUDGET: &str = "16777216";

on_every_kind_of_store!(
    bodies_under_way_have_a_bound_together,
    a_body_that_never_fits_is_told_apart,
    responses_that_are_not_taken_have_a_bound_together,
    downloads_that_are_not_taken_have_a_bound_together,
    all_strings_at_once_have_a_bound,
    a_large_storage_is_read_whole,
    use_and_refusals_are_metrics,
);

async fn assert_overloaded(what: &str, request: impl AsyncFn() -> RequestBuilder) {
    eventually(what, async || {
        let answer = TestResponse::send(request().await).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then(|| {
            let message = answer.error_message("Overloaded", 503);
            assert!(message.contains("memory_bytes"), "{message}");
            assert_eq!(answer.header("retry-after"), "1");
        })
    })
    .await;
}

async fn assert_served(what: &str, request: impl AsyncFn() -> RequestBuilder) {
    eventually(what, async || {
        let answer = TestResponse::send(request().await).await;
        answer.status.is_success().then_some(())
    })
    .await;
}

/// A request whose body is announced longer than what is sent of it.
fn partial_request(path: &str, kind: &str, sent: &[u8]) -> Vec<u8> {
    let length = sent.len() + 1_000;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), sent].concat()
}

/// Connections whose bodies have come in part, and hold so much memory that `probe` is refused.
async fn fill_budget(
    app: &TestApp,
    (kind, sent, count): (&str, &[u8], usize),
    path: &str,
    probe: impl AsyncFn() -> RequestBuilder,
) -> Vec<RawConnection> {
    eventually("bodies under way hold memory", async || {
        let mut wires = Vec::new();
        for _ in 0..count {
            let mut wire = RawConnection::connect(app).await;
            wire.try_send(partial_request(path, kind, sent)).await;
            wires.push(wire);
        }
        // While both arrive, each may have the other refused, or both: then it is tried again.
        let mut refused = 0;
        for _ in 0..20 {
            let answer = TestResponse::send(probe().await).await;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                refused += 1;
            } else {
                refused = 0;
            }
            if refused == 3 {
                return Some(wires);
            }
        }
        wires.into_iter().for_each(RawConnection::reset);
        None
    })
    .await
}

async fn bodies_under_way_have_a_bound_together(app: TestApp) {
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
    for under_way in [
        (FORM, format!("a={long}").into_bytes(), 1),
        ("application/json", json.into_bytes(), 1),
        (Multipart::CONTENT_TYPE, texts, 1),
        (Multipart::CONTENT_TYPE, file, 3),
    ] {
        let middle = "y".repeat(200_000);
        let form = format!("b={middle}");
        let post_form = async || app.post(&storage).form_body(&form);
        let under_way = (under_way.0, under_way.1.as_slice(), under_way.2);
        // What takes less than the others, so that they are refused where it is.
        let least = Multipart::new().text("b", &middle);
        let wires = fill_budget(&app, under_way, &storage, async || {
            app.post(&storage).multipart_body(least.clone())
        })
        .await;
        // It was taken while the others were on their way.
        let b = format!("{storage}/b");
        TestResponse::send(app.delete(&b)).await.assert_ok();
        assert_overloaded("a form is refused", post_form).await;
        let json = json!({"b": middle}).to_string();
        assert_overloaded("JSON is refused", async || app.post(STORE).json_body(&json)).await;
        // Its strings take their length once, forms and JSON twice.
        let parts = Multipart::new().text("b", &middle.repeat(2));
        assert_overloaded("a multipart body is refused", async || {
            app.post(&storage).multipart_body(parts.clone())
        })
        .await;
        // Small ones are served on, and nothing came of what was refused.
        TestResponse::send(app.post(STORE).form_body("a=1"))
            .await
            .service_id();
        let read = TestResponse::send(app.get(&storage)).await;
        assert!(read.json().get("b").is_none());
        wires.into_iter().for_each(RawConnection::reset);
        assert_served("memory is given back", post_form).await;
        TestResponse::send(app.delete(&b)).await.assert_ok();
    }
}

async fn a_body_that_never_fits_is_told_apart(app: TestApp) {
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

async fn responses_that_are_not_taken_have_a_bound_together(app: TestApp) {
    let app = app
        .start_sibling(&[
            ("limits.response_memory_bytes", "16777216"),
            ("limits.string_bytes", "20000000"),
            ("limits.form_bytes", "20000000"),
        ])
        .await;
    // More than the system buffers for a connection.
    let service = app.create(&format!("a={}", "x".repeat(10_000_000))).await;
    for path in [format!("{service}/storage"), format!("{service}/storage/a")] {
        let mut wire = RawConnection::connect_with_small_buffer(&app).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(wire.read_head().await.status, StatusCode::OK);
        assert_overloaded("all strings are refused", async || {
            app.get(&format!("{service}/storage"))
        })
        .await;
        assert_overloaded("one string is refused", async || {
            app.get(&format!("{service}/storage/a"))
        })
        .await;
        TestResponse::send(app.post(STORE).form_body("a=1"))
            .await
            .service_id();
        wire.reset();
        assert_served("memory is given back", async || app.get(&path)).await;
    }
}

async fn downloads_that_are_not_taken_have_a_bound_together(app: TestApp) {
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
    assert_overloaded("a fourth is refused", async || app.get(&binary)).await;
    wires.into_iter().for_each(RawConnection::reset);
    assert_served("memory is given back", async || app.get(&binary)).await;
}

async fn all_strings_at_once_have_a_bound(app: TestApp) {
    let app = app
        .start_sibling(&[("limits.response_memory_bytes", BUDGET)])
        .await;
    let service = app.create(&format!("a={}", "x".repeat(500_000))).await;
    let storage = format!("{service}/storage");
    let more = format!("b={}", "y".repeat(500_000));
    TestResponse::send(app.post(&storage).form_body(&more))
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

async fn a_large_storage_is_read_whole(app: TestApp) {
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
        let answer = TestResponse::send(app.get(&storage)).await;
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string()
        );
        assert_eq!(answer.json(), expected);
    }
}

/// The metrics of both budgets.
async fn assert_use(app: &TestApp, request: bool, response: bool, refusals: (u32, u32)) {
    eventually(
        &format!("{request}, {response}, {refusals:?}"),
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
            let refused = ["request", "response"].map(|budget| {
                let sample = format!("memory_refusals_total{{budget=\"{budget}\"}}");
                assert!(metrics.has(&sample), "{}", metrics.text);
                metrics.value(&sample).to_string()
            });
            let expected = [refusals.0, refusals.1].map(|count| count.to_string());
            (used == [request, response] && refused == expected).then_some(())
        },
    )
    .await;
}

async fn use_and_refusals_are_metrics(app: TestApp) {
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
    // A body that never fits is the fault of the request.
    let form = format!("b={}", "x".repeat(900_000));
    TestResponse::send(app.post(&storage).form_body(&form))
        .await
        .error_message("TooLarge", 413);
    assert_use(&app, false, false, (0, 0)).await;

    let texts = Multipart::new().text("b", &"x".repeat(600_000));
    let mut under_way = RawConnection::connect(&app).await;
    let texts = partial_request(&storage, Multipart::CONTENT_TYPE, &texts.unfinished());
    under_way.send(texts).await;
    assert_use(&app, true, false, (0, 0)).await;
    for refused in 1..3 {
        let form = format!("b={}", "x".repeat(400_000));
        TestResponse::send(app.post(&storage).form_body(&form))
            .await
            .error_message("Overloaded", 503);
        assert_use(&app, true, false, (refused, 0)).await;
    }
    let mut untaken = RawConnection::connect_with_small_buffer(&app).await;
    untaken
        .send(format!("GET {storage} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(untaken.read_head().await.status, StatusCode::OK);
    assert_use(&app, true, true, (2, 0)).await;
    TestResponse::send(app.get(&storage))
        .await
        .error_message("Overloaded", 503);
    assert_use(&app, true, true, (2, 1)).await;

    under_way.reset();
    assert_use(&app, false, true, (2, 1)).await;
    untaken.reset();
    assert_use(&app, false, false, (2, 1)).await;
}
