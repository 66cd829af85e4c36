//! The cost of telemetry: reading one key with everything disabled, with the defaults, and with a log line
//! for every request.

use std::fs;

use crate::{
    Result,
    backends::Backend,
    print_line,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    table::verdict,
};

/// The differences are small, so there are more rounds than in other parts.
const ROUNDS: usize = 9;

const TELEMETRY_OFF: [(&str, &str); 2] = [
    ("SWITCHBOARD__METRICS__ENABLED", "false"),
    ("SWITCHBOARD__LOG__REQUESTS", "none"),
];
/// In addition to the defaults: metrics, and log lines of failed and slow requests.
const SAMPLER: [(&str, &str); 2] = [
    ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
    ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
];
const LOG_ALL_REQUESTS: (&str, &str) = ("SWITCHBOARD__LOG__REQUESTS", "all");

/// Maximum additional CPU time of a read, in microseconds, compared with everything disabled.
const TARGETS: [f64; 2] = [2.0, 5.0];

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, a response is not a success, or telemetry is missing.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let collector = Backend::start().await?;
    let url = format!("http://{}", collector.address);
    let mut default = SAMPLER.to_vec();
    default.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &url));
    let all = [default.as_slice(), &[LOG_ALL_REQUESTS]].concat();
    let redis = Redis::start(setup.directory()).await?;
    let mut services = Vec::new();
    for (name, settings) in [
        ("everything off", TELEMETRY_OFF.as_slice()),
        ("defaults", &default),
        ("all logged", &all),
    ] {
        let directory = setup.directory().join(name.replace(' ', "-"));
        fs::create_dir_all(&directory)?;
        let service = Service::start_with(&redis, &directory, settings).await?;
        services.push((name, service));
    }
    let (_, first) = services.first().ok_or("no services")?;
    let id = first.create(TEN_PAIRS).await?;
    let rows = services.iter().map(|(name, service)| {
        Measured::new(
            ("read one key", name),
            service.read_first_name(&id),
            &service.process,
            &redis,
        )
    });
    let mut rows: Vec<Measured<'_>> = rows.collect();
    Measured::measure_alternating_rounds(&mut rows, &first.client, setup, ROUNDS).await?;
    Measured::check(rows.iter())?;
    let [off, others @ ..] = rows.as_slice() else {
        return Err("no rows".into());
    };
    let verdicts = others.iter().zip(TARGETS).map(|(row, target)| {
        let added = row.cpu_us() - off.cpu_us();
        let disturbed = if row.is_disturbed() || off.is_disturbed() {
            ", disturbed"
        } else {
            ""
        };
        let verdict = verdict(added <= target) + disturbed;
        format!(
            "  {}: {added:.1} us of additional CPU time per read, target <= {target} us: {verdict}",
            row.by
        )
    });
    let verdicts: Vec<String> = verdicts.collect();
    let telemetry = check_telemetry(&services).await?;
    print_line(&format!(
        "\nTelemetry: reading one key; {ROUNDS} alternating rounds, medians. Defaults: metrics, a log line for \
         each failed or slow request, 1 % traced\nto a collector that accepts it.\n{}\n\n{}\n{telemetry}",
        Measured::rows(rows.iter()),
        verdicts.join("\n"),
    ))
}

/// Checks that telemetry was recorded: otherwise the figures are not valid.
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
        let lines_dropped = value("switchboard_log_lines_dropped_total")?;
        if spans < 1.0 {
            return Err("no span has reached the collector".into());
        }
        lines.push(format!(
            "  {name}: {spans} spans exported, {dropped} dropped; {lines_dropped} log lines dropped"
        ));
    }
    Ok(lines.join("\n"))
}
