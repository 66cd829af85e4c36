//! A connection on which a test controls the bytes and their timing.

use std::net::SocketAddr;

use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{TestApp, TestResponse};

/// One connection to the service.
pub(crate) struct RawConnection(TcpStream);

impl RawConnection {
    pub(crate) async fn connect(app: &TestApp) -> Self {
        Self::connect_to(app.address).await
    }

    pub(crate) async fn connect_to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// A connection with a small receive buffer, so that the service has to wait.
    pub(crate) async fn connect_with_small_buffer(app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        Self(socket.connect(app.address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends bytes that the server may not read, like a client that reads the response only after it has
    /// sent everything.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.0.write_all(bytes.as_ref()).await);
    }

    /// Closes the sending half of the connection.
    pub(crate) async fn shutdown_write(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Resets the connection, like a killed process.
    pub(crate) fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }

    /// Sends a request without a body and reads the response.
    pub(crate) async fn request(&mut self, method: &str, path: &str) -> TestResponse {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        self.read_response().await
    }

    /// Reads the next response: its head, and a body of `Content-Length` bytes.
    pub(crate) async fn read_response(&mut self) -> TestResponse {
        let mut response = self.read_head().await;
        let length = response.header("content-length").parse().unwrap_or(0);
        response.body = self.read(length).await;
        response
    }

    /// Reads the head of a response.
    pub(crate) async fn read_head(&mut self) -> TestResponse {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = self.0.read_u8().await;
            head.push(byte.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        TestResponse {
            status: StatusCode::from_bytes(status.as_bytes()).unwrap(),
            headers,
            body: Vec::new(),
        }
    }

    /// Reads exactly this many bytes.
    pub(crate) async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Reads until the server closes or resets the connection.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        drop(self.0.read_to_end(&mut bytes).await);
        bytes
    }
}
