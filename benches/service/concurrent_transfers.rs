//! The effect of transfers of large binaries on readers of one key.

use std::{cell::Cell, slice};

use futures_util::future::{try_join, try_join_all};

use crate::{
    ROUNDS, Result, print_line,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    targets::{Ratios, Target},
    transfers,
};

/// Concurrent transfers.
const COUNT: u8 = 16;
/// Maximum ratio of the p99 latency of readers.
const TARGET: Target = Target::AtMost(3.0);

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, a transfer fails, or a response is not a success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let row = |by: &'static str| {
        Measured::new(
            ("read one key", by),
            service.read_first_name(&id),
            &service.process,
            &redis,
        )
    };
    let (ids, _) = transfers::upload_all(&service, COUNT).await?;
    let mut rows = [row("alone"), row("16 downloads"), row("16 uploads")];
    for row in &rows {
        row.request.check(&service.client).await?;
    }
    let [alone, down, up] = &mut rows;
    alone.warm_up(setup).await?;
    for _ in 0..ROUNDS {
        alone.round(setup).await?;
        let download = async |id| {
            transfers::download_all(&service, slice::from_ref(id))
                .await
                .map(drop)
        };
        measure_with_transfers(down, setup, &ids, download).await?;
        let upload = async |_| {
            let (created, _) = transfers::upload_all(&service, 1).await?;
            service.delete(&created.concat()).await
        };
        measure_with_transfers(up, setup, &ids, upload).await?;
    }
    let mut ratios = Ratios::new();
    for row in [&*down, &*up] {
        let ratio = row.p99_ms() / alone.p99_ms();
        let disturbed = row.is_disturbed() || alone.is_disturbed();
        let name = format!("with {} / alone", row.by);
        ratios.add(&name, "p99", ratio, TARGET, disturbed);
    }
    print_line(&format!(
        "\nTransfers: reading one key during transfers of binaries of 64 MiB; {ROUNDS} alternating rounds; \
         medians.\n{}\n{}",
        Measured::rows(rows.iter()),
        ratios.text()
    ))?;
    Measured::check(rows.iter())
}

/// Measures a round while each of `ids` is transferred repeatedly; returns after the last transfer.
async fn measure_with_transfers<'i>(
    row: &mut Measured<'_>,
    setup: &Setup,
    ids: &'i [String],
    transfer: impl AsyncFn(&'i String) -> Result<()>,
) -> Result<()> {
    let is_done = Cell::new(false);
    let repeated = ids.iter().map(async |id| {
        while !is_done.get() {
            transfer(id).await?;
        }
        Ok(())
    });
    let round = async {
        let round = row.round(setup).await;
        is_done.set(true);
        round
    };
    try_join(round, try_join_all(repeated)).await?;
    Ok(())
}
