//! What only resource groups have: numbers that somebody holds.

use std::time::Duration;

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{
    PageError, PageResult, form::Form, page_url, redirect_see_other, session_middleware::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, path},
    service::UsageSample,
    store::{ListedBooking, PoolUsage, Table, Timestamp},
};

/// Bookings on a page.
const PAGE_SIZE: usize = 50;
/// Seconds that the picture of the fill is wide, and how high it is.
const CHART_WIDTH: u64 = 3_600;
const CHART_HEIGHT: u64 = 100;
/// Two samples that lie further apart have something between them that nobody saw.
const MAX_SAMPLE_GAP: Duration = Duration::from_secs(75);

/// Who holds numbers of a group.
pub(super) struct GroupBookings {
    pub(super) group: String,
    pub(super) usage: PoolUsage,
    /// The fill over the last hour: the points of each line.
    pub(super) chart_lines: Vec<String>,
    /// Most numbers that were held at a time in it.
    pub(super) max_reserved: u64,
    pub(super) bookings: Vec<ListedBooking>,
    /// Which number was asked for.
    pub(super) number: String,
    /// Where the next page is.
    pub(super) next: Option<String>,
    pub(super) problem: String,
    /// What that answers a request with: then nobody knows who holds what.
    pub(super) error_status: Option<StatusCode>,
}

impl GroupBookings {
    /// Where numbers are given back.
    pub(super) fn release_url(&self) -> String {
        page_url(&["groups", &self.group]) + "/release"
    }
}

/// Who holds numbers of the group that the page is about; nobody asks that of services.
pub(super) async fn load_group_bookings(
    api: &AppState,
    request: &HttpRequest,
    table: Table,
) -> Result<Option<GroupBookings>, PageError> {
    if table != Table::Resources {
        return Ok(None);
    }
    let (name, query) = (path::page_name(request)?, body::parse_query(api, request)?);
    let number = query.text("number").unwrap_or_default().trim().to_owned();
    let asked = Some(number.as_str()).filter(|number| !number.is_empty());
    let (admin, after) = (
        admin_api::admin_service(api)?,
        admin_api::parse_cursor(&query)?,
    );
    let fill = admin.pool_usage(&name).await?;
    let listed = admin
        .list_bookings(&name, asked, after.as_ref(), PAGE_SIZE)
        .await;
    let (page, error) = match listed.map_err(ApiError::from) {
        Ok(page) => (Some(page), None),
        Err(error) => (None, Some(error)),
    };
    let next = page.as_ref().and_then(|page| page.next.as_ref());
    let next = next.map(|next| {
        format!(
            "{}?after={}",
            page_url(&["groups", &name]),
            super::percent_encode(&admin_api::format_cursor(next))
        )
    });
    let bookings = page.map(|page| page.entries).unwrap_or_default();
    let samples = admin.usage_history(&name);
    Ok(Some(GroupBookings {
        group: name,
        usage: fill,
        chart_lines: chart_lines(&samples, api.services.now()?),
        max_reserved: samples
            .iter()
            .map(UsageSample::used)
            .max()
            .unwrap_or_default(),
        bookings,
        number,
        next,
        error_status: error.as_ref().map(ApiError::status_code),
        problem: error.map(|error| error.to_string()).unwrap_or_default(),
    }))
}

/// A line for each stretch that was seen without a gap, up to `now` at the right; what was seen last holds until now.
fn chart_lines(samples: &[UsageSample], now: Timestamp) -> Vec<String> {
    let last = samples
        .last()
        .filter(|last| now.since(last.at) <= MAX_SAMPLE_GAP);
    let until_now = last.map(|last| UsageSample { at: now, ..*last });
    let samples: Vec<UsageSample> = samples.iter().copied().chain(until_now).collect();
    let stretches = samples.chunk_by(|before, after| after.at.since(before.at) <= MAX_SAMPLE_GAP);
    let line = |stretch: &[UsageSample]| {
        let points = stretch.iter().map(|sample| {
            let x = CHART_WIDTH.saturating_sub(now.since(sample.at).as_secs());
            let y = CHART_HEIGHT - (sample.used() * CHART_HEIGHT) / sample.size.max(1);
            format!("{x},{y}")
        });
        points.collect::<Vec<_>>().join(" ")
    };
    stretches.map(line).collect()
}

/// `POST /genesys/1/admin/ui/groups/{name}/release`
pub(super) async fn release_number(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let name = path::page_name(&request)?;
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let by = visitor.actor(&api, &request);
    let admin = admin_api::admin_service(&api)?;
    admin
        .release_number(&name, form.text("booking"), &by)
        .await?;
    Ok(redirect_see_other(&format!(
        "{}?done=released",
        page_url(&["groups", &name])
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
        let seen = [sample(0, 4), sample(30, 2), sample(300, 0), sample(330, 4)];
        let told = chart_lines(&seen, Timestamp::from_millis(330_000));
        assert_eq!(told, ["3270,100 3300,50", "3570,0 3600,100 3600,100"]);
        let told = chart_lines(&seen[..1], Timestamp::from_millis(20_000));
        assert_eq!(told, ["3580,100 3600,100"], "what was seen last holds");
        let told = chart_lines(&seen[..1], Timestamp::from_millis(80_000));
        assert_eq!(told, ["3520,100"], "until it is too long ago");
        assert_eq!(chart_lines(&[], Timestamp::from_millis(1)), [""; 0]);
    }
}
