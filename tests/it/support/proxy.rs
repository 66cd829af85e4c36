//! A way to Redis that a test can cut, clog or slow down.

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

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyMode {
    /// They arrive, each piece so much later.
    Forward(Duration),
    /// Connections are closed, and new ones at once.
    Close,
    /// Questions arrive, answers do not.
    DropResponses,
    /// Questions arrive; of the next piece of an answer half does, then the connection is closed.
    Truncate,
    /// Connections are made and nothing arrives, as behind a firewall that drops packets.
    Stall,
}

/// Tells the connections of a time what becomes of them.
type ModeSender = Arc<Mutex<watch::Sender<ProxyMode>>>;

/// Listens in front of a server, on a thread of its own: starting a service may hold up the test's.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    server: Arc<Mutex<String>>,
    mode: ModeSender,
    time_shift: Arc<AtomicI64>,
    /// Dropped, it ends the thread and all connections.
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// One that forwards to `server`, an address as text.
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
        let (server, tell) = (Arc::clone(&proxy.server), Arc::clone(&proxy.mode));
        let shift = Arc::clone(&proxy.time_shift);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listen(listener, server, tell, shift) => {}
                    _ = stopped => {}
                }
            });
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// New connections go to another server; those that are open stay where they are.
    pub(crate) fn set_target(&self, server: &str) {
        server.clone_into(&mut self.server.lock().unwrap());
    }

    /// From now on bytes go this way. Connections that were clogged or deaf stay what they are, for
    /// bytes are missing in them.
    pub(crate) fn set_mode(&self, way: ProxyMode) {
        let mut tell = self.mode.lock().unwrap();
        let open = matches!(*tell.borrow(), ProxyMode::Forward(_));
        if open {
            tell.send_replace(way);
        } else {
            *tell = watch::Sender::new(way);
        }
    }

    /// From now on answers to `TIME` are so many seconds ahead of what the server said.
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
    tell: ModeSender,
    shift: Arc<AtomicI64>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let way = tell.lock().unwrap().subscribe();
        let server = server.lock().unwrap().clone();
        tokio::spawn(forward(client, server, way, Arc::clone(&shift)));
    }
}

/// Carries one connection until it is cut or either side closes it.
async fn forward(
    client: TcpStream,
    server: String,
    way: watch::Receiver<ProxyMode>,
    shift: Arc<AtomicI64>,
) -> Option<()> {
    let mut told = way.clone();
    let cut = async {
        if told.wait_for(|way| *way == ProxyMode::Close).await.is_err() {
            pending::<()>().await; // its time is over, it is not
        }
    };
    let carried = async {
        let server = TcpStream::connect(server).await.ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            end = copy(from_client, to_server, way.clone(), &[ProxyMode::Stall], None) => end,
            end = copy(from_server, to_client, way, &[ProxyMode::Stall, ProxyMode::DropResponses], Some(&shift)) => end,
        }
    };
    tokio::select! {
        biased;
        () = cut => None,
        end = carried => end,
    }
}

/// Moves bytes on, but for those that come while the way is one of `closed`. Those of `answers` may be torn,
/// and times in them are shifted.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: watch::Receiver<ProxyMode>,
    closed: &[ProxyMode],
    answers: Option<&AtomicI64>,
) -> Option<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await.ok();
        let length = read.filter(|length| *length > 0)?;
        let now = *way.borrow();
        if let Some(shift) = answers {
            shift_times(&mut bytes[..length], shift.load(Relaxed));
        }
        if now == ProxyMode::Truncate && answers.is_some() {
            to.write_all(&bytes[..length / 2]).await.ok()?;
            return None;
        }
        if let ProxyMode::Forward(delay) = now
            && !delay.is_zero()
        {
            time::sleep(delay).await;
        }
        if !closed.contains(&now) {
            to.write_all(&bytes[..length]).await.ok()?;
        }
    }
}

/// Shifts the seconds of each answer to `TIME` among `bytes`: two strings, the first of ten digits.
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
