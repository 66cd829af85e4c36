//! What only resource groups have: numbers that somebody holds.

use std::time::Duration;

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{Page, PageError, form::Form, gate::Visitor, see, url};
use crate::{
    http::{Api, ApiError, admin, body, path},
    service::Sample,
    store::{ListedBooking, Moment, Pool, Table},
};

/// Bookings on a page.
const PAGE: usize = 50;
/// Seconds that the picture of the fill is wide, and how high it is.
const WIDTH: u64 = 3_600;
const HEIGHT: u64 = 100;
/// Two samples that lie further apart have something between them that nobody saw.
const GAP: Duration = Duration::from_secs(75);

/// Who holds numbers of a group.
pub(super) struct Holders {
    pub(super) group: String,
    pub(super) fill: Pool,
    /// The fill over the last hour: the points of each line.
    pub(super) lines: Vec<String>,
    /// Most numbers that were held at a time in it.
    pub(super) most: u64,
    pub(super) bookings: Vec<ListedBooking>,
    /// Which number was asked for.
    pub(super) number: String,
    /// Where the next page is.
    pub(super) next: Option<String>,
    pub(super) problem: String,
    /// What that answers a request with: then nobody knows who holds what.
    pub(super) refused: Option<StatusCode>,
}

impl Holders {
    /// Where numbers are given back.
    pub(super) fn give_back(&self) -> String {
        url(&["groups", &self.group]) + "/release"
    }
}

/// Who holds numbers of the group that the page is about; nobody asks that of services.
pub(super) async fn holders(
    api: &Api,
    request: &HttpRequest,
    table: Table,
) -> Result<Option<Holders>, PageError> {
    if table != Table::Resources {
        return Ok(None);
    }
    let (name, query) = (path::page_name(request)?, body::query(api, request)?);
    let number = query.text("number").unwrap_or_default().trim().to_owned();
    let asked = Some(number.as_str()).filter(|number| !number.is_empty());
    let (admin, after) = (admin::admin(api)?, admin::place(&query)?);
    let fill = admin.fill(&name).await?;
    let listed = admin.bookings(&name, asked, after.as_ref(), PAGE).await;
    let (page, error) = match listed.map_err(ApiError::from) {
        Ok(page) => (Some(page), None),
        Err(error) => (None, Some(error)),
    };
    let next = page.as_ref().and_then(|page| page.next.as_ref());
    let next = next.map(|next| {
        format!(
            "{}?after={}",
            url(&["groups", &name]),
            super::encoded(&admin::told(next))
        )
    });
    let bookings = page.map(|page| page.entries).unwrap_or_default();
    let samples = admin.trend(&name);
    Ok(Some(Holders {
        group: name,
        fill,
        lines: lines(&samples, api.services.now()?),
        most: samples.iter().map(Sample::held).max().unwrap_or_default(),
        bookings,
        number,
        next,
        refused: error.as_ref().map(ApiError::status_code),
        problem: error.map(|error| error.to_string()).unwrap_or_default(),
    }))
}

/// A line for each stretch that was seen without a gap, up to `now` at the right; what was seen last holds until now.
fn lines(samples: &[Sample], now: Moment) -> Vec<String> {
    let last = samples.last().filter(|last| now.since(last.at) <= GAP);
    let until_now = last.map(|last| Sample { at: now, ..*last });
    let samples: Vec<Sample> = samples.iter().copied().chain(until_now).collect();
    let stretches = samples.chunk_by(|before, after| after.at.since(before.at) <= GAP);
    let line = |stretch: &[Sample]| {
        let points = stretch.iter().map(|sample| {
            let x = WIDTH.saturating_sub(now.since(sample.at).as_secs());
            let y = HEIGHT - (sample.held() * HEIGHT) / sample.size.max(1);
            format!("{x},{y}")
        });
        points.collect::<Vec<_>>().join(" ")
    };
    stretches.map(line).collect()
}

/// `POST /genesys/1/admin/ui/groups/{name}/release`
pub(super) async fn release(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let name = path::page_name(&request)?;
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let by = visitor.operator(&api, &request);
    let admin = admin::admin(&api)?;
    admin.release(&name, form.text("booking"), &by).await?;
    Ok(see(&format!("{}?done=released", url(&["groups", &name]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_saw_is_no_part_of_a_line() {
        let sample = |seconds: i64, free| Sample {
            at: Moment::from_millis(seconds * 1_000),
            size: 4,
            free,
        };
        let seen = [sample(0, 4), sample(30, 2), sample(300, 0), sample(330, 4)];
        let told = lines(&seen, Moment::from_millis(330_000));
        assert_eq!(told, ["3270,100 3300,50", "3570,0 3600,100 3600,100"]);
        let told = lines(&seen[..1], Moment::from_millis(20_000));
        assert_eq!(told, ["3580,100 3600,100"], "what was seen last holds");
        let told = lines(&seen[..1], Moment::from_millis(80_000));
        assert_eq!(told, ["3520,100"], "until it is too long ago");
        assert_eq!(lines(&[], Moment::from_millis(1)), [""; 0]);
    }
}
