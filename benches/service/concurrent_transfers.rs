//! Third part: what readers of one key notice of large binaries on their way.

use std::{cell::Cell, slice};

use futures_util::future::{try_join, try_join_all};

use crate::{
    ROUNDS, Result,
    load::Request,
    print_line,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    targets::{Ratios, Target},
    transfers,
};

/// Binaries on their way at a time.
const COUNT: u8 = 16;
/// How much longer the slowest readers may wait meanwhile.
const TARGET: Target = Target::AtMost(3.0);

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start, a transfer fails, or a request was not answered with success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let row = |by: &'static str| {
        let request = Request {
            url: service.url(&format!("{id}/storage/FirstName")),
            form: None,
            answer: "\"Jane\"".to_owned(),
            among: None,
        };
        Measured::new(("read one key", by), request, &service.process, &redis)
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
            let (made, _) = transfers::upload_all(&service, 1).await?;
            service.delete(&made.concat()).await
        };
        measure_with_transfers(up, setup, &ids, upload).await?;
    }
    let mut ratios = Ratios::new();
    for row in [&*down, &*up] {
        let ratio = row.p99_ms() / alone.p99_ms();
        let disturbed = row.is_disturbed() || alone.is_disturbed();
        let name = format!("beside {} / alone", row.by);
        ratios.add(&name, "p99", ratio, TARGET, disturbed);
    }
    print_line(&format!(
        "\nBeside: reading one key while binaries of 64 MiB are on their way; {ROUNDS} rounds by turns; \
         medians.\n{}\n{}",
        Measured::rows(rows.iter()),
        ratios.text()
    ))?;
    Measured::check(rows.iter())
}

/// A round while each of `ids` is transferred again and again; returns when the last transfer is over.
async fn measure_with_transfers<'i>(
    row: &mut Measured<'_>,
    setup: &Setup,
    ids: &'i [String],
    transfer: impl AsyncFn(&'i String) -> Result<()>,
) -> Result<()> {
    let over = Cell::new(false);
    let again = ids.iter().map(async |id| {
        while !over.get() {
            transfer(id).await?;
        }
        Ok(())
    });
    let round = async {
        let round = row.round(setup).await;
        over.set(true);
        round
    };
    try_join(round, try_join_all(again)).await?;
    Ok(())
}
