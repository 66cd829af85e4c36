//! A backend of a test's own: it takes down what it is sent, and answers as the test says, well or badly.

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

use super::{TestApp, catalog::CatalogFile, eventually, random_prefix};

/// One request, as it arrived.
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

    /// The pairs of a form.
    pub(crate) fn form(&self) -> HashMap<String, String> {
        let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let pairs = self.body.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap());
        pairs
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// How a backend answers.
#[derive(Debug, Clone)]
pub(crate) enum MockResponse {
    /// With this status and JSON.
    Json(u16, String),
    /// With these bytes, and then it closes the connection.
    Raw(String),
    /// With these bytes, some time later.
    Delayed(Duration, String),
    /// It reads and says nothing.
    Hang,
    /// It announces this many bytes, or as many as will be taken, and sends them.
    Large(u64, Option<u64>),
    /// It sends the head of an answer, and then a byte now and then.
    Trickle,
}

impl MockResponse {
    pub(crate) fn ok(json: &str) -> Self {
        Self::Json(200, json.to_owned())
    }
}

type Responder = dyn Fn(&ReceivedRequest) -> MockResponse + Send + Sync;

/// Dropped, it is gone.
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
    /// One that answers everything by `answers`.
    pub(crate) async fn new(
        answers: impl Fn(&ReceivedRequest) -> MockResponse + Send + Sync + 'static,
    ) -> Self {
        let mut backend = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            requests: Arc::default(),
            responder: Arc::new(Mutex::new(Arc::new(answers))),
            task: None,
        };
        backend.start().await;
        backend
    }

    /// One that answers everything with this JSON.
    pub(crate) async fn with_json(json: &'static str) -> Self {
        Self::new(|_| MockResponse::ok(json)).await
    }

    /// An Orchestration Server: its sessions are called `S-1`, and `answers` is asked about everything
    /// but their start and end.
    pub(crate) async fn new_ors(
        answers: impl Fn(&ReceivedRequest) -> MockResponse + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |arrived| match arrived.path.as_str() {
            "/scxml/session/start" => MockResponse::ok(r#"{"session":"S-1"}"#),
            path if path.ends_with("/terminate") => MockResponse::ok("{}"),
            _ => answers(arrived),
        })
        .await
    }

    async fn start(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (arrived, way) = (Arc::clone(&self.requests), Arc::clone(&self.responder));
        // Its connections go with it.
        self.task = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&arrived), Arc::clone(&way)));
            }
        }));
    }

    /// From now on it answers by these.
    pub(crate) fn set_responder(
        &self,
        answers: impl Fn(&ReceivedRequest) -> MockResponse + Send + Sync + 'static,
    ) {
        *self.responder.lock().unwrap() = Arc::new(answers);
    }

    /// Ends it, as a process ends that is killed; its port refuses connections then.
    pub(crate) async fn stop(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        drop(task.await);
    }

    /// Has it listen again, on the same port.
    pub(crate) async fn restart(&mut self) {
        self.start().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived so far.
    pub(crate) fn received_requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// Method and path of each.
    pub(crate) fn request_lines(&self) -> Vec<String> {
        self.received_requests()
            .iter()
            .map(ReceivedRequest::request_line)
            .collect()
    }

    /// The last request to arrive.
    pub(crate) fn last_request(&self) -> ReceivedRequest {
        self.received_requests().pop().unwrap()
    }

    /// Waits until a request of this line has arrived, and gives it.
    pub(crate) async fn wait_for_request(&self, line: &str) -> ReceivedRequest {
        eventually(line, async || {
            let mut arrived = self.received_requests().into_iter();
            arrived.find(|arrived| arrived.request_line() == line)
        })
        .await
    }
}

async fn serve(
    mut stream: TcpStream,
    arrived: Arc<Mutex<Vec<ReceivedRequest>>>,
    way: Arc<Mutex<Arc<Responder>>>,
) -> Option<()> {
    loop {
        let request = read(&mut stream).await?;
        arrived.lock().unwrap().push(request.clone());
        let answers = Arc::clone(&way.lock().unwrap());
        match answers(&request) {
            MockResponse::Json(status, json) => {
                let head = "content-type: application/json\r\ncontent-length";
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{head}: {}\r\n\r\n{json}",
                    json.len()
                );
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            MockResponse::Raw(answer) => {
                stream.write_all(answer.as_bytes()).await.ok()?;
                return None;
            }
            MockResponse::Delayed(wait, answer) => {
                time::sleep(wait).await;
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            MockResponse::Hang => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.ok()?;
                return None;
            }
            MockResponse::Large(bytes, announced) => {
                let length = announced.map(|length| format!("content-length: {length}\r\n"));
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

/// A configured service `chat` on Orchestration Servers, as TOML; lines that follow add options.
pub(crate) fn ors_service(backends: &[&str]) -> String {
    let list = backends.join(",");
    format!(
        "[services.chat]\n_type = 'ors'\n_service = 'http://docs/chat.scxml'\n_ors = '{list}'\n"
    )
}

/// A configured service `web`, as TOML; lines that follow add options.
pub(crate) fn http_service(template: &str) -> String {
    format!("[services.web]\n_type = 'http'\n_service = '{template}'\n")
}

/// A port that refuses connections.
pub(crate) async fn unreachable_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A service beside `app`, on a store of the same kind, that serves `services`, with settings beside.
pub(crate) async fn start_app(app: &TestApp, services: &str, others: &[(&str, &str)]) -> TestApp {
    let catalogue = CatalogFile::new(services);
    // Whoever needs shorter ones sets them.
    let mut all = vec![
        ("catalog.file", catalogue.path()),
        ("backend.connect_timeout_ms", "20000"),
        ("backend.response_timeout_ms", "20000"),
    ];
    all.extend_from_slice(others);
    TestApp::start(app.redis.clone(), &random_prefix(), &all).await
}
