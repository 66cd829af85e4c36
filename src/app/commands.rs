//! The commands that do not start the service.

use std::{collections::BTreeSet, time::Duration};

use tokio::time;

use super::{
    backends,
    background::open_redis,
    catalog_file::{catalog, catalog_context, read_catalog},
    error::StartError,
    tls::Certificates,
};
use crate::{
    model::{ConsistencyReport, StoreReport, StoredCatalog},
    service::{self, Secrets},
    settings::Settings,
    store::{CatalogStore, Clock, ConsistencyCheck},
    telemetry::metrics::{BackendMetrics, RedisMetrics},
};

/// Delay before the second consistency check: longer than a cleanup takes.
const RECHECK_DELAY: Duration = Duration::from_secs(10);

/// Checks the catalog and the certificate in `settings`. Returns warnings about the catalog.
///
/// # Errors
/// As [`catalog`]; [`StartError::Tls`] for an invalid certificate or key.
pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
    let (file, catalog) = read_catalog(settings, &catalog_context(settings))?;
    backends(settings, &catalog, BackendMetrics::default())?;
    if let Some(tls) = &settings.tls {
        Certificates::load(tls)?.config()?;
    }
    Ok(file.warnings())
}

/// Verifies the bookings in Redis: the service of each booked number, and numbers booked by no service.
///
/// # Errors
/// [`StartError::RedisNotConfigured`] without a Redis URL; otherwise the error of the store.
pub async fn verify_bookings(settings: &Settings) -> Result<ConsistencyReport, StartError> {
    let catalog = catalog(settings)?;
    if settings.redis.urls.is_empty() {
        return Err(StartError::RedisNotConfigured);
    }
    let store = open_redis(settings, &RedisMetrics::default()).await?;
    let stored = store.read_catalog().await?;
    let catalog = catalog.with_stored(
        &stored,
        &BTreeSet::new(),
        &catalog_context(settings),
        store.now()?,
    );
    let groups = catalog.groups().all();
    let report = store.check_consistency(&groups).await?;
    if report.is_clean() {
        return Ok(report);
    }
    // A cleanup may be in progress for some of them.
    time::sleep(RECHECK_DELAY).await;
    Ok(report.confirmed_by(store.check_consistency(&groups).await?))
}

/// Checks the Redis servers.
///
/// # Errors
/// [`StartError::RedisNotConfigured`] without a Redis URL; the error of the store if no server responds.
pub async fn verify_redis(settings: &Settings) -> Result<StoreReport, StartError> {
    if settings.redis.urls.is_empty() {
        return Err(StartError::RedisNotConfigured);
    }
    let store = open_redis(settings, &RedisMetrics::default()).await?;
    Ok(store.check_servers().await?)
}

/// The catalog as a file: the entries of the catalog file, and the stored entries if Redis is configured.
///
/// # Errors
/// As [`catalog`]; the error of the store.
pub async fn export(settings: &Settings, secrets: Secrets) -> Result<String, StartError> {
    let (file, _) = read_catalog(settings, &catalog_context(settings))?;
    let stored = if settings.redis.urls.is_empty() {
        StoredCatalog::default()
    } else {
        let store = open_redis(settings, &RedisMetrics::default()).await?;
        store.read_catalog().await?
    };
    Ok(service::export_catalog(&file, &stored, secrets)?)
}
