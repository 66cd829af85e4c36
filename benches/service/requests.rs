//! First part: small requests, beside those of webdis that ask Redis for the same.

use crate::{
    ROUNDS, Result,
    load::Request,
    rounds::Measured,
    say,
    servers::{Redis, Service, Webdis},
    setup::Setup,
    table::{Table, verdict},
};

/// How many cores may be busy with something else before that is said.
const QUIET: f64 = 0.15;
const SERVICE: &str = "service";
const WEBDIS: &str = "webdis";

/// What is asked for.
#[derive(Clone, Copy)]
enum Kind {
    ReadOne,
    ReadAll,
    Write,
    Create,
}

impl Kind {
    const ALL: [Self; 4] = [Self::ReadOne, Self::ReadAll, Self::Write, Self::Create];

    fn name(self) -> &'static str {
        match self {
            Self::ReadOne => "read one key",
            Self::ReadAll => "read all keys (10)",
            Self::Write => "write one key",
            Self::Create => "create with five pairs",
        }
    }
}

/// What a service holds whose keys are read.
const TEN_PAIRS: &str = "CustomerNumber=4711&FirstName=Jane&LastName=Doe&City=Oakland\
     &Street=Main+Street&Product=Phone&Segment=Gold&Language=en&Reason=Billing&Mark=the-last-of-ten";
const FIVE_PAIRS: &str =
    "CustomerNumber=4711&FirstName=Jane&LastName=Doe&Product=Phone&Reason=Billing";

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start, or a request was not answered with success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let webdis = if setup.webdis {
        Some(Webdis::start(&redis, setup.directory()).await?)
    } else {
        None
    };
    let peer = webdis_line(&redis, webdis.as_ref())?;
    let service = Service::start(&redis, setup.directory()).await?;
    let mut table = Measured::table();
    let (mut compared, mut errors, mut others) = (Vec::new(), 0.0, 0.0_f64);
    for kind in Kind::ALL {
        let rows = measure(kind, setup, &redis, &service, webdis.as_ref()).await?;
        for row in &rows {
            table.add(row.row());
            errors += row.errors();
            others = others.max(row.others());
        }
        if let [ours, theirs] = &rows[..] {
            compared.push(ratios(ours, theirs));
        }
    }
    let seconds = setup.round.as_secs();
    say(&format!(
        "\nRequests: wrk -t1 -c64, {ROUNDS} rounds of {seconds} s, by turns; medians.\n\
         CPU us, Redis us: CPU time per request. others: cores busy with something else, worst round.\n\
         {peer}\n{}",
        table.text()
    ))?;
    if !compared.is_empty() {
        let mut table = Table::new(2, &["service / webdis", "of", "ratio", "target", ""]);
        for row in compared.into_iter().flatten() {
            table.add(row);
        }
        say(&table.text())?;
    }
    if others > QUIET {
        say(&format!(
            "\nDISTURBED: something else kept up to {others:.2} cores busy. Rows with over {QUIET} in \
             `others`, and ratios of\nthem, prove nothing, met or not met; run it again when the \
             machine is quiet."
        ))?;
    }
    if errors > 0.0 {
        return Err(format!("{errors} requests were not answered with success").into());
    }
    Ok(())
}

/// What was set for webdis, which is nothing, and what it makes of that.
fn webdis_line(redis: &Redis, webdis: Option<&Webdis>) -> Result<String> {
    let Some(webdis) = webdis else {
        return Ok("webdis is not installed: nothing to compare with.".to_owned());
    };
    let (threads, connections) = (webdis.process.threads()?, redis.connections()?);
    Ok(format!(
        "webdis: threads and pool as it takes them unasked, which is {threads} threads in all and \
         {connections} connections to Redis."
    ))
}

/// Measures one kind of request, on a Redis that holds nothing else, and webdis in turn with it.
async fn measure<'a>(
    kind: Kind,
    setup: &Setup,
    redis: &'a Redis,
    service: &'a Service,
    webdis: Option<&'a Webdis>,
) -> Result<Vec<Measured<'a>>> {
    redis.flush()?;
    let id = service.create(TEN_PAIRS).await?;
    let ours = Measured::new(
        (kind.name(), SERVICE),
        request(kind, service, &id),
        &service.process,
        redis,
    );
    let mut rows = vec![ours];
    if let Some(webdis) = webdis
        && let Some(request) = webdis_request(kind, webdis, &id)
    {
        let theirs = Measured::new((kind.name(), WEBDIS), request, &webdis.process, redis);
        rows.push(theirs);
    }
    for row in &rows {
        row.request.check(&service.client).await?;
        row.warm_up(setup).await?;
    }
    for _ in 0..ROUNDS {
        for row in &mut rows {
            row.round(setup).await?;
        }
    }
    Ok(rows)
}

fn request(kind: Kind, service: &Service, id: &str) -> Request {
    let (url, form, answer) = match kind {
        Kind::ReadOne => (format!("{id}/storage/FirstName"), None, "\"Jane\""),
        Kind::ReadAll => (format!("{id}/storage"), None, "the-last-of-ten"),
        Kind::Write => (format!("{id}/storage"), Some("FirstName=John"), ""),
        Kind::Create => ("store".to_owned(), Some(FIVE_PAIRS), "_id"),
    };
    Request {
        url: service.at(&url),
        form,
        answer: answer.to_owned(),
    }
}

/// The request of webdis that reads the same from the same hash.
fn webdis_request(kind: Kind, webdis: &Webdis, id: &str) -> Option<Request> {
    let (url, answer) = match kind {
        Kind::ReadOne => (webdis.at("HGET", id, "/FirstName"), "\"Jane\""),
        Kind::ReadAll => (webdis.at("HGETALL", id, ""), "the-last-of-ten"),
        Kind::Write | Kind::Create => return None,
    };
    Some(Request {
        url,
        form: None,
        answer: answer.to_owned(),
    })
}

fn ratios(ours: &Measured<'_>, theirs: &Measured<'_>) -> [Vec<String>; 3] {
    let requests = ours.requests_per_second() / theirs.requests_per_second();
    let cpu = ours.cpu_us() / theirs.cpu_us();
    let redis = ours.redis_us() / theirs.redis_us();
    let disturbed = ours.others().max(theirs.others()) > QUIET;
    let mark = if disturbed { ", disturbed" } else { "" };
    [
        ("requests/s", requests, ">= 1.2", requests >= 1.2),
        ("CPU per request", cpu, "<= 0.8", cpu <= 0.8),
        ("Redis CPU per request", redis, "< 1.0", redis < 1.0),
    ]
    .map(|(of, ratio, target, met)| {
        vec![
            ours.what.to_owned(),
            of.to_owned(),
            format!("{ratio:.2}"),
            target.to_owned(),
            verdict(met) + mark,
        ]
    })
}
