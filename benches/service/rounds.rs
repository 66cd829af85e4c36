//! A request that is measured in several rounds, and the report.

use std::time::{Duration, Instant};

use reqwest::Client;

use crate::{
    ROUNDS, Result, cpu,
    load::{Load, Request},
    open_loop,
    process::Process,
    servers::Redis,
    setup::Setup,
    table::Table,
};

const MICROSECONDS: f64 = 1e6;
/// Maximum number of cores busy with other processes without a warning.
const MAX_BACKGROUND_LOAD: f64 = 0.15;

/// A request, the process that serves it, and the results so far.
pub(crate) struct Measured<'a> {
    pub(crate) what: &'static str,
    pub(crate) by: &'static str,
    pub(crate) request: Request,
    /// Requests per second of an open loop; `None` for as many as possible.
    rate: Option<f64>,
    process: &'a Process,
    redis: &'a Redis,
    rounds: Vec<Round>,
}

struct Round {
    load: Load,
    cpu_us: f64,
    redis_us: f64,
    /// Cores that were busy with other processes.
    others: f64,
}

/// CPU seconds at a time, or between two.
struct CpuUsage {
    at: Instant,
    server: f64,
    redis: f64,
    /// Of the benchmark and of the load generator.
    benchmark: f64,
    machine: f64,
}

impl CpuUsage {
    fn since(&self, before: &Self) -> Self {
        Self {
            at: self.at,
            server: self.server - before.server,
            redis: self.redis - before.redis,
            benchmark: self.benchmark - before.benchmark,
            machine: self.machine - before.machine,
        }
    }
}

impl<'a> Measured<'a> {
    pub(crate) fn new(
        (what, by): (&'static str, &'static str),
        request: Request,
        process: &'a Process,
        redis: &'a Redis,
    ) -> Self {
        Self {
            what,
            by,
            request,
            rate: None,
            process,
            redis,
            rounds: Vec::new(),
        }
    }

    /// The same request at a fixed rate: the fraction `of_maximum` of the requests per second measured here.
    pub(crate) fn open_loop(&self, what: &'static str, of_maximum: f64) -> Self {
        let request = self.request.clone();
        Self {
            rate: Some(self.requests_per_second() * of_maximum),
            ..Self::new((what, self.by), request, self.process, self.redis)
        }
    }

    /// A second of load without measurement.
    pub(crate) async fn warm_up(&self, setup: &Setup) -> Result<()> {
        let second = Duration::from_secs(1);
        self.request.load(second, setup.directory()).await?;
        Ok(())
    }

    pub(crate) async fn round(&mut self, setup: &Setup) -> Result<()> {
        self.round_of(setup.round, setup).await
    }

    /// A round of this duration.
    pub(crate) async fn round_of(&mut self, duration: Duration, setup: &Setup) -> Result<()> {
        let before = self.cpu_usage()?;
        let load = match self.rate {
            Some(rate) => open_loop::load(&self.request, rate, duration).await?,
            None => self.request.load(duration, setup.directory()).await?,
        };
        let used = self.cpu_usage()?.since(&before);
        let measured = used.server + used.redis + used.benchmark;
        let others =
            (used.machine - measured).max(0.0) / used.at.duration_since(before.at).as_secs_f64();
        let per_request = |seconds: f64| seconds * MICROSECONDS / load.requests.max(1.0);
        self.rounds.push(Round {
            cpu_us: per_request(used.server),
            redis_us: per_request(used.redis),
            others,
            load,
        });
        Ok(())
    }

    /// Warms up all of `rows`, then measures them alternately.
    pub(crate) async fn measure_alternating(
        rows: &mut [Self],
        client: &Client,
        setup: &Setup,
    ) -> Result<()> {
        Self::measure_alternating_rounds(rows, client, setup, ROUNDS).await
    }

