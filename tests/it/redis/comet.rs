//! Push by `CometD` over several replicas behind a load balancer without sticky sessions, to official clients,
//! unmodified.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use self::deployment::{Chat, Deployment};
use crate::support::eventually;

mod deployment;

/// The program of a client, and its arguments before the URL.
type Program = &'static [&'static str];

const JAVASCRIPT: Program = &["node", "target/cometd/node/client.mjs"];
const PYTHON: Program = &[
    "target/cometd/python/bin/python",
    ".ci/clients/aiocometd/client.py",
];

/// A client in a process of its own; killed on drop.
struct Client {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Client {
    fn start(program: Program, deployment: &Deployment, arguments: &[&str]) -> Self {
        let (name, first) = program.split_first().unwrap();
        let mut child = Command::new(name)
            .args(first)
            .arg(deployment.comet_url())
            .arg(&deployment.user)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The Python library prints the tasks that it cancels.
            .stderr(if program == PYTHON {
                Stdio::null()
            } else {
                Stdio::inherit()
            })
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let (output, sink) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                sink.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    async fn wait_for(&self, name: &str) {
        eventually(name, async || {
            let is_there = self.lines().iter().any(|line| line[name] == true);
            is_there.then_some(())
        })
        .await;
    }

    /// The first and the last position of each push.
    fn pushes(&self) -> Vec<(u64, u64)> {
        let lines = self.lines();
        let pushes = lines.iter().filter_map(|line| line.get("push"));
        let positions = pushes.map(|push| {
            let message = &push["message"];
            let last = message["transcriptPosition"].as_u64().unwrap();
            let events = message["transcriptToShow"].as_array().unwrap().len() as u64;
            (last + 1 - events, last)
        });
        positions.collect()
    }

    /// Waits until the event at `position` was pushed.
    async fn wait_for_position(&self, position: u64) {
        eventually(&format!("position {position} is pushed"), async || {
            let is_there = self.pushes().iter().any(|(_, last)| *last >= position);
            is_there.then_some(())
        })
        .await;
    }

    /// Asserts that the events after `before` were pushed once and in order.
    fn assert_exactly_once(&self, before: u64) {
        let pushes = self.pushes();
        let mut position = before;
        for (first, last) in &pushes {
            assert_eq!(*first, position + 1, "{pushes:?}");
            position = *last;
        }
    }

    /// Asserts that the events after `before` were pushed in order; batches may be repeated.
    fn assert_nothing_lost(&self, before: u64) {
        let pushes = self.pushes();
        let mut position = before;
        for (first, last) in &pushes {
            assert!(*first <= position + 1, "{pushes:?}");
            position = position.max(*last);
        }
    }

    /// Disconnects, and waits for the end of the process.
    async fn stop(mut self) {
        drop(self.child.stdin.take());
        let lines = eventually("the client disconnects", async || {
            let lines = self.lines();
            let has_reply = lines.iter().any(|line| !line["disconnected"].is_null());
            has_reply.then_some(lines)
        })
        .await;
        let is_disconnected = lines.iter().any(|line| line["disconnected"] == true);
        assert!(is_disconnected, "{lines:?}");
        let child = &mut self.child;
        let status = eventually("the client ends", async || child.try_wait().unwrap()).await;
        assert!(status.success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends `count` messages, each through the next replica that runs.
async fn send_messages(deployment: &Deployment, chat: &mut Chat, client: &Client, count: usize) {
    for index in 0..count {
        chat.send(deployment).await;
        // Some events are pushed alone, and some together.
        if index % 3 == 0 {
            client.wait_for_position(chat.position).await;
        }
    }
    client.wait_for_position(chat.position).await;
}

/// Handshake on one replica, connects on all, events on all. The replica on which a connect waits is killed, and a
/// second client of the user continues.
async fn events_reach_the_client(program: Program, transport: &str, has_ack: bool) {
    let mut deployment = Deployment::start().await;
    let arguments: &[&str] = if has_ack {
        &[transport, "ack"]
    } else {
        &[transport]
    };
    let client = Client::start(program, &deployment, arguments);
    client.wait_for("subscribed").await;
    let mut chat = Chat::start(&deployment).await;
    send_messages(&deployment, &mut chat, &client, 20).await;
    client.assert_exactly_once(0);
    if program == JAVASCRIPT {
        deployment.kill_waiting_replica().await;
        send_messages(&deployment, &mut chat, &client, 20).await;
        if has_ack {
            client.assert_exactly_once(0);
        } else {
            client.assert_nothing_lost(0);
        }
    }
    // The connect after the last batch waits, so the batch was received.
    deployment.wait_until_waiting().await;
    client.stop().await;
    let before = chat.position;
    chat.send(&deployment).await;
    let client = Client::start(program, &deployment, arguments);
    client.wait_for("subscribed").await;
    send_messages(&deployment, &mut chat, &client, 5).await;
    client.assert_exactly_once(before);
    chat.end(&deployment).await;
    client.wait_for_position(chat.position).await;
    client.assert_exactly_once(before);
    // A connect that arrives after the disconnect fails, and with it the disconnect in this client.
    deployment.wait_until_waiting().await;
    client.stop().await;
}

#[tokio::test]
async fn javascript_client_with_long_polling() {
    events_reach_the_client(JAVASCRIPT, "long-polling", false).await;
}

#[tokio::test]
async fn javascript_client_with_long_polling_and_acknowledgements() {
    events_reach_the_client(JAVASCRIPT, "long-polling", true).await;
}

#[tokio::test]
async fn javascript_client_with_a_websocket() {
    events_reach_the_client(JAVASCRIPT, "websocket", false).await;
}

#[tokio::test]
async fn javascript_client_with_a_websocket_and_acknowledgements() {
    events_reach_the_client(JAVASCRIPT, "websocket", true).await;
}

#[tokio::test]
async fn python_client_with_long_polling() {
    events_reach_the_client(PYTHON, "long-polling", false).await;
}

#[tokio::test]
async fn python_client_with_a_websocket() {
    events_reach_the_client(PYTHON, "websocket", false).await;
}
