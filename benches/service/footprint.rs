//! Memory in Redis per service.

use std::fs;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Result, print_line,
    servers::{Redis, Service, hash_of},
    setup::Setup,
    table::Table,
};

/// Number of services, created through the API.
const COUNT: u32 = 100_000;
/// Concurrent requests during their creation.
const CONCURRENCY: usize = 64;
/// Five pairs of 20 bytes each, name and value together.
const PAIRS: &str = "Customer=471147114711&Language=English-text&Products=Phone-mobile&\
     Reasoned=Billing-info&Segments=Golden-class";
const PAYLOAD: u32 = 5 * 20;

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start or a create fails.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let catalog = setup.directory().join("footprint.toml");
    fs::write(&catalog, catalog_text())?;
    let catalog = catalog.display().to_string();
    let settings = [("SWITCHBOARD__CATALOG__FILE", catalog.as_str())];
    let mut table = Table::new(
        2,
        &[
            "100,000 services",
            "encoding",
            "bytes each",
            "payload",
            "hash",
        ],
    );
    for (name, what) in [("store", "without a booking"), ("booked", "with a booking")] {
        let redis = Redis::start(setup.directory()).await?;
        let service = Service::start_with(&redis, setup.directory(), &settings).await?;
        // The first create also writes the numbers of its group to Redis, which all services share.
        let id = service.create_named(name, PAIRS).await?;
        let before = redis.memory()?;
        stream::iter(0..COUNT)
            .map(|_| service.create_named(name, PAIRS))
            .buffer_unordered(CONCURRENCY)
            .try_for_each(async |_| Ok(()))
            .await?;
        let each = (redis.memory()? - before) / f64::from(COUNT);
        let hash = hash_of(&id);
        table.add(vec![
            what.to_owned(),
            redis.command(&["OBJECT", "ENCODING", &hash])?,
            format!("{each:.0}"),
            PAYLOAD.to_string(),
            redis
                .command::<u64>(&["MEMORY", "USAGE", &hash])?
                .to_string(),
        ]);
    }
    print_line(&format!(
        "\nFootprint: memory in Redis for 5 pairs of 20 bytes: all memory that Redis allocates for a service, \
         and its hash alone.\n{}",
        table.text()
    ))
}

fn catalog_text() -> String {
    let numbers: Vec<String> = (0..=COUNT)
        .map(|n| format!("'{}'", 2_000_000_000 + n))
        .collect();
    format!(
        "[services.store]\n_type = 'builtin'\n_service = 'store'\n\
         [services.booked]\n_type = 'builtin'\n_service = 'request-interaction'\n\
         _resource_group = 'all'\n_booking_expiration_timeout = '1800'\n\
         [resources.all]\n_allocation_strategy = 'CLUSTER'\nnumbers = [{}]\n",
        numbers.join(",")
    )
}
