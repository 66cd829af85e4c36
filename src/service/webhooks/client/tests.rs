use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::dns::{Addrs, Name, Resolving};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::settings::Settings;

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const BODY: &[u8] = br#"{"id":"evt_1"}"#;

/// A receiver that answers every request with the same bytes.
struct Receiver {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// `size` is the number of bytes of the body after the head.
    async fn start(address: &str, head: &'static str, size: usize) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (
            Arc::clone(&receiver.connections),
            Arc::clone(&receiver.requests),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, head, size, Arc::clone(&requests)));
            }
        });
        receiver
    }

    fn url(&self) -> Url {
        format!("http://{}/hook", self.address).parse().unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut stream: TcpStream,
    head: &'static str,
    size: usize,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut received = Vec::new();
    while stream
        .read_buf(&mut received)
        .await
        .is_ok_and(|bytes| bytes > 0)
    {
        if !received.ends_with(BODY) {
            continue;
        }
        let request = String::from_utf8(std::mem::take(&mut received)).unwrap();
        requests.lock().unwrap().push(request);
        let chunk = vec![b'x'; 64 * 1024];
        let mut sent = stream.write_all(head.as_bytes()).await;
        for _ in 0..size / chunk.len() {
            if sent.is_err() {
                return;
            }
            sent = stream.write_all(&chunk).await;
        }
    }
}

fn settings(networks: &str) -> settings::Webhooks {
    let variables = [
        ("SWITCHBOARD__WEBHOOKS__ALLOWED_NETWORKS", networks),
        ("SWITCHBOARD__WEBHOOKS__ALLOW_HTTP", "true"),
    ];
    Settings::load(None, variables).unwrap().webhooks
}

fn local_client() -> WebhookClient {
    WebhookClient::new(&settings("127.0.0.0/8")).unwrap()
}

async fn send(client: &WebhookClient, url: &Url) -> Result<(), DeliveryError> {
    let signed = SignedBody {
        id: "evt_1",
        timestamp: 1_795_455_943,
        signature: "v1,abc",
        body: BODY.to_vec(),
    };
    client.send(url, signed).await
}

/// The text of the error if the receiver answers with this head.
async fn error(head: &'static str) -> (DeliveryResult, String) {
    let receiver = Receiver::start("127.0.0.1:0", head, 0).await;
    let error = send(&local_client(), &receiver.url()).await.unwrap_err();
    (error.result, error.text)
}

#[tokio::test]
async fn requests_are_posts_with_the_headers_of_the_specification_on_one_connection() {
    let receiver = Receiver::start("127.0.0.1:0", EMPTY, 0).await;
    let client = local_client();
    for _ in 0..3 {
        assert_eq!(send(&client, &receiver.url()).await, Ok(()));
    }
    assert_eq!(receiver.connections(), 1);
    let requests = receiver.requests.lock().unwrap();
    assert_eq!(requests.len(), 3);
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body.as_bytes(), BODY);
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /hook HTTP/1.1");
    let agent = format!("user-agent: switchboard/{VERSION}");
    for line in [
        "content-type: application/json",
        &agent,
        "webhook-id: evt_1",
        "webhook-timestamp: 1795455943",
        "webhook-signature: v1,abc",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
}

