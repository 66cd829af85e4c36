//! Small requests, compared with webdis, which sends the same commands to Redis, and with actix-web
//! alone.

use crate::{
    ROUNDS, Result,
    baseline::Ceiling,
    load::Request,
    print_line,
    rounds::Measured,
    servers::{Redis, Service, Webdis},
    setup::Setup,
    targets::{Ratios, Target},
};

const SERVICE: &str = "service";
const WEBDIS: &str = "webdis";
const CEILING: &str = "ceiling";

/// Kinds of requests.
#[derive(Clone, Copy)]
enum Kind {
    ReadOne,
    ReadOneOfArea,
    ReadAll,
    Write,
    Create,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::ReadOne,
        Self::ReadOneOfArea,
        Self::ReadAll,
        Self::Write,
        Self::Create,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ReadOne => "read one key",
            Self::ReadOneOfArea => "read one key of a storage area",
            Self::ReadAll => "read all keys (10)",
            Self::Write => "write one key",
            Self::Create => "create with five pairs",
        }
    }

    /// Targets of requests/s, CPU and Redis CPU per request, compared with `by`.
    fn targets(self, by: &str) -> [Target; 3] {
        match (self, by) {
            (Self::ReadOne, WEBDIS) => [
                Target::AtLeast(1.3),
                Target::AtMost(0.75),
                Target::AtMost(0.7),
            ],
            (Self::ReadOne, CEILING) => [Target::AtLeast(0.75), Target::None, Target::None],
            _ => [Target::None; 3],
        }
    }

    /// Targets of requests/s, CPU and Redis CPU per request, compared with a read of one key of a service.
    fn targets_beside_read(self) -> Option<[Target; 3]> {
        match self {
            Self::ReadOne | Self::ReadAll => None,
            Self::ReadOneOfArea => Some([
                Target::AtLeast(0.97),
                Target::AtMost(1.03),
                Target::AtMost(1.03),
            ]),
            Self::Write => Some([
                Target::AtLeast(1.0 / 1.5),
                Target::AtMost(1.5),
                Target::AtMost(2.2),
            ]),
            Self::Create => Some([
                Target::AtLeast(0.6),
                Target::AtMost(1.5),
                Target::AtMost(4.0),
            ]),
        }
    }
}

/// The data of a service whose keys are read.
pub(crate) const TEN_PAIRS: &str = "CustomerNumber=4711&FirstName=Jane&LastName=Doe&City=Oakland\
     &Street=Main+Street&Product=Phone&Segment=Gold&Language=en&Reason=Billing&Mark=the-last-of-ten";
const FIVE_PAIRS: &str =
    "CustomerNumber=4711&FirstName=Jane&LastName=Doe&Product=Phone&Reason=Billing";

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, or a response is not a success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let webdis = if setup.webdis {
        Some(Webdis::start(&redis, setup.directory()).await?)
    } else {
        None
    };
    let peer = webdis_line(&redis, webdis.as_ref())?;
    let service = Service::start(&redis, setup.directory()).await?;
    let ceiling = Ceiling::start(setup.directory()).await?;
    let servers = Servers {
        redis: &redis,
        service: &service,
        webdis: webdis.as_ref(),
        ceiling: &ceiling,
    };
    let mut kinds = Vec::new();
    for kind in Kind::ALL {
        kinds.push((kind, measure(kind, setup, servers).await?));
    }
    let seconds = setup.round.as_secs();
    let rows = || kinds.iter().flat_map(|(_, rows)| rows);
    print_line(&format!(
        "\nRequests: wrk -t1 -c64, {ROUNDS} alternating rounds of {seconds} s; medians.\n\
         CPU us, Redis us: CPU time per request. others: cores busy with other processes, worst round.\n\
         {peer}\n{}\n{}",
        Measured::rows(rows()),
        ratios(&kinds).text()
    ))?;
    Measured::check(rows())
}

/// The configuration of webdis, which is its default.
fn webdis_line(redis: &Redis, webdis: Option<&Webdis>) -> Result<String> {
    let Some(webdis) = webdis else {
        return Ok("webdis is not installed: no comparison.".to_owned());
    };
    let (threads, connections) = (webdis.process.threads()?, redis.connections()?);
    Ok(format!(
        "webdis: default threads and pool, which are {threads} threads in total and \
         {connections} connections to Redis."
    ))
}

