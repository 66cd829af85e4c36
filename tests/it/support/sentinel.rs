//! A mock sentinel: its reply can be outdated, slow, missing or an error.

use std::{
    net::{self, SocketAddr},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
    time,
};

/// The reply about the primary.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SentinelReply {
    /// The server at this port of this machine, with this epoch; `None` denies the epoch.
    Primary(u16, Option<u64>),
    /// The server at this port, after a delay.
    Delayed(u16, Duration),
    /// No such primary.
    Unknown,
    /// An error.
    Error,
    /// No reply.
    Hang,
}

pub(crate) struct FakeSentinel {
    address: SocketAddr,
    reply: Arc<Mutex<SentinelReply>>,
    _stop: oneshot::Sender<()>,
}

impl FakeSentinel {
    pub(crate) fn start(reply: SentinelReply) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel();
        let sentinel = Self {
            address: listener.local_addr().unwrap(),
            reply: Arc::new(Mutex::new(reply)),
            _stop: stop,
        };
        let reply = Arc::clone(&sentinel.reply);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        tokio::spawn(handle_connection(stream, Arc::clone(&reply)));
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
        });
        sentinel
    }

    pub(crate) fn set_reply(&self, reply: SentinelReply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

async fn handle_connection(stream: TcpStream, reply: Arc<Mutex<SentinelReply>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let words = read_command(&mut stream).await?;
        let reply = *reply.lock().unwrap();
        let is_known = words.first()? == "SENTINEL";
        let response = match (words.get(1).map(String::as_str), reply) {
            _ if !is_known => "-ERR unknown command\r\n".to_owned(),
            (_, SentinelReply::Hang) => return std::future::pending().await,
            (_, SentinelReply::Error) => "-ERR internal error\r\n".to_owned(),
            (_, SentinelReply::Unknown) => "*-1\r\n".to_owned(),
            (Some("GET-MASTER-ADDR-BY-NAME"), SentinelReply::Primary(port, _)) => {
                address_reply(port)
            }
            (Some("GET-MASTER-ADDR-BY-NAME"), SentinelReply::Delayed(port, delay)) => {
                time::sleep(delay).await;
                address_reply(port)
            }
            (_, SentinelReply::Primary(_, Some(epoch))) => {
                format!(
                    "*2\r\n$12\r\nconfig-epoch\r\n{}",
                    bulk_string(&epoch.to_string())
                )
            }
            (_, SentinelReply::Primary(_, None) | SentinelReply::Delayed(..)) => {
                "-NOPERM permission denied\r\n".to_owned()
            }
        };
        stream.write_all(response.as_bytes()).await.ok()?;
    }
}

/// Reads one command.
async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let count: usize = line.trim().strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let length: usize = line.trim().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).to_uppercase());
    }
    Some(words)
}

fn address_reply(port: u16) -> String {
    format!(
        "*2\r\n{}{}",
        bulk_string("127.0.0.1"),
        bulk_string(&port.to_string())
    )
}

fn bulk_string(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