#[tokio::test]
async fn only_2xx_is_a_success() {
    for head in [EMPTY, "HTTP/1.1 204 No Content\r\n\r\n"] {
        let receiver = Receiver::start("127.0.0.1:0", head, 0).await;
        assert_eq!(send(&local_client(), &receiver.url()).await, Ok(()));
    }
    let failed = error("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(
        failed,
        (DeliveryResult::HttpError, "response 500".to_owned())
    );
    let gone = error("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(gone, (DeliveryResult::Gone, "response 410".to_owned()));
    let unchanged = error("HTTP/1.1 304 Not Modified\r\n\r\n").await;
    assert_eq!(
        unchanged,
        (DeliveryResult::HttpError, "response 304".to_owned())
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (result, text) = error(
        "HTTP/1.1 302 Found\r\nlocation: https://ann:pw@other.example/a?token=secret\r\n\
         content-length: 0\r\n\r\n",
    )
    .await;
    assert_eq!(result, DeliveryResult::Redirect);
    assert_eq!(
        text,
        "response 302: redirect to https://other.example/a not followed"
    );
}

#[tokio::test]
async fn a_large_response_is_cut_off() {
    const GIB: usize = 1 << 30;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    let receiver = Receiver::start("127.0.0.1:0", head, GIB).await;
    let client = local_client();
    assert_eq!(send(&client, &receiver.url()).await, Ok(()));
    // The first connection was closed.
    assert_eq!(send(&client, &receiver.url()).await, Ok(()));
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn an_endless_response_is_not_waited_for() {
    // The announced content never follows.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let receiver = Receiver::start("127.0.0.1:0", head, 0).await;
    let (client, url) = (local_client(), receiver.url());
    let sent = tokio::time::timeout(Duration::from_secs(10), send(&client, &url));
    assert_eq!(sent.await, Ok(Ok(())), "before the timeout of 15 s");
}

#[tokio::test]
async fn a_url_without_tls_needs_the_setting() {
    let receiver = Receiver::start("127.0.0.1:0", EMPTY, 0).await;
    let settings = settings::Webhooks {
        allow_http: false,
        ..settings("127.0.0.0/8")
    };
    let client = WebhookClient::new(&settings).unwrap();
    let error = send(&client, &receiver.url()).await.unwrap_err();
    assert_eq!(error.result, DeliveryResult::AddressNotAllowed);
    assert_eq!(error.text, HTTP_NOT_ALLOWED);
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_request_without_a_response_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let mut client = local_client();
    assert_eq!(client.timeout.as_secs(), 15);
    client.timeout = Duration::from_secs(1);
    let error = send(&client, &url.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.result, DeliveryResult::Timeout);
    assert_eq!(error.text, "timeout after 1 s");
}

#[tokio::test]
async fn a_refused_connection_has_a_clear_error() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    drop(receiver);
    let error = send(&local_client(), &url.parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.result, DeliveryResult::ConnectionError);
    assert!(
        error.text.starts_with("Connection refused"),
        "{}",
        error.text
    );
}

#[tokio::test]
async fn an_address_in_a_url_is_checked() {
    let receiver = Receiver::start("127.0.0.1:0", EMPTY, 0).await;
    let client = WebhookClient::new(&settings("")).unwrap();
    let port = receiver.address.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "localhost",
    ] {
        let url = format!("http://{host}:{port}/").parse().unwrap();
        let error = send(&client, &url).await.unwrap_err();
        assert_eq!(error.result, DeliveryResult::AddressNotAllowed, "{host}");
        assert!(error.text.starts_with("address "), "{}", error.text);
        assert!(error.text.ends_with("is not allowed"), "{}", error.text);
    }
    assert_eq!(receiver.connections(), 0);
}

/// Returns the first address for the first look-up, and the second one for all others.
struct Rebinding([SocketAddr; 2], AtomicUsize);

impl Resolve for Rebinding {
    fn resolve(&self, _name: Name) -> Resolving {
        let count = self.1.fetch_add(1, Ordering::Relaxed);
        let address = self.0[count.min(1)];
        Box::pin(async move { Ok(Box::new([address].into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_another_address_later_is_checked_again() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let public = Receiver::start("127.0.0.1:0", head, 0).await;
    let port = public.address.port();
    let internal = Receiver::start(&format!("127.0.0.2:{port}"), head, 0).await;
    // The resolver returns no ports.
    let addresses = [public.address.ip(), internal.address.ip()];
    let addresses = addresses.map(|ip| SocketAddr::from((ip, 0)));
    let resolver = Rebinding(addresses, AtomicUsize::new(0));
    let client = WebhookClient::with_resolver(&settings("127.0.0.1"), resolver).unwrap();
    let url: Url = format!("http://receiver.example:{port}/").parse().unwrap();
    assert_eq!(send(&client, &url).await, Ok(()));
    let error = send(&client, &url).await.unwrap_err();
    assert_eq!(error.result, DeliveryResult::AddressNotAllowed);
    assert_eq!(error.text, "address 127.0.0.2 is not allowed");
    assert_eq!((public.connections(), internal.connections()), (1, 0));
}
