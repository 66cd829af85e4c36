//! *Overview*: replicas, store latency, request rates, cleanup, and usage of the resource groups, with live updates.

use std::time::Duration;

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{Layout, PageResult, flash_message, ok_page, replica, signed_in::SignedIn};
use crate::{
    http::{ApiError, AppState, admin_api, body},
    model::{NodeStatus, Timestamp},
    service::{LostEntries, MostUsedGroups, Overview, Replica, StoreOutage},
};

pub(super) mod events;

/// Number of groups with the highest usage that are shown.
const MAX_GROUPS: usize = 12;
#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    flash: &'static str,
    lost: LostEntries,
    data: OverviewData,
}

/// The live part of the page.
#[derive(Template)]
#[template(path = "overview_data.html")]
struct OverviewData {
    updated_at: Timestamp,
    services: u64,
    /// Latency of the store.
    store_latency: Duration,
    replicas: Vec<Replica>,
    groups: MostUsedGroups,
    problem: Option<String>,
    /// Set while the store is unavailable; the data is then from `updated_at`.
    outage: Option<StoreOutage>,
    /// Whether any data was read.
    has_figures: bool,
    /// The current state of this replica.
    own_replica: Option<Replica>,
}

impl OverviewData {
    async fn load(state: &AppState) -> Self {
        match Self::try_load(state).await {
            Ok(data) => data,
            Err(error) => Self {
                updated_at: Timestamp::default(),
                services: 0,
                store_latency: Duration::ZERO,
                replicas: Vec::new(),
                groups: MostUsedGroups::default(),
                problem: Some(error.to_string()),
                outage: None,
                has_figures: false,
                own_replica: None,
            },
        }
    }

    async fn try_load(state: &AppState) -> Result<Self, ApiError> {
        let Overview {
            stats,
            outage,
            own_replica,
        } = admin_api::admin_service(state)?
            .overview(MAX_GROUPS)
            .await?;
        let figures = stats.as_deref();
        Ok(Self {
            updated_at: figures.map_or_else(Timestamp::default, |stats| stats.at),
            services: figures.map_or(0, |stats| stats.services),
            store_latency: figures.map_or(Duration::ZERO, |stats| stats.latency),
            replicas: figures.map_or_else(Vec::new, |stats| stats.replicas.clone()),
            groups: figures.map_or_else(MostUsedGroups::default, |stats| stats.groups.clone()),
            problem: None,
            has_figures: figures.is_some(),
            outage,
            own_replica,
        })
    }

    /// Sum over all replicas; `None` if a replica has no value.
    fn sum(&self, value: impl Fn(&Replica) -> Option<f64>) -> Option<String> {
        let sum: Option<f64> = self.replicas.iter().map(value).sum();
        sum.map(|sum| format!("{sum:.1}"))
    }

    fn requests_per_second(&self) -> Option<String> {
        self.sum(|replica| replica.stats.requests_per_second)
    }

    fn errors_per_second(&self) -> Option<String> {
        self.sum(|replica| replica.stats.errors_per_second)
    }

    fn has_more_groups(&self) -> bool {
        self.groups.usage.len() < self.groups.total_groups
    }

    /// Whether all replicas are OFFLINE.
    fn is_offline(&self) -> bool {
        !self.replicas.is_empty() && self.replicas.iter().all(Replica::is_offline)
    }

    fn cleanup_leader(&self) -> Option<&Replica> {
        self.replicas
            .iter()
            .find(|replica| replica.stats.cleanup_leader)
    }

    fn store_latency(&self) -> String {
        format!("{:.1} ms", self.store_latency.as_secs_f64() * 1e3)
    }

    fn cleanup_lag(&self) -> Option<String> {
        let lag = self.cleanup_leader()?.stats.cleanup_lag_seconds?;
        Some(format!("{lag:.1} s"))
    }
}

/// `GET /genesys/1/admin/ui`
pub(super) async fn show_overview(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    ok_page(&OverviewPage {
        layout: Layout::new(&session, "overview", "Overview"),
        flash: flash_message(&query, &replica::FLASH_MESSAGES),
        lost: admin_api::admin_service(&state)?.lost_entries(),
        data: OverviewData::load(&state).await,
    })
}
