//! A way to Redis that a test can cut, clog or slow down.

use std::{
    future::pending,
    net::{self, SocketAddr},
    sync::{Arc, Mutex},
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
pub(crate) enum Way {
    /// They arrive, each piece so much later.
    Open(Duration),
    /// Connections are closed, and new ones at once.
    Cut,
    /// Questions arrive, answers do not.
    Deaf,
    /// Questions arrive; of the next piece of an answer half does, then the connection is closed.
    Torn,
    /// Connections are made and nothing arrives, as behind a firewall that drops packets.
    Clogged,
}

/// Tells the connections of a time what becomes of them.
type Tell = Arc<Mutex<watch::Sender<Way>>>;

/// Listens in front of a server, on a thread of its own: starting a service may hold up the test's.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    server: Arc<Mutex<String>>,
    tell: Tell,
    /// Dropped, it ends the thread and all connections.
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// One that forwards to `server`, an address as text.
    pub(crate) fn to(server: &str) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            server: Arc::new(Mutex::new(server.to_owned())),
            tell: Arc::new(Mutex::new(watch::Sender::new(Way::Open(Duration::ZERO)))),
            _stop: stop,
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (server, tell) = (Arc::clone(&proxy.server), Arc::clone(&proxy.tell));
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listen(listener, server, tell) => {}
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
    pub(crate) fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.server.lock().unwrap());
    }

    /// From now on bytes go this way. Connections that were clogged or deaf stay what they are, for
    /// bytes are missing in them.
    pub(crate) fn set(&self, way: Way) {
        let mut tell = self.tell.lock().unwrap();
        let open = matches!(*tell.borrow(), Way::Open(_));
        if open {
            tell.send_replace(way);
        } else {
            *tell = watch::Sender::new(way);
        }
    }

    /// Forwards new connections again.
    pub(crate) fn mend(&self) {
        self.set(Way::Open(Duration::ZERO));
    }
}

async fn listen(listener: net::TcpListener, server: Arc<Mutex<String>>, tell: Tell) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let way = tell.lock().unwrap().subscribe();
        let server = server.lock().unwrap().clone();
        tokio::spawn(carry(client, server, way));
    }
}

/// Carries one connection until it is cut or either side closes it.
async fn carry(client: TcpStream, server: String, way: watch::Receiver<Way>) -> Option<()> {
    let mut told = way.clone();
    let cut = async {
        if told.wait_for(|way| *way == Way::Cut).await.is_err() {
            pending::<()>().await; // its time is over, it is not
        }
    };
    let carried = async {
        let server = TcpStream::connect(server).await.ok()?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            end = pump(from_client, to_server, way.clone(), &[Way::Clogged], false) => end,
            end = pump(from_server, to_client, way, &[Way::Clogged, Way::Deaf], true) => end,
        }
    };
    tokio::select! {
        biased;
        () = cut => None,
        end = carried => end,
    }
}

/// Moves bytes on, but for those that come while the way is one of `closed`; whether it is one on which
/// they are `torn`.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: watch::Receiver<Way>,
    closed: &[Way],
    torn: bool,
) -> Option<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await.ok();
        let length = read.filter(|length| *length > 0)?;
        let now = *way.borrow();
        if now == Way::Torn && torn {
            to.write_all(&bytes[..length / 2]).await.ok()?;
            return None;
        }
        if let Way::Open(delay) = now
            && !delay.is_zero()
        {
            time::sleep(delay).await;
        }
        if !closed.contains(&now) {
            to.write_all(&bytes[..length]).await.ok()?;
        }
    }
}
