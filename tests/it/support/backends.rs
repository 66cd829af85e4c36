//! A mock backend: it records requests and sends the responses of the test.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use percent_encoding::percent_decode_str;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time,
};

use super::{TestApp, catalog::CatalogFile, eventually, ports::free_port, random_prefix};

/// A recorded request.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl ReceivedRequest {
    /// Method and path.
    pub(crate) fn request_line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The fields of a form.
    pub(crate) fn form(&self) -> HashMap<String, String> {
        let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let fields = self.body.split('&').filter(|field| !field.is_empty());
        let fields = fields.map(|field| field.split_once('=').unwrap());
        fields
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The response of a mock backend.
#[derive(Debug, Clone)]
pub(crate) enum MockResponse {
    /// This status and JSON.
    Json(u16, String),
    /// These bytes; then the connection is closed.
    Raw(String),
    /// These bytes, after a delay.
    Delayed(Duration, String),
    /// Reads the request and never responds.
    Hang,
    /// A body of this many bytes, with an optional `Content-Length`.
    Large(u64, Option<u64>),
    /// The head of a response, then single bytes slowly.
    Trickle,
}

impl MockResponse {
    pub(crate) fn ok(json: &str) -> Self {
        Self::Json(200, json.to_owned())
    }
}

type Responder = dyn Fn(&ReceivedRequest) -> MockResponse + Send + Sync;

/// A mock backend; stops on drop.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    responder: Arc<Mutex<Arc<Responder>>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Backend {
    /// A backend that responds by `responder`.
    pub(crate) async fn new(
        responder: impl Fn(&ReceivedRequest) -> MockResponse + Send + Sync + 'static,
    ) -> Self {
        let mut backend = Self {
            // A port that no other server takes while this one is stopped.
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            requests: Arc::default(),
            responder: Arc::new(Mutex::new(Arc::new(responder))),
            task: None,
        };
        backend.start().await;
        backend
    }

    /// A backend that responds with this JSON to every request.
    pub(crate) async fn with_json(json: &'static str) -> Self {
        Self::new(|_| MockResponse::ok(json)).await
    }

    /// An Orchestration Server with the session id `S-1`; `responder` handles all requests except the start
    /// and the end of sessions.
    pub(crate) async fn new_ors(
        responder: impl Fn(&ReceivedRequest) -> MockResponse + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |request| match request.path.as_str() {
            "/scxml/session/start" => MockResponse::ok(r#"{"session":"S-1"}"#),
            path if path.ends_with("/terminate") => MockResponse::ok("{}"),
            _ => responder(request),
        })
        .await
    }

    async fn start(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (requests, responder) = (Arc::clone(&self.requests), Arc::clone(&self.responder));
        // The connections end with this task.
        self.task = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&requests), Arc::clone(&responder)));
            }
        }));
    }

    /// Replaces the responder.
    pub(crate) fn set_responder(
        &self,
        responder: impl Fn(&ReceivedRequest) -> MockResponse + Send + Sync + 'static,
    ) {
        *self.responder.lock().unwrap() = Arc::new(responder);
    }

    /// Stops the backend, as if its process was killed; its port then refuses connections.
    pub(crate) async fn stop(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        drop(task.await);
    }

    /// Restarts the backend on the same port.
    pub(crate) async fn restart(&mut self) {
        self.start().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All recorded requests.
    pub(crate) fn received_requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// Method and path of each recorded request.
    pub(crate) fn request_lines(&self) -> Vec<String> {
        self.received_requests()
            .iter()
            .map(ReceivedRequest::request_line)
            .collect()
    }

    /// The last recorded request.
    pub(crate) fn last_request(&self) -> ReceivedRequest {
        self.received_requests().pop().unwrap()
    }

    /// Waits for a request with this line and returns it.
    pub(crate) async fn wait_for_request(&self, line: &str) -> ReceivedRequest {
        eventually(line, async || {
            let mut requests = self.received_requests().into_iter();
            requests.find(|request| request.request_line() == line)
        })
        .await
    }
}

async fn serve(
    mut stream: TcpStream,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    responder: Arc<Mutex<Arc<Responder>>>,
) -> Option<()> {
    loop {
        let request = read(&mut stream).await?;
        requests.lock().unwrap().push(request.clone());
        let respond = Arc::clone(&responder.lock().unwrap());
        match respond(&request) {
            MockResponse::Json(status, json) => {
                let head = "content-type: application/json\r\ncontent-length";
                let response = format!(
                    "HTTP/1.1 {status} X\r\n{head}: {}\r\n\r\n{json}",
                    json.len()
                );
                stream.write_all(response.as_bytes()).await.ok()?;
            }
            MockResponse::Raw(response) => {
                stream.write_all(response.as_bytes()).await.ok()?;
                return None;
            }
            MockResponse::Delayed(delay, response) => {
                time::sleep(delay).await;
                stream.write_all(response.as_bytes()).await.ok()?;
            }
            MockResponse::Hang => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.ok()?;
                return None;
            }
            MockResponse::Large(bytes, content_length) => {
                let length = content_length.map(|length| format!("content-length: {length}\r\n"));
                let length = length.unwrap_or_default();
                let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                let chunk = vec![b' '; 64 * 1024];
                for _ in 0..bytes / chunk.len() as u64 {
                    stream.write_all(&chunk).await.ok()?;
                }
                return None;
            }
            MockResponse::Trickle => {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n";
                stream.write_all(head.as_bytes()).await.ok()?;
                loop {
                    stream.write_all(b" ").await.ok()?;
                    time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<ReceivedRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(ReceivedRequest {
        method,
        path,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

/// A configured service `chat` on Orchestration Servers, as TOML; appended lines are further options.
pub(crate) fn ors_service(backends: &[&str]) -> String {
    let list = backends.join(",");
    format!(
        "[services.chat]\n_type = 'ors'\n_service = 'http://docs/chat.scxml'\n_ors = '{list}'\n"
    )
}

/// A configured service `web`, as TOML; appended lines are further options.
pub(crate) fn http_service(template: &str) -> String {
    format!("[services.web]\n_type = 'http'\n_service = '{template}'\n")
}

/// A port that refuses connections.
pub(crate) fn unreachable_url() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

/// A service with the configured `services`, on a store of the same kind as `app`, with further settings.
pub(crate) async fn start_app(app: &TestApp, services: &str, others: &[(&str, &str)]) -> TestApp {
    let catalog = CatalogFile::new(services);
    // Tests that need shorter timeouts override these.
    let mut all = vec![
        ("catalog.file", catalog.path()),
        ("backend.connect_timeout_ms", "20000"),
        ("backend.response_timeout_ms", "20000"),
    ];
    all.extend_from_slice(others);
    TestApp::start(app.redis.clone(), &random_prefix(), &all).await
}
