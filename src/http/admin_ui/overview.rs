//! *Overview*: current problems, charts, replicas, store latency, request rates, cleanup, and usage of the resource groups,
//! with live updates.

use std::time::Duration;

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use self::charts::Charts;
use super::{Layout, PageResult, flash_message, ok_page, page_url, replica, signed_in::SignedIn};
use crate::{
    http::{
        ApiError, AppState,
        admin_api::{self, problems::MAX_GROUPS, statistics::parse_range},
        body,
    },
    model::{NodeStatus, Timestamp, statistics::StatisticsRange},
    service::{
        LostEntries, MostUsedGroups, Overview, Problem, ProblemTarget, Replica, StoreOutage,
    },
};

mod charts;
pub(super) mod events;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    layout: Layout,
    flash: &'static str,
    lost: LostEntries,
    range: StatisticsRange,
    summary: Summary<'a>,
    charts: Charts,
    details: Details<'a>,
}

/// The first live part of the page: problems and figures.
#[derive(Template)]
#[template(path = "overview_summary.html")]
struct Summary<'a> {
    data: &'a OverviewData,
}

/// The last live part of the page: replicas and groups.
#[derive(Template)]
#[template(path = "overview_details.html")]
struct Details<'a> {
    data: &'a OverviewData,
}

/// The data of the live parts of the page, except for the charts.
struct OverviewData {
    updated_at: Timestamp,
    services: u64,
    /// Latency of the store.
    store_latency: Duration,
    replicas: Vec<Replica>,
    groups: MostUsedGroups,
    /// Why no data was read.
    error: Option<String>,
    /// The current problems.
    problems: Vec<Problem>,
    /// Set while the store is unavailable; the data is then from `updated_at`.
    outage: Option<StoreOutage>,
    /// Whether any data was read.
    has_figures: bool,
    /// The current state of this replica.
    own_replica: Option<Replica>,
}

impl OverviewData {
    /// The data, with times of failed bookings that are at most `max_age` old.
    async fn load(state: &AppState, max_age: Duration) -> Self {
        match Self::try_load(state, max_age).await {
            Ok(data) => data,
            Err(error) => Self {
                updated_at: Timestamp::default(),
                services: 0,
                store_latency: Duration::ZERO,
                replicas: Vec::new(),
                groups: MostUsedGroups::default(),
                error: Some(error.to_string()),
                problems: Vec::new(),
                outage: None,
                has_figures: false,
                own_replica: None,
            },
        }
    }

    async fn try_load(state: &AppState, max_age: Duration) -> Result<Self, ApiError> {
        let admin = admin_api::admin_service(state)?;
        let Overview {
            stats,
            outage,
            own_replica,
            problems,
        } = admin.overview(MAX_GROUPS, max_age).await;
        let figures = stats.as_deref();
        Ok(Self {
            updated_at: figures.map_or_else(Timestamp::default, |stats| stats.at),
            services: figures.map_or(0, |stats| stats.services),
            store_latency: figures.map_or(Duration::ZERO, |stats| stats.latency),
            replicas: figures.map_or_else(Vec::new, |stats| stats.replicas.clone()),
            groups: figures.map_or_else(MostUsedGroups::default, |stats| stats.groups.clone()),
            error: None,
            problems,
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

/// The page on which an operator solves a problem, and its name.
fn problem_link(target: &ProblemTarget) -> (String, String) {
    let (segments, label) = match target {
        ProblemTarget::Replica(id) => (
            &["replicas", id.as_str()][..],
            "Open the replica".to_owned(),
        ),
        ProblemTarget::Group(name) => (
            &["groups", name.as_str()][..],
            format!("Open the group {name}"),
        ),
        ProblemTarget::Webhook(name) => (
            &["webhooks", name.as_str()][..],
            format!("Open the webhook {name}"),
        ),
        ProblemTarget::Services => (&["services"][..], "Open the service definitions".to_owned()),
        ProblemTarget::Catalog => (&["catalog"][..], "Open import and export".to_owned()),
    };
    (page_url(segments), label)
}

/// `GET /genesys/1/admin/ui`
pub(super) async fn show_overview(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let range = parse_range(&query)?;
    let data = OverviewData::load(&state, Duration::ZERO).await;
    ok_page(&OverviewPage {
        layout: Layout::new(&session, "overview", "Overview"),
        flash: flash_message(&query, &replica::FLASH_MESSAGES),
        lost: admin_api::admin_service(&state)?.lost_entries(),
        range,
        summary: Summary { data: &data },
        charts: Charts::load(&state, range).await,
        details: Details { data: &data },
    })
}
