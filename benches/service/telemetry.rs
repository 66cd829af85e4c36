//! What it costs that the service tells about itself: reading one key with everything off, as it is
//! shipped, and with a line for every request.

use std::fs;

use crate::{
    Result,
    backends::Backend,
    load::Request,
    print_line,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    table::verdict,
};

/// The differences are small, so there are more rounds than elsewhere.
const ROUNDS: usize = 9;

const TELEMETRY_OFF: [(&str, &str); 2] = [
    ("SWITCHBOARD__METRICS__ENABLED", "false"),
    ("SWITCHBOARD__LOG__REQUESTS", "none"),
];
/// Beside what is the default: metrics, and lines of failed and slow requests.
const SAMPLER: [(&str, &str); 2] = [
    ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
    ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
];
const LOG_ALL_REQUESTS: (&str, &str) = ("SWITCHBOARD__LOG__REQUESTS", "all");

/// What reading takes more than with everything off, in microseconds of CPU, at most.
const TARGETS: [f64; 2] = [2.0, 5.0];

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start, a request was not answered with success, or what was to be told was not.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let collector = Backend::start().await?;
    let url = format!("http://{}", collector.address);
    let mut shipped = SAMPLER.to_vec();
    shipped.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &url));
    let all = [shipped.as_slice(), &[LOG_ALL_REQUESTS]].concat();
    let redis = Redis::start(setup.directory()).await?;
    let mut services = Vec::new();
    for (name, settings) in [
        ("everything off", TELEMETRY_OFF.as_slice()),
        ("as shipped", &shipped),
        ("all logged", &all),
    ] {
        let directory = setup.directory().join(name.replace(' ', "-"));
        fs::create_dir_all(&directory)?;
        let service = Service::start_with(&redis, &directory, settings).await?;
        services.push((name, service));
    }
    let (_, first) = services.first().ok_or("nothing is measured")?;
    let id = first.create(TEN_PAIRS).await?;
    let rows = services.iter().map(|(name, service)| {
        let request = Request {
            url: service.url(&format!("{id}/storage/FirstName")),
            form: None,
            answer: "\"Jane\"".to_owned(),
            among: None,
        };
        Measured::new(("read one key", name), request, &service.process, &redis)
    });
    let mut rows: Vec<Measured<'_>> = rows.collect();
    Measured::measure_alternating_rounds(&mut rows, &first.client, setup, ROUNDS).await?;
    Measured::check(rows.iter())?;
    let [off, dearer @ ..] = rows.as_slice() else {
        return Err("nothing is measured".into());
    };
    let verdicts = dearer.iter().zip(TARGETS).map(|(row, target)| {
        let more = row.cpu_us() - off.cpu_us();
        let disturbed = if row.is_disturbed() || off.is_disturbed() {
            ", disturbed"
        } else {
            ""
        };
        let verdict = verdict(more <= target) + disturbed;
        format!(
            "  {}: {more:.1} us more of CPU per read, target <= {target} us: {verdict}",
            row.by
        )
    });
    let verdicts: Vec<String> = verdicts.collect();
    let told = check_telemetry(&services).await?;
    print_line(&format!(
        "\nTelemetry: reading one key; {ROUNDS} rounds by turns, medians. As shipped: metrics, a line for \
         each failed or slow request, 1 % traced\nto a collector that takes it.\n{}\n\n{}\n{told}",
        Measured::rows(rows.iter()),
        verdicts.join("\n"),
    ))
}

/// What was told meanwhile: a figure would mean little if it was not.
async fn check_telemetry(services: &[(&str, Service)]) -> Result<String> {
    let mut lines = Vec::new();
    for (name, service) in services.iter().skip(1) {
        let metrics = service.metrics().await?;
        let value = |sample: &str| -> Result<f64> {
            let line = metrics.lines().find_map(|line| line.strip_prefix(sample));
            Ok(line.ok_or("a metric is missing")?.trim().parse()?)
        };
        let spans = value("switchboard_trace_spans_total{outcome=\"exported\"}")?;
        let dropped = value("switchboard_trace_spans_total{outcome=\"dropped\"}")?;
        let lost = value("switchboard_log_lines_dropped_total")?;
        if spans < 1.0 {
            return Err("no span has reached the collector".into());
        }
        lines.push(format!(
            "  {name}: {spans} spans exported, {dropped} dropped; {lost} lines of the log lost"
        ));
    }
    Ok(lines.join("\n"))
}
