//! Usage and numbers of a resource group.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};

use super::{
    PageError, PageResult,
    form::Form,
    group_numbers::{self, NumberList},
    page_url, quarantine, redirect_see_other,
    redirect_targets::is_safe_redirect,
    signed_in::SignedIn,
};
use crate::{
    http::{AppState, admin_api, body, path},
    model::{PoolUsage, Table, Timestamp},
    service::UsageSample,
};

/// Width (in seconds) and height of the usage chart.
const CHART_WIDTH: u64 = 3_600;
const CHART_HEIGHT: u64 = 100;
/// Samples with a larger distance are not connected by a line.
const MAX_SAMPLE_GAP: Duration = Duration::from_secs(75);

/// Usage and numbers of an active group.
pub(super) struct GroupPage {
    pub(super) group: String,
    pub(super) usage: PoolUsage,
    /// Whether services share its numbers, so that the usage does not count their bookings.
    pub(super) is_shared: bool,
    /// When a booking last found no free number, if that was in the last week.
    pub(super) exhausted_at: Option<Timestamp>,
    /// The usage of the last hour: the points of each line.
    pub(super) chart_lines: Vec<String>,
    /// Peak usage of the last hour.
    pub(super) max_reserved: u64,
    pub(super) numbers: NumberList,
}

impl GroupPage {
    /// The URL to submit the release form to.
    pub(super) fn release_url(&self) -> String {
        page_url(&["groups", &self.group]) + "/release"
    }

    /// The URL to submit selected numbers to.
    pub(super) fn quarantine_url(&self) -> String {
        quarantine::quarantine_url(&self.group)
    }

    pub(super) fn bookings_url(&self) -> String {
        group_numbers::bookings_url(&self.group)
    }
}

/// Loads usage and numbers of the group of a page; `None` for services.
pub(super) async fn load_group_page(
    state: &AppState,
    request: &HttpRequest,
    table: Table,
) -> Result<Option<GroupPage>, PageError> {
    if table != Table::Resources {
        return Ok(None);
    }
    let (name, query) = (
        path::page_name(request)?,
        body::parse_query(state, request)?,
    );
    let (admin, now) = (admin_api::admin_service(state)?, state.services.now()?);
    let numbers = NumberList::load(admin, &name, &query, now).await?;
    let usage = admin.pool_usage(&name).await?;
    let exhausted_at = admin.exhausted_at(&name).await?;
    let samples = admin.usage_history(&name);
    Ok(Some(GroupPage {
        usage,
        is_shared: admin.has_shared_numbers(&name),
        exhausted_at,
        chart_lines: chart_lines(&samples, now),
        max_reserved: samples
            .iter()
            .map(UsageSample::used)
            .max()
            .unwrap_or_default(),
        numbers,
        group: name,
    }))
}

/// A line for each sequence of samples without a gap. `now` is the right edge; the last sample extends to it.
fn chart_lines(samples: &[UsageSample], now: Timestamp) -> Vec<String> {
    let last = samples
        .last()
        .filter(|last| now.since(last.at) <= MAX_SAMPLE_GAP);
    let until_now = last.map(|last| UsageSample { at: now, ..*last });
    let samples: Vec<UsageSample> = samples.iter().copied().chain(until_now).collect();
    let segments = samples.chunk_by(|before, after| after.at.since(before.at) <= MAX_SAMPLE_GAP);
    let line = |segment: &[UsageSample]| {
        let points = segment.iter().map(|sample| {
            let x = CHART_WIDTH.saturating_sub(now.since(sample.at).as_secs());
            let y = CHART_HEIGHT - (sample.used() * CHART_HEIGHT) / sample.size.max(1);
            format!("{x},{y}")
        });
        points.collect::<Vec<_>>().join(" ")
    };
    segments.map(line).collect()
}

/// `POST /genesys/1/admin/ui/groups/{name}/release`
pub(super) async fn release_number(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let name = path::page_name(&request)?;
    let form = Form::read(&state, &session, &request, payload).await?;
    let actor = session.actor(&state, &request);
    let admin = admin_api::admin_service(&state)?;
    admin
        .release_number(&name, form.text("booking"), &actor)
        .await?;
    let back = form.text("back");
    let group_page = page_url(&["groups", &name]);
    let page = if is_safe_redirect(back) {
        back
    } else {
        &group_page
    };
    let separator = if page.contains('?') { '&' } else { '?' };
    Ok(redirect_see_other(&format!(
        "{page}{separator}message=released"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_lines_break_at_gaps() {
        let sample = |seconds: i64, free| UsageSample {
            at: Timestamp::from_millis(seconds * 1_000),
            size: 4,
            free,
        };
        let samples = [sample(0, 4), sample(30, 2), sample(300, 0), sample(330, 4)];
        let lines = chart_lines(&samples, Timestamp::from_millis(330_000));
        assert_eq!(lines, ["3270,100 3300,50", "3570,0 3600,100 3600,100"]);
        let lines = chart_lines(&samples[..1], Timestamp::from_millis(20_000));
        assert_eq!(
            lines,
            ["3580,100 3600,100"],
            "the last sample extends to now"
        );
        let lines = chart_lines(&samples[..1], Timestamp::from_millis(80_000));
        assert_eq!(lines, ["3520,100"], "an old sample does not");
        assert_eq!(chart_lines(&[], Timestamp::from_millis(1)), [""; 0]);
    }
}
