//! *Bookings* of all resource groups.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    Layout, PageResult,
    bulk_action::{BulkAction, SelectedRow, selected, unknown_action},
    bulk_outcome::redirect_to_result,
    form::Form,
    format,
    list_query::{ListQuery, ListSpec, Pager, format_total},
    ok_page, page_url,
    signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body},
    model::{ExpiryOrder, ListRange, ListedBooking, Timestamp},
    service::{Admin, FormData, MAX_SAMPLED_GROUPS, MAX_SEARCHED},
};

static SPEC: ListSpec = ListSpec {
    path: "/genesys/1/admin/ui/bookings",
    filters: &["number", "group"],
    columns: &["expires_at"],
    is_descending: false,
};

const RELEASE_URL: &str = "/genesys/1/admin/ui/selected/bookings";

pub(super) static RELEASE: BulkAction = BulkAction {
    name: "release",
    verb: "Release",
    result_title: "Release: result",
    unchanged: "unchanged",
    objects: ["number", "numbers"],
    effect: "The numbers become available to other services at once. Calls to them no longer match these services. The \
             services themselves stay active.",
    is_danger: true,
    section: "bookings",
};

#[derive(Template)]
#[template(path = "bookings.html")]
struct BookingsPage {
    layout: Layout,
    list: ListQuery,
    pager: Pager,
    /// Each with its resource group.
    bookings: Vec<(String, ListedBooking)>,
    groups: Vec<String>,
    /// Whether the number has more bookings than are read.
    has_unread_bookings: bool,
}

impl BookingsPage {
    fn is_soonest_first(&self) -> bool {
        !self.list.order().1
    }

    fn max_bookings_text() -> String {
        format_total(MAX_SEARCHED)
    }

    fn max_groups_text() -> String {
        format_total(MAX_SAMPLED_GROUPS)
    }

    /// Whether the list has all groups, and there are more than are read.
    fn has_unread_groups(&self) -> bool {
        let is_of_all = !self.list.is_filtered();
        is_of_all && self.groups.len() > MAX_SAMPLED_GROUPS
    }
}

/// `GET /genesys/1/admin/ui/bookings`
pub(super) async fn show_bookings(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let list = ListQuery::parse(&SPEC, &query)?;
    let admin = admin_api::admin_service(&state)?;
    let (bookings, pager, has_unread_bookings) = find_bookings(admin, &list, &query).await?;
    ok_page(&BookingsPage {
        layout: Layout::new(&session, "bookings", "Bookings"),
        list,
        pager,
        bookings,
        groups: admin.groups_with_bookings(),
        has_unread_bookings,
    })
}

type GroupBooking = (String, ListedBooking);

/// A page of the bookings that match the filters, and whether there are more than [`MAX_SEARCHED`].
async fn find_bookings(
    admin: &Admin,
    list: &ListQuery,
    query: &FormData,
) -> Result<(Vec<GroupBooking>, Pager, bool), ApiError> {
    if list.filter("number").is_empty() {
        let (bookings, pager) = bookings_by_end(admin, list, query).await?;
        return Ok((bookings, pager, false));
    }
    let (found, has_unread_bookings) = bookings_of_number(admin, list).await?;
    let (bookings, pager) = list.paginate(found);
    Ok((bookings, pager, has_unread_bookings))
}

/// A page of the bookings of all groups, or of the selected one.
async fn bookings_by_end(
    admin: &Admin,
    list: &ListQuery,
    query: &FormData,
) -> Result<(Vec<GroupBooking>, Pager), ApiError> {
    let group = group(list);
    let range = ListRange {
        order: order(list),
        after: admin_api::parse_cursor(query)?,
        expires_before: None,
    };
    let page = admin.all_bookings(group, &range, list.limit).await?;
    let total = format::format_count(admin.count_bookings(group).await?);
    let next = page.next.as_ref().map(admin_api::format_cursor);
    let count = page.entries.len();
    let total = format!("about {total}");
    let pager = list.cursor_pager(count, next.as_deref(), Some(&total), false);
    Ok((page.entries, pager))
}

/// The bookings of a number in all groups, or in the selected one, and whether there are more than [`MAX_SEARCHED`].
async fn bookings_of_number(
    admin: &Admin,
    list: &ListQuery,
) -> Result<(Vec<GroupBooking>, bool), ApiError> {
    let mut found = admin
        .bookings_of_number(list.filter("number"), group(list), MAX_SEARCHED + 1)
        .await?;
    let has_unread_bookings = found.len() > MAX_SEARCHED;
    found.truncate(MAX_SEARCHED);
    let range = ListRange {
        order: order(list),
        ..ListRange::default()
    };
    Ok((
        range.select(found.into_iter(), position),
        has_unread_bookings,
    ))
}

/// The selected group.
fn group(list: &ListQuery) -> Option<&str> {
    Some(list.filter("group")).filter(|group| !group.is_empty())
}

fn order(list: &ListQuery) -> ExpiryOrder {
    if list.order().1 {
        ExpiryOrder::LatestFirst
    } else {
        ExpiryOrder::SoonestFirst
    }
}

fn position((_, booking): &GroupBooking) -> (Timestamp, &str) {
    (booking.until, booking.id.as_str())
}

/// `GET /genesys/1/admin/ui/selected/bookings`: asks for a confirmation.
pub(super) async fn confirm_release(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let form = Form::from_query(&request)?;
    let bookings = selected_bookings(&form)?;
    let admin = admin_api::admin_service(&state)?;
    let found = admin.find_bookings(&bookings).await?;
    let rows = bookings.iter().zip(found);
    let rows = rows.map(|(booking, found)| describe(to_row(booking), &booking.0, found));
    ok_page(&RELEASE.confirm_page(&session, &form, RELEASE_URL, rows.collect()))
}

/// `POST /genesys/1/admin/ui/selected/bookings`
pub(super) async fn release_bookings(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let bookings = selected_bookings(&form)?;
    let actor = session.actor(&state, &request);
    let admin = admin_api::admin_service(&state)?;
    let result = admin.release_numbers(bookings, &actor).await;
    redirect_to_result(&RELEASE, &session, &form, result, to_row)
}

/// The selected bookings to release: group and id of each.
fn selected_bookings(form: &Form) -> Result<Vec<(String, String)>, ApiError> {
    if form.text("action") != RELEASE.name {
        return Err(unknown_action());
    }
    Ok(selected(form)?.iter().filter_map(parse_selected).collect())
}

/// Group and booking of a row: the id of a booking contains no slash.
fn parse_selected(value: impl AsRef<str>) -> Option<(String, String)> {
    let (booking, group) = value.as_ref().split_once('/')?;
    Some((group.to_owned(), booking.to_owned()))
}

fn to_row((group, booking): &(String, String)) -> SelectedRow {
    SelectedRow {
        url: page_url(&["groups", group]),
        label: booking.to_owned(),
        details: format!("of group {group}"),
        value: format!("{booking}/{group}"),
    }
}

/// The row with the number, the service and the caller of its booking.
fn describe(row: SelectedRow, group: &str, found: Option<ListedBooking>) -> SelectedRow {
    let Some(found) = found else {
        let details = format!("booking of group {group}, already gone");
        return SelectedRow { details, ..row };
    };
    let caller = found.caller.as_deref().unwrap_or("none");
    SelectedRow {
        details: format!("group {group}, service {}, caller {caller}", found.service),
        label: found.number,
        ..row
    }
}
