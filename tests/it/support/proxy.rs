//! A proxy to Redis that a test can interrupt, stall or slow down.

use std::{
    future::pending,
    net::{self, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Builder,
    sync::{oneshot, watch},
    time,
};

use super::TestRedis;

/// The treatment of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyMode {
    /// Forwards each piece after a delay.
    Forward(Duration),
    /// Closes all connections, and new ones at once.
    Close,
    /// Forwards requests and drops responses.
    DropResponses,
    /// Forwards requests; forwards half of the next piece of a response and closes the connection.
    Truncate,
    /// Accepts connections and drops all bytes, like a firewall that drops packets.
    Stall,
}

/// The mode of the current connections.
type ModeSender = Arc<Mutex<watch::Sender<ProxyMode>>>;

/// A proxy in front of a server, on its own thread, because starting a service may block the test's thread.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    server: Arc<Mutex<String>>,
    mode: ModeSender,
    time_shift: Arc<AtomicI64>,
    /// Stops the thread and all connections on drop.
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// A proxy to the first server of `redis`.
    pub(crate) fn to_redis(redis: &TestRedis) -> Self {
        Self::new(&redis.addresses()[0].to_string())
    }

    /// A proxy to `server`.
    pub(crate) fn new(server: &str) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            server: Arc::new(Mutex::new(server.to_owned())),
            mode: Arc::new(Mutex::new(watch::Sender::new(ProxyMode::Forward(
                Duration::ZERO,
            )))),
            time_shift: Arc::default(),
            _stop: stop,
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (server, mode) = (Arc::clone(&proxy.server), Arc::clone(&proxy.mode));
        let shift = Arc::clone(&proxy.time_shift);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listen(listener, server, mode, shift) => {}
                    _ = stopped => {}
                }
            });
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Sets the server of new connections; open connections are not affected.
    pub(crate) fn set_target(&self, server: &str) {
        server.clone_into(&mut self.server.lock().unwrap());
    }

    /// Sets the mode. Connections that lost bytes in an earlier mode remain unusable.
    pub(crate) fn set_mode(&self, mode: ProxyMode) {
        let mut sender = self.mode.lock().unwrap();
        let is_forwarding = matches!(*sender.borrow(), ProxyMode::Forward(_));
        if is_forwarding {
            sender.send_replace(mode);
        } else {
            *sender = watch::Sender::new(mode);
        }
    }

    /// Shifts the responses to `TIME` by this number of seconds.
    pub(crate) fn shift_time(&self, seconds: i64) {
        self.time_shift.store(seconds, Relaxed);
    }

    /// Forwards new connections again.
    pub(crate) fn restore(&self) {
        self.set_mode(ProxyMode::Forward(Duration::ZERO));
    }
}

async fn listen(
    listener: net::TcpListener,
    server: Arc<Mutex<String>>,
    mode: ModeSender,
    shift: Arc<AtomicI64>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let mode = mode.lock().unwrap().subscribe();
        let server = server.lock().unwrap().clone();
        tokio::spawn(forward(client, server, mode, Arc::clone(&shift)));
    }
}

/// Forwards one connection until it is interrupted or one side closes it.
async fn forward(
    client: TcpStream,
    server: String,
    mode: watch::Receiver<ProxyMode>,
    shift: Arc<AtomicI64>,
) -> Option<()> {
    let mut changes = mode.clone();
    let closed = async {
        if changes
            .wait_for(|mode| *mode == ProxyMode::Close)
            .await
            .is_err()
        {
            pending::<()>().await; // replaced by a later mode: this connection stays open
        }
    };
    let forwarded = async {
        let server = TcpStream::connect(server).await.ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            end = copy(from_client, to_server, mode.clone(), &[ProxyMode::Stall], None) => end,
            end = copy(from_server, to_client, mode, &[ProxyMode::Stall, ProxyMode::DropResponses], Some(&shift)) => end,
        }
    };
    tokio::select! {
        biased;
        () = closed => None,
        end = forwarded => end,
    }
}

/// Copies bytes, except while the mode is one of `dropping`. `time_shift` is set for responses, which can be
/// truncated, and whose times are shifted.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mode: watch::Receiver<ProxyMode>,
    dropping: &[ProxyMode],
    time_shift: Option<&AtomicI64>,
) -> Option<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await.ok();
        let length = read.filter(|length| *length > 0)?;
        let mode = *mode.borrow();
        if let Some(shift) = time_shift {
            shift_times(&mut bytes[..length], shift.load(Relaxed));
        }
        if mode == ProxyMode::Truncate && time_shift.is_some() {
            to.write_all(&bytes[..length / 2]).await.ok()?;
            return None;
        }
        if let ProxyMode::Forward(delay) = mode
            && !delay.is_zero()
        {
            time::sleep(delay).await;
        }
        if !dropping.contains(&mode) {
            to.write_all(&bytes[..length]).await.ok()?;
        }
    }
}

/// Shifts the seconds of each response to `TIME` in `bytes`: two strings, the first of ten digits.
fn shift_times(bytes: &mut [u8], shift: i64) {
    const HEAD: &[u8] = b"*2\r\n$10\r\n";
    if shift == 0 {
        return;
    }
    for at in 0..bytes.len().saturating_sub(HEAD.len() + 12) {
        if !bytes[at..].starts_with(HEAD) {
            continue;
        }
        let digits = &mut bytes[at + HEAD.len()..][..10];
        let seconds: Option<i64> = str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok());
        if let Some(seconds) = seconds {
            digits.copy_from_slice(format!("{:010}", seconds + shift).as_bytes());
        }
    }
}
