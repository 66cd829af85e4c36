//! A trace collector: it accepts OTLP over HTTP and records the spans.

use std::{
    collections::HashMap,
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::eventually;

/// A trace collector; stops on drop.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<ExportRequest>>>,
    task: JoinHandle<()>,
}

/// The head of a request and its message.
type ExportRequest = (String, ExportTraceServiceRequest);

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    pub(crate) async fn new() -> Self {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// A collector on this address.
    pub(crate) async fn bind(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let requests = Arc::default();
        Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::clone(&requests),
            task: tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&requests)));
                }
            }),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All received requests, encoded again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let requests = self.requests.lock().unwrap();
        let messages = requests.iter().map(|(_, message)| message);
        messages.flat_map(Message::encode_to_vec).collect()
    }

    /// The heads of all received requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(head, _)| head.clone()).collect()
    }

    /// The resource attributes of the service.
    pub(crate) fn resource(&self) -> HashMap<String, String> {
        let requests = self.requests.lock().unwrap();
        let first = requests[0].1.resource_spans[0].resource.clone().unwrap();
        string_attributes(&first.attributes)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let resources = requests
            .iter()
            .flat_map(|(_, message)| &message.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Waits for this number of spans.
    pub(crate) async fn wait_for_spans(&self, count: usize) -> Vec<Span> {
        eventually("the spans arrive", async || {
            let spans = self.spans();
            assert!(spans.len() <= count, "{spans:#?}");
            (spans.len() == count).then_some(spans)
        })
        .await
    }
}

/// The attributes of a span, as text.
pub(crate) fn string_attributes(attributes: &[KeyValue]) -> HashMap<String, String> {
    let texts = attributes.iter().map(|attribute| {
        let value = attribute.value.clone().and_then(|value| value.value);
        let text = match value {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key.clone(), text)
    });
    texts.collect()
}

/// An id in hexadecimal digits.
pub(crate) fn hex(id: &[u8]) -> String {
    let digits = id.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<String>>().concat()
}

async fn serve(mut stream: TcpStream, requests: Arc<Mutex<Vec<ExportRequest>>>) {
    while let Some((head, body)) = read(&mut stream).await {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
        assert!(
            head.contains("content-type: application/x-protobuf"),
            "{head}"
        );
        let body = if head.contains("content-encoding: gzip") {
            let mut message = Vec::new();
            let mut decoder = GzDecoder::new(body.as_slice());
            decoder.read_to_end(&mut message).unwrap();
            message
        } else {
            body
        };
        let message = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        requests.lock().unwrap().push((head, message));
        let response =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}
