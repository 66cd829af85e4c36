//! The receivers of `docs/webhooks.md`, which verify signatures by published libraries of two other languages.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::fixture::{
    ENDPOINT, OTHER_SECRET, SECRET, create_webhook, send_test_event, start, wait_for_deliveries,
    wait_for_failure,
};
use crate::support::{TestApp, eventually, on_redis_only, ports::free_port};

on_redis_only!(
    a_receiver_in_javascript_verifies_events,
    a_receiver_in_python_verifies_events,
);

const JAVASCRIPT: [&str; 2] = ["node", "target/webhooks/node/receiver.mjs"];
const PYTHON: [&str; 2] = [
    "target/webhooks/python/bin/python",
    ".ci/clients/webhooks/receiver.py",
];

/// A receiver in a process of its own; killed on drop.
struct Receiver {
    child: Child,
    url: String,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    async fn start([program, source]: [&str; 2]) -> Self {
        let arguments = ["webhooks", "webhooks", "webhooks"];
        let installed = Command::new(".ci/clients/install").args(arguments).status();
        assert!(
            installed.unwrap().success(),
            "the libraries are not installed"
        );
        let port = free_port();
        let mut child = Command::new(program)
            .arg(source)
            .env("WEBHOOK_SECRET", SECRET)
            .env("PORT", port.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let (output, sink) = (child.stdout.take().unwrap(), Arc::clone(&events));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                sink.lock()
                    .unwrap()
                    .push(serde_json::from_str(&line).unwrap());
            }
        });
        let receiver = Self {
            child,
            url: format!("http://127.0.0.1:{port}/"),
            events,
        };
        let connect = async || TcpStream::connect(("127.0.0.1", port)).await.ok();
        eventually("the receiver listens", connect).await;
        receiver
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn a_receiver_in_javascript_verifies_events(app: TestApp) {
    verifies_events(app, JAVASCRIPT).await;
}

async fn a_receiver_in_python_verifies_events(app: TestApp) {
    verifies_events(app, PYTHON).await;
}

async fn verifies_events(app: TestApp, program: [&str; 2]) {
    let receiver = Receiver::start(program).await;
    let app = start(&app, &[]).await;
    let secrets = json!({"_webhook_secret": format!("{OTHER_SECRET} {SECRET}")});
    create_webhook(&app, &receiver.url, &secrets).await;
    let id = send_test_event(&app, ENDPOINT).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    let event = eventually("the receiver prints the event", async || {
        receiver.events.lock().unwrap().pop()
    })
    .await;
    assert_eq!(event["id"], id);
    assert_eq!(event["type"], "webhook.test");
    // With another secret the receiver rejects them.
    let other = start(&app, &[]).await;
    create_webhook(
        &other,
        &receiver.url,
        &json!({"_webhook_secret": OTHER_SECRET}),
    )
    .await;
    send_test_event(&other, ENDPOINT).await;
    assert_eq!(wait_for_failure(&other, ENDPOINT).await, "response 400");
    assert!(receiver.events.lock().unwrap().is_empty());
}

#[test]
fn the_documentation_contains_these_receivers() {
    let page = fs::read_to_string("docs/webhooks.md").unwrap();
    for source in ["receiver.mjs", "receiver.py"] {
        let text = fs::read_to_string(format!(".ci/clients/webhooks/{source}")).unwrap();
        assert!(page.contains(&text), "{source}");
    }
}
