//! The whole service on the embedded store, and a client that sends raw bytes.
//!
//! A target sends the input of the fuzzer. It fails if the service panics, does not respond, responds with
//! an internal error, or responds with an error in another format.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;
use switchboard::{app, settings::Settings};

/// Timeout of a response, on a busy machine.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);
/// Number of requests after which the service is replaced by a new one.
const REQUESTS_PER_SERVICE: u32 = 500;
/// The content type of the initial data: a text, and a binary of 1,000 bytes.
const BOUNDARY: &str = "multipart/form-data; boundary=begin";

/// A complete response.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The running service, a connection to it, and a service of its API.
pub struct Service {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    path: String,
    requests: u32,
}

impl Service {
    /// Starts the service, once per process.
    #[must_use]
    pub fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
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
                sender.send(running.address).unwrap();
                running.run_until(std::future::pending()).await.unwrap();
            });
        });
        Self {
            address: receiver.recv().unwrap(),
            connection: None,
            path: String::new(),
            requests: 0,
        }
    }

    /// The path of a service with the text `Key1` and the binary `pic`.
    pub fn path(&mut self) -> String {
        if self.requests.is_multiple_of(REQUESTS_PER_SERVICE) {
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
            let created = self.send("POST", "/genesys/1/service/store", &head, &body);
            let created: Value = serde_json::from_slice(&created.body).unwrap();
            self.path = format!("/genesys/1/service/{}", created["_id"].as_str().unwrap());
        }
        self.requests += 1;
        self.path.clone()
    }

    /// Sends a body of this type to the storage of a service, and checks that the storage can be read if
    /// the body was accepted.
    pub fn write(&mut self, kind: &str, body: &[u8]) {
        let storage = format!("{}/storage", self.path());
        let response = self.send("POST", &storage, &[("Content-Type", kind.as_bytes())], body);
        if response.status == 200 {
            assert!(response.body.is_empty(), "{response:?}");
            let all = self.send("GET", &storage, &[], b"");
            assert_eq!(all.status, 200, "{all:?}");
            let all: Value = serde_json::from_slice(&all.body).unwrap();
            assert!(all.as_object().unwrap().values().all(Value::is_string));
        } else {
            assert_error(&response);
        }
    }

    /// Sends a request. Method, path and header values must not contain line breaks.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        head: &[(&str, &[u8])],
        body: &[u8],
    ) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n").into_bytes();
        for (name, value) in head {
            request.extend(name.as_bytes());
            request.extend(b": ");
            request.extend(*value);
            request.extend(b"\r\n");
        }
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        request.extend(body);
        // The service may have closed an idle connection, or close it because of this request.
        for _ in 0..2 {
            if let Some(response) = self.exchange(&request, method == "HEAD") {
                return response;
            }
            self.connection = None;
        }
        panic!("no response to {:?}", String::from_utf8_lossy(&request));
    }

    fn exchange(&mut self, request: &[u8], is_bodiless: bool) -> Option<Response> {
        let address = self.address;
        let connection = self.connection.get_or_insert_with(|| {
            let connection = TcpStream::connect(address).unwrap();
            connection.set_read_timeout(Some(RESPONSE_TIMEOUT)).unwrap();
            connection.set_nodelay(true).unwrap();
            BufReader::new(connection)
        });
        // The response may arrive before the whole request is sent.
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
        let mut body = vec![0; if is_bodiless { 0 } else { length }];
        connection.read_exact(&mut body).ok()?;
        if closes {
            self.connection = None;
        }
        Some(Response { status, body })
    }
}

/// Asserts that an error has the format of the API and is not an internal error. Requests that the HTTP parser
/// refuses may have a response without a body.
pub fn assert_error(response: &Response) {
    assert!(response.status >= 400, "{response:?}");
    if response.body.is_empty() && [400, 431].contains(&response.status) {
        return;
    }
    let error: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(error["code"], response.status, "{error}");
    assert_ne!(error["exception"], "Internal", "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
}

/// Runs `send` with the input of the fuzzer, on one service.
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