/// The servers of a comparison.
#[derive(Clone, Copy)]
struct Servers<'a> {
    redis: &'a Redis,
    service: &'a Service,
    webdis: Option<&'a Webdis>,
    ceiling: &'a Ceiling,
}

/// Measures one kind of request on an otherwise empty Redis, alternating between the servers.
async fn measure<'a>(kind: Kind, setup: &Setup, servers: Servers<'a>) -> Result<Vec<Measured<'a>>> {
    let Servers { redis, service, .. } = servers;
    redis.flush()?;
    let id = match kind {
        Kind::ReadOneOfArea => service.create_storage_area(TEN_PAIRS).await?,
        _ => service.create(TEN_PAIRS).await?,
    };
    let row = |by, request, process| Measured::new((kind.name(), by), request, process, redis);
    let mut rows = vec![row(SERVICE, request(kind, service, &id), &service.process)];
    if let Some(webdis) = servers.webdis
        && let Some(request) = webdis_request(kind, webdis, &id)
    {
        rows.push(row(WEBDIS, request, &webdis.process));
    }
    if let Kind::ReadOne = kind {
        let request = Request {
            url: servers.ceiling.url(&format!("{id}/storage/FirstName")),
            ..request(kind, service, &id)
        };
        rows.push(row(CEILING, request, &servers.ceiling.process));
    }
    Measured::measure_alternating(&mut rows, &service.client, setup).await?;
    Ok(rows)
}

fn request(kind: Kind, service: &Service, id: &str) -> Request {
    let (url, form, expected) = match kind {
        Kind::ReadOne => (format!("{id}/storage/FirstName"), None, "\"Jane\""),
        Kind::ReadOneOfArea => {
            return Request {
                url: service.storage_url(&format!("{id}/FirstName")),
                form: None,
                expected: "\"Jane\"".to_owned(),
                among: None,
            };
        }
        Kind::ReadAll => (format!("{id}/storage"), None, "the-last-of-ten"),
        Kind::Write => (format!("{id}/storage"), Some("FirstName=John"), ""),
        Kind::Create => ("store".to_owned(), Some(FIVE_PAIRS), "_id"),
    };
    Request {
        url: service.url(&url),
        form,
        expected: expected.to_owned(),
        among: None,
    }
}

/// The request to webdis that reads the same value from the same hash.
fn webdis_request(kind: Kind, webdis: &Webdis, id: &str) -> Option<Request> {
    let (url, expected) = match kind {
        Kind::ReadOne => (webdis.url("HGET", id, "/FirstName"), "\"Jane\""),
        Kind::ReadAll => (webdis.url("HGETALL", id, ""), "the-last-of-ten"),
        Kind::ReadOneOfArea | Kind::Write | Kind::Create => return None,
    };
    Some(Request {
        url,
        form: None,
        expected: expected.to_owned(),
        among: None,
    })
}

/// The ratios of the rows.
fn ratios(kinds: &[(Kind, Vec<Measured<'_>>)]) -> Ratios {
    let mut ratios = Ratios::new();
    let mut compare = |service: &Measured<'_>, other: &Measured<'_>, name: &str, targets| {
        let [requests, cpu, redis]: [Target; 3] = targets;
        let disturbed = service.is_disturbed() || other.is_disturbed();
        let rate = service.requests_per_second() / other.requests_per_second();
        ratios.add(name, "requests/s", rate, requests, disturbed);
        let ratio = service.cpu_us() / other.cpu_us();
        ratios.add(name, "CPU per request", ratio, cpu, disturbed);
        if other.by != CEILING {
            let ratio = service.redis_us() / other.redis_us();
            ratios.add(name, "Redis CPU per request", ratio, redis, disturbed);
        }
    };
    let read = kinds.first().and_then(|(_, rows)| rows.first());
    for (kind, rows) in kinds {
        let Some((service, others)) = rows.split_first() else {
            continue;
        };
        for other in others {
            let name = format!("{}, service / {}", kind.name(), other.by);
            compare(service, other, &name, kind.targets(other.by));
        }
        if let (Some(targets), Some(read)) = (kind.targets_beside_read(), read) {
            let name = format!("{} / {}", kind.name(), read.what);
            compare(service, read, &name, targets);
        }
    }
    ratios
}
