//! Which backend is asked, and which is not any more.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{
    Answer, Bodies, TestApp,
    backends::{Backend, Way, dead, ors, serving},
    eventually, on_every_kind_of_store,
};

on_every_kind_of_store!(
    new_sessions_go_to_each_backend_in_its_turn,
    linear_takes_the_first_that_can_be_reached,
    a_session_stays_with_its_backend,
    no_more_backends_are_tried_than_allowed,
    what_may_have_reached_one_goes_to_no_other,
    a_backend_that_does_not_answer_is_left_alone_and_tried_again,
    requests_beyond_the_connections_of_a_backend_wait_for_one,
);

async fn create(app: &TestApp) -> Answer {
    Answer::of(app.post("/genesys/1/service/chat").form_body("a=1")).await
}

fn starts(backend: &Backend) -> usize {
    let lines = backend.lines();
    let starts = lines.iter().filter(|line| line.ends_with("/session/start"));
    starts.count()
}

async fn new_sessions_go_to_each_backend_in_its_turn(app: TestApp) {
    let one = Backend::ors(|_| Way::ok("{}")).await;
    let other = Backend::ors(|_| Way::ok("{}")).await;
    let list = [&*one.url(), &*dead().await, &*other.url()];
    let app = serving(&app, &ors(&list), &[]).await;
    for _ in 0..6 {
        create(&app).await.service();
    }
    // The turns of the dead one fall to the one behind it.
    assert_eq!((starts(&one), starts(&other)), (2, 4));
}

async fn linear_takes_the_first_that_can_be_reached(app: TestApp) {
    let mut one = Backend::ors(|_| Way::ok("{}")).await;
    let other = Backend::ors(|_| Way::ok("{}")).await;
    let services = ors(&[&one.url(), &other.url()]) + "_ors_lb_strategy = 'linear'\n";
    let app = serving(&app, &services, &[]).await;
    for _ in 0..3 {
        create(&app).await.service();
    }
    assert_eq!((starts(&one), starts(&other)), (3, 0));
    one.stop().await;
    create(&app).await.service();
    assert_eq!((starts(&one), starts(&other)), (3, 1));
}

async fn a_session_stays_with_its_backend(app: TestApp) {
    let mut one = Backend::ors(|_| Way::ok("1")).await;
    let other = Backend::ors(|_| Way::ok("2")).await;
    one.answers(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => Way::ok("\"S-1\""),
        path if path.ends_with("gms.start") => Way::ok("{}"),
        _ => Way::ok("1"),
    });
    let app = serving(&app, &ors(&[&one.url(), &other.url()]), &[]).await;
    let service = create(&app).await.service();
    for _ in 0..4 {
        let answer = Answer::of(app.post(&format!("{service}/x"))).await;
        assert_eq!(answer.text(), "1");
    }
    one.stop().await;
    let answer = Answer::of(app.post(&format!("{service}/x"))).await;
    let message = answer.message_of("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: cannot connect to ORS");
    assert_eq!(other.arrived().len(), 0);
    one.restart().await;
    let answer = Answer::of(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "1");
}

async fn no_more_backends_are_tried_than_allowed(app: TestApp) {
    let third = Backend::ors(|_| Way::ok("{}")).await;
    let list = [&*dead().await, &*dead().await, &*third.url()];
    let services = ors(&list) + "_ors_lb_strategy = 'linear'\n";
    let two = serving(&app, &services, &[("backend.max_attempts", "2")]).await;
    let message = create(&two).await.message_of("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: cannot connect to ORS");
    let three = serving(&app, &services, &[("backend.max_attempts", "3")]).await;
    create(&three).await.service();
}

async fn what_may_have_reached_one_goes_to_no_other(app: TestApp) {
    let one = Backend::new(|_| Way::Raw(String::new())).await;
    let other = Backend::ors(|_| Way::ok("{}")).await;
    let services = ors(&[&one.url(), &other.url()]) + "_ors_lb_strategy = 'linear'\n";
    let app = serving(&app, &services, &[]).await;
    create(&app).await.message_of("BackendUnreachable", 502);
    assert_eq!((one.arrived().len(), other.arrived().len()), (1, 0));
}

async fn a_backend_that_does_not_answer_is_left_alone_and_tried_again(app: TestApp) {
    let backend = Backend::new(|_| Way::Never).await;
    let app = serving(
        &app,
        &ors(&[&backend.url()]),
        &[
            ("backend.answer_timeout_ms", "100"),
            ("backend.circuit_failures", "3"),
            ("backend.circuit_seconds", "2"),
        ],
    )
    .await;
    for _ in 0..3 {
        create(&app).await.message_of("BackendTimeout", 504);
    }
    // From here on it is not asked, but for one request each time two seconds are over.
    let asked = backend.arrived().len();
    let refused = create(&app).await.message_of("BackendUnreachable", 502);
    assert_eq!(refused, "ORS request failed: cannot connect to ORS");
    assert_eq!(backend.arrived().len(), asked);
    eventually("it is tried again", async || {
        join_all((0..4).map(|_| create(&app))).await;
        (backend.arrived().len() > asked).then_some(())
    })
    .await;
    assert!(
        backend.arrived().len() - asked < 4,
        "all of them went there"
    );
    backend.answers(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => Way::ok("\"S-1\""),
        _ => Way::ok("{}"),
    });
    eventually("it is asked as before", async || {
        let answer = create(&app).await;
        (answer.status == 200).then_some(())
    })
    .await;
    create(&app).await.service();
}

async fn requests_beyond_the_connections_of_a_backend_wait_for_one(app: TestApp) {
    let slow = |_: &_| {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
        Way::Late(Duration::from_millis(50), answer)
    };
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let limits = [("backend.connections", "1")];
    let app = serving(&app, &ors(&[&backend.url()]), &limits).await;
    let service = create(&app).await.service();
    backend.answers(slow);
    let path = format!("{service}/x");
    let ask = || Answer::of(app.post(&path));
    for answer in join_all((0..5).map(|_| ask())).await {
        assert_eq!(answer.text(), "{}");
    }
    // One that holds the only connection keeps the next one out.
    backend.answers(|_| Way::Never);
    let limits = [limits[0], ("backend.connect_timeout_ms", "500")];
    let app = serving(&app, &ors(&[&backend.url()]), &limits).await;
    backend.answers(|arrived| match arrived.path.as_str() {
        path if path.ends_with("start") => Way::ok("{\"session\":\"S-1\"}"),
        _ => Way::Never,
    });
    let service = create(&app).await.service();
    let holds = tokio::spawn(app.post(&format!("{service}/hold")).send());
    backend.awaits("POST /scxml/session/S-1/request/hold").await;
    let answer = Answer::of(app.post(&format!("{service}/other"))).await;
    answer.message_of("BackendUnreachable", 502);
    assert!(!backend.lines().iter().any(|line| line.ends_with("other")));
    holds.abort();
}