    /// The same with this number of rounds.
    pub(crate) async fn measure_alternating_rounds(
        rows: &mut [Self],
        client: &Client,
        setup: &Setup,
        rounds: usize,
    ) -> Result<()> {
        for row in &*rows {
            row.request.check(client).await?;
            row.warm_up(setup).await?;
        }
        for _ in 0..rounds {
            for row in &mut *rows {
                row.round(setup).await?;
            }
        }
        Ok(())
    }

    /// All of `rows` as a table, with a warning if other processes were busy.
    pub(crate) fn rows<'r>(rows: impl Iterator<Item = &'r Self>) -> String
    where
        Self: 'r,
    {
        let (mut table, mut others) = (Self::table(), 0.0_f64);
        for row in rows {
            table.add(row.row());
            others = others.max(row.background_load());
        }
        let disturbed = format!(
            "\n\nDISTURBED: other processes kept up to {others:.2} cores busy. Rows with more than {MAX_BACKGROUND_LOAD} in \
             `others`, and their\nratios, are not valid, whether targets are met or not; repeat the run on an idle \
             machine."
        );
        table.text()
            + if others > MAX_BACKGROUND_LOAD {
                &disturbed
            } else {
                ""
            }
    }

    /// # Errors
    /// If a response of any of `rows` was not a success.
    pub(crate) fn check<'r>(rows: impl Iterator<Item = &'r Self>) -> Result<()>
    where
        Self: 'r,
    {
        let errors: f64 = rows.map(Self::errors).sum();
        if errors > 0.0 {
            return Err(format!("{errors} responses were not a success").into());
        }
        Ok(())
    }

    fn cpu_usage(&self) -> Result<CpuUsage> {
        Ok(CpuUsage {
            at: Instant::now(),
            server: self.process.cpu_seconds()?,
            redis: self.redis.process.cpu_seconds()?,
            benchmark: cpu::benchmark_seconds()?,
            machine: cpu::machine_seconds()?,
        })
    }

    fn round_values(&self, value: impl Fn(&Round) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        median(&self.round_values(per_second))
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        median(&self.round_values(|round| round.cpu_us))
    }

    pub(crate) fn redis_us(&self) -> f64 {
        median(&self.round_values(|round| round.redis_us))
    }

    /// Cores that were busy with other processes, in the worst round.
    fn background_load(&self) -> f64 {
        let others = self.rounds.iter().map(|round| round.others);
        others.fold(0.0, f64::max)
    }

    /// Whether other processes were so busy that the figures are not valid.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.background_load() > MAX_BACKGROUND_LOAD
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        median(&self.round_values(|round| round.load.p99_ms))
    }

    /// The errors of all rounds.
    fn errors(&self) -> f64 {
        self.round_values(|round| round.load.errors).iter().sum()
    }

    /// The columns of [`Measured::row`].
    fn table() -> Table {
        Table::new(
            2,
            &[
                "",
                "by",
                "requests/s",
                "lowest",
                "highest",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "CPU us",
                "Redis us",
                "others",
                "errors",
            ],
        )
    }

    fn row(&self) -> Vec<String> {
        let rates = self.round_values(per_second);
        let (lowest, highest) = (rates.first(), rates.last());
        let p50 = median(&self.round_values(|round| round.load.p50_ms));
        let p99 = self.p99_ms();
        let p99_9 = median(&self.round_values(|round| round.load.p99_9_ms));
        vec![
            self.what.to_owned(),
            self.by.to_owned(),
            format!("{:.0}", self.requests_per_second()),
            format!("{:.0}", lowest.unwrap_or(&f64::NAN)),
            format!("{:.0}", highest.unwrap_or(&f64::NAN)),
            format!("{p50:.2}"),
            format!("{p99:.2}"),
            format!("{p99_9:.2}"),
            format!("{:.1}", self.cpu_us()),
            format!("{:.1}", self.redis_us()),
            format!("{:.2}", self.background_load()),
            format!("{:.0}", self.errors()),
        ]
    }
}

fn per_second(round: &Round) -> f64 {
    round.load.requests / round.load.seconds
}

/// The median of sorted values.
pub(crate) fn median(values: &[f64]) -> f64 {
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
