//! Reading one key of 100,000 services at random, compared with other ways to offer Redis over HTTP: webdis, nginx with
//! Lua, and Node with fastify.

use std::iter;

use reqwest::{
    Response,
    header::{DATE, HeaderMap},
};

use crate::{
    ROUNDS, Result,
    load::Request,
    open_loop,
    peer_servers::{Fastify, Nginx},
    print_line,
    process::Process,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{NUMBERED_ID_PREFIX, Redis, Service, Webdis, numbered_id},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// Stored services.
const COUNT: u32 = 100_000;
const SERVICE: &str = "service";
/// The peers, and their targets of requests/s.
const PEERS: [(&str, Target); 3] = [
    ("webdis", Target::AtLeast(1.3)),
    ("nginx with Lua", Target::AtLeast(1.7)),
    ("fastify", Target::AtLeast(2.0)),
];

/// The peers that are installed.
struct Peers {
    webdis: Option<Webdis>,
    nginx: Option<Nginx>,
    fastify: Option<Fastify>,
}

impl Peers {
    async fn start(redis: &Redis, setup: &Setup) -> Result<Self> {
        let directory = setup.directory();
        let (mut webdis, mut nginx, mut fastify) = (None, None, None);
        if setup.webdis {
            webdis = Some(Webdis::start(redis, directory).await?);
        }
        if Nginx::is_installed() {
            nginx = Some(Nginx::start(redis, directory).await?);
        }
        if Fastify::is_installed() {
            fastify = Some(Fastify::start(redis, directory).await?);
        }
        Ok(Self {
            webdis,
            nginx,
            fastify,
        })
    }

    /// Each peer in the order of [`PEERS`]: its process and the URL of the key of the service `id`, if it is installed.
    fn urls(&self, id: &str) -> [Option<(&Process, String)>; 3] {
        let path = key_path(id);
        let webdis = self.webdis.as_ref();
        let nginx = self.nginx.as_ref();
        let fastify = self.fastify.as_ref();
        [
            webdis.map(|peer| (&peer.process, peer.url("HGET", id, "/FirstName"))),
            nginx.map(|peer| (&peer.process, peer.url(&path))),
            fastify.map(|peer| (&peer.process, peer.url(&path))),
        ]
    }
}

fn key_path(id: &str) -> String {
    format!("{id}/storage/FirstName")
}

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, a response is not a success, or a peer has another response than the service.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    redis.copy(&id, COUNT)?;
    let peers = Peers::start(&redis, setup).await?;
    compare_responses(&service, &peers).await?;
    let mut rows = rows(&redis, &service, &peers);
    Measured::measure_alternating(&mut rows, &service.client, setup).await?;
    let memory = memory(&service, &peers)?;
    let mut open = Vec::new();
    if open_loop::is_installed() {
        for row in &rows {
            open.push(row.open_loop("at half of its maximum", open_loop::PART_OF_MAXIMUM));
        }
        Measured::measure_alternating(&mut open, &service.client, setup).await?;
    }
    print_line(&format!(
        "\nPeers: reading one key of {COUNT} services at random, {ROUNDS} alternating rounds; medians. CPU of all \
         processes of a server.{}\n{}\n{}\n{}\n\nOpen loop: {}",
        missing(&peers),
        Measured::rows(rows.iter()),
        memory.text(),
        ratios(&rows).text(),
        open_loop_text(&open),
    ))?;
    Measured::check(rows.iter().chain(&open))
}

/// The service and the installed peers, with the URL of the key of the service `id`.
fn servers<'s>(
    service: &'s Service,
    peers: &'s Peers,
    id: &str,
) -> impl Iterator<Item = (&'static str, &'s Process, String)> {
    let own = (SERVICE, &service.process, service.url(&key_path(id)));
    let others = PEERS.into_iter().zip(peers.urls(id));
    let others =
        others.filter_map(|((name, _), peer)| peer.map(|(process, url)| (name, process, url)));
    iter::once(own).chain(others)
}

fn rows<'s>(redis: &'s Redis, service: &'s Service, peers: &'s Peers) -> Vec<Measured<'s>> {
    let any_id = format!("{NUMBERED_ID_PREFIX}*");
    let rows = servers(service, peers, &any_id).map(|(name, process, url)| {
        let request = Request {
            url,
            form: None,
            expected: "\"Jane\"".to_owned(),
            among: Some(COUNT),
        };
        Measured::new(("read one key", name), request, process, redis)
    });
    rows.collect()
}

/// Checks that the peers with the paths of the service have its status, its body and, except for the date, its headers.
async fn compare_responses(service: &Service, peers: &Peers) -> Result<()> {
    let id = numbered_id(0);
    let get = async |url: &str| service.client.get(url).send().await;
    let expected = content(get(&service.url(&key_path(&id))).await?).await?;
    let [_webdis, nginx, fastify] = peers.urls(&id);
    for (_, url) in [nginx, fastify].into_iter().flatten() {
        let actual = content(get(&url).await?).await?;
        let mut headers = expected.1.iter();
        let same_headers = headers.all(|(name, value)| actual.1.get(name) == Some(value));
        if (actual.0, &actual.2) != (expected.0, &expected.2) || !same_headers {
            return Err(format!("{url}: {actual:?}, but the service has {expected:?}").into());
        }
    }
    Ok(())
}

/// Status, headers without the date, and body.
async fn content(response: Response) -> Result<(u16, HeaderMap, String)> {
    let (status, mut headers) = (response.status().as_u16(), response.headers().clone());
    headers.remove(DATE);
    Ok((status, headers, response.text().await?))
}

/// A line with the peers that are not installed.
fn missing(peers: &Peers) -> String {
    let urls = peers.urls("");
    let missing = PEERS.iter().zip(urls).filter(|(_, peer)| peer.is_none());
    let missing: Vec<&str> = missing.map(|((name, _), _)| *name).collect();
    if missing.is_empty() {
        return String::new();
    }
    format!("\nNot installed, no comparison: {}.", missing.join(", "))
}

fn memory(service: &Service, peers: &Peers) -> Result<Table> {
    let mut table = Table::new(1, &["resident memory after the rounds", "processes", "MiB"]);
    for (name, process, _) in servers(service, peers, "") {
        table.add(vec![
            name.to_owned(),
            process.count()?.to_string(),
            format!("{:.1}", process.proportional_memory()?),
        ]);
    }
    Ok(table)
}

fn ratios(rows: &[Measured<'_>]) -> Ratios {
    let mut ratios = Ratios::new();
    let Some((service, others)) = rows.split_first() else {
        return ratios;
    };
    for other in others {
        let name = format!("read one key, service / {}", other.by);
        let target = PEERS.iter().find(|(name, _)| *name == other.by);
        let target = target.map_or(Target::None, |(_, target)| *target);
        let disturbed = service.is_disturbed() || other.is_disturbed();
        let rate = service.requests_per_second() / other.requests_per_second();
        ratios.add(&name, "requests/s", rate, target, disturbed);
        let cpu = service.cpu_us() / other.cpu_us();
        ratios.add(&name, "CPU per request", cpu, Target::None, disturbed);
        let redis = service.redis_us() / other.redis_us();
        ratios.add(
            &name,
            "Redis CPU per request",
            redis,
            Target::None,
            disturbed,
        );
    }
    ratios
}

fn open_loop_text(rows: &[Measured<'_>]) -> String {
    if rows.is_empty() {
        return "oha is not installed: not measured.".to_owned();
    }
    let rows = Measured::rows(rows.iter());
    format!("oha at a fixed rate; times are from the scheduled time of each request.\n{rows}")
}
