//! The whole service on the embedded store, and a client that sends it bytes as they are.
//!
//! A target sends what the fuzzer makes up. It fails where the service panics, does not answer, answers
//! that the fault is its own, or answers in any other shape than that of its errors.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;
use switchboard::{app, settings::Settings};

/// How long an answer may take, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests after which what they left is thrown away.
const FRESH_AFTER: u32 = 500;
/// What each service has to begin with: a text, and a binary of 1,000 bytes.
const BOUNDARY: &str = "multipart/form-data; boundary=begin";

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Of the answer.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
}

/// The running service, a connection to it, and a service of its API.
pub struct Service {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    path: String,
    asked: u32,
}

impl Service {
    /// Starts it, once for the process.
    #[must_use]
    pub fn start() -> Self {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let settings = [
                    ("SWITCHBOARD__SERVER__LISTEN", "127.0.0.1:0"),
                    ("SWITCHBOARD__SERVER__WORKERS", "1"),
                ];
                let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let running = app::start(Settings::load(None, settings).unwrap())
                    .await
                    .unwrap();
                tell.send(running.address).unwrap();
                running.until(std::future::pending()).await.unwrap();
            });
        });
        Self {
            address: told.recv().unwrap(),
            connection: None,
            path: String::new(),
            asked: 0,
        }
    }

    /// The path of a service that has the text `Key1` and the binary `pic`.
    pub fn path(&mut self) -> String {
        if self.asked.is_multiple_of(FRESH_AFTER) {
            if !self.path.is_empty() {
                let path = self.path.clone();
                self.send("DELETE", &path, &[], b"");
            }
            let mut body = b"--begin\r\nContent-Disposition: form-data; name=\"Key1\"\r\n\r\nValue1\
                \r\n--begin\r\nContent-Disposition: form-data; name=\"pic\"; filename=\"p\"\r\n\r\n"
                .to_vec();
            body.extend([7; 1_000]);
            body.extend(b"\r\n--begin--\r\n");
            let head = [("Content-Type", BOUNDARY.as_bytes())];
            let made = self.send("POST", "/genesys/1/service/store", &head, &body);
            let made: Value = serde_json::from_slice(&made.body).unwrap();
            self.path = format!("/genesys/1/service/{}", made["_id"].as_str().unwrap());
        }
        self.asked += 1;
        self.path.clone()
    }

    /// Sends a body of this type to the storage of a service, and sees that it can be read when it was
    /// taken.
    pub fn write(&mut self, kind: &str, body: &[u8]) {
        let storage = format!("{}/storage", self.path());
        let answer = self.send("POST", &storage, &[("Content-Type", kind.as_bytes())], body);
        if answer.status == 200 {
            assert!(answer.body.is_empty(), "{answer:?}");
            let all = self.send("GET", &storage, &[], b"");
            assert_eq!(all.status, 200, "{all:?}");
            let all: Value = serde_json::from_slice(&all.body).unwrap();
            assert!(all.as_object().unwrap().values().all(Value::is_string));
        } else {
            refused(&answer);
        }
    }

    /// Sends a request. What stands in its line and head must not break out of them.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        head: &[(&str, &[u8])],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n").into_bytes();
        for (name, value) in head {
            request.extend(name.as_bytes());
            request.extend(b": ");
            request.extend(*value);
            request.extend(b"\r\n");
        }
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        request.extend(body);
        // The service may have closed the connection since, or close it because of this.
        for _ in 0..2 {
            if let Some(answer) = self.exchange(&request, method == "HEAD") {
                return answer;
            }
            self.connection = None;
        }
        panic!("no answer to {:?}", String::from_utf8_lossy(&request));
    }

    fn exchange(&mut self, request: &[u8], bodiless: bool) -> Option<Answer> {
        let address = self.address;
        let connection = self.connection.get_or_insert_with(|| {
            let connection = TcpStream::connect(address).unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            connection.set_nodelay(true).unwrap();
            BufReader::new(connection)
        });
        // An answer may come before all is sent.
        drop(connection.get_mut().write_all(request));
        let mut line = String::new();
        connection.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let (mut length, mut closes) = (0, false);
        loop {
            let mut header = Vec::new();
            connection.read_until(b'\n', &mut header).ok()?;
            let header = String::from_utf8_lossy(&header).to_ascii_lowercase();
            if header == "\r\n" {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            closes |= header.starts_with("connection: close");
        }
        let mut body = vec![0; if bodiless { 0 } else { length }];
        connection.read_exact(&mut body).ok()?;
        if closes {
            self.connection = None;
        }
        Some(Answer { status, body })
    }
}

/// Sees that a refusal is one, in the one shape, and no fault of the service. What the HTTP parser
/// refuses has no body.
pub fn refused(answer: &Answer) {
    assert!(answer.status >= 400, "{answer:?}");
    if answer.body.is_empty() && [400, 431].contains(&answer.status) {
        return;
    }
    let error: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(error["code"], answer.status, "{error}");
    assert_ne!(error["exception"], "Internal", "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
}

/// Runs `send` with what the fuzzer makes up, on one service.
#[macro_export]
macro_rules! target {
    ($send:expr) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            std::thread_local! {
                static SERVICE: std::cell::RefCell<$crate::Service> =
                    std::cell::RefCell::new($crate::Service::start());
            }
            let send: fn(&mut $crate::Service, &[u8]) = $send;
            SERVICE.with_borrow_mut(|service| send(service, data));
        });
    };
}
