//! The table of numbers on the page of a resource group.

use std::cmp::Ordering;

use super::{
    list_query::{ListQuery, ListSpec, Pager, format_total},
    page_url, percent_encode,
};
use crate::{
    http::ApiError,
    model::{NumberState, Timestamp},
    service::{Admin, FormData, GroupNumber, MAX_SEARCHED},
};

static SPEC: ListSpec = ListSpec {
    path: "",
    filters: &["number", "state"],
    columns: &["number", "state", "last_use"],
    is_descending: false,
};

/// A page of the numbers of a group.
pub(super) struct NumberList {
    group: String,
    pub(super) list: ListQuery,
    pub(super) pager: Pager,
    pub(super) rows: Vec<GroupNumber>,
    /// Whether the group has more numbers than were searched.
    pub(super) is_cut: bool,
    now: Timestamp,
}

impl NumberList {
    /// Reads the page of a query. The states of the page are read, or those of the first [`MAX_SEARCHED`] numbers if the
    /// list is searched or sorted by them.
    pub(super) async fn load(
        admin: &Admin,
        group: &str,
        query: &FormData,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let list = ListQuery::parse_at(page_url(&["groups", group]), &SPEC, query)?;
        let mut numbers = admin.find_group_numbers(group, list.filter("number"))?;
        let (column, is_descending) = list.order();
        let state = list.filter("state");
        let needs_states = !state.is_empty() || column != "number";
        let is_cut = needs_states && numbers.len() > MAX_SEARCHED;
        if needs_states {
            numbers.truncate(MAX_SEARCHED);
            admin.read_number_states(group, &mut numbers).await?;
        }
        numbers.retain(|number| state.is_empty() || number.state_name(now) == state);
        numbers.sort_by(|one, other| {
            let order = compare(one, other, column, now);
            if is_descending {
                order.reverse()
            } else {
                order
            }
        });
        let (mut rows, pager) = list.paginate(numbers);
        if !needs_states {
            admin.read_number_states(group, &mut rows).await?;
        }
        Ok(Self {
            group: group.to_owned(),
            list,
            pager,
            rows,
            is_cut,
            now,
        })
    }

    pub(super) fn state(&self, row: &GroupNumber) -> &'static str {
        row.state_name(self.now)
    }

    pub(super) fn max_searched_text() -> String {
        format_total(MAX_SEARCHED)
    }

    /// The other bookings of a shared number: their number, and the URL of the list of them.
    pub(super) fn other_bookings(&self, row: &GroupNumber) -> Option<(String, String)> {
        let others = row
            .state
            .bookings
            .checked_sub(1)
            .filter(|others| *others > 0)?;
        let is_all = row.state.bookings < NumberState::MAX_COUNTED;
        let text = match (others, is_all) {
            (1, true) => "1 other".to_owned(),
            (_, true) => format!("{others} others"),
            (_, false) => format!("at least {others} others"),
        };
        let number = percent_encode(&row.number.text);
        Some((
            text,
            format!("{}&number={number}", bookings_url(&self.group)),
        ))
    }
}

/// The URL of the list of all bookings of a group.
pub(super) fn bookings_url(group: &str) -> String {
    format!(
        "{}?group={}",
        page_url(&["bookings"]),
        percent_encode(group)
    )
}

fn compare(one: &GroupNumber, other: &GroupNumber, column: &str, now: Timestamp) -> Ordering {
    let by_number = || one.number.text.cmp(&other.number.text);
    match column {
        "state" => one.state_name(now).cmp(other.state_name(now)),
        "last_use" => one.state.last_used.cmp(&other.state.last_used),
        _ => by_number(),
    }
    .then_with(by_number)
}
