//! *Match explanation*: why a call matches a booking or not, and the calls that matched none.

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    Layout, PageResult, form::Form, format, page_url, percent_encode, render, signed_in::SignedIn,
};
use crate::{
    http::{
        ApiError, AppState,
        admin_api::{self, audit_log::parse_cursor},
        body,
    },
    model::{FailedMatch, FailedMatchPage, MatchFailure},
    service::{AdminError, ExplainedBooking, FieldValue, FormData, MatchExplanation},
};

/// The fields of the form: the parameters of a match.
const FIELDS: [&str; 3] = ["_access_number", "_phone_number", "_access_code"];

#[derive(Template)]
#[template(path = "match_explanation.html")]
struct MatchExplanationPage {
    layout: Layout,
    access_number: String,
    phone_number: String,
    access_code: String,
    problem: String,
    explanation: Option<MatchExplanation>,
    failed: FailedMatchPage,
    /// Page size.
    limit: usize,
    is_first: bool,
}

impl MatchExplanation {
    /// The outcome, before its message.
    fn outcome(&self) -> &'static str {
        match self.failure() {
            None => "Match",
            Some(MatchFailure::RateLimited) => "Rate limited",
            Some(MatchFailure::Undetermined) => "Not determined",
            Some(_) => "No match",
        }
    }

    /// The time until a booking expires.
    fn time_remaining(&self, explained: &ExplainedBooking) -> String {
        if explained.booking.has_expired {
            return "expired".to_owned();
        }
        format::format_duration(explained.booking.until.since(self.time))
    }
}

impl FailedMatch {
    /// The URL of the form with the number of this call.
    fn explain_url(&self) -> String {
        format!(
            "{}?_access_number={}",
            page_url(&["match-explanation"]),
            percent_encode(&self.access_number)
        )
    }
}

impl MatchExplanationPage {
    /// The parameter of the links to other pages of the list that keeps the number in the form.
    fn form_query(&self) -> String {
        if self.access_number.is_empty() {
            return String::new();
        }
        format!("&_access_number={}", percent_encode(&self.access_number))
    }

    /// Adds an explanation, or the error.
    fn set_result(&mut self, explained: Result<MatchExplanation, AdminError>) -> StatusCode {
        match explained.map_err(ApiError::from) {
            Ok(explanation) => {
                self.explanation = Some(explanation);
                StatusCode::OK
            }
            Err(error) => {
                self.problem = error.to_string();
                error.status_code()
            }
        }
    }

    /// The page with the fields of `form`, and the failed matches of a page of `query`.
    async fn load(
        state: &AppState,
        session: &SignedIn,
        query: &FormData,
        form: &FormData,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (parse_cursor(query)?, admin_api::page_size(query)?);
        let admin = admin_api::admin_service(state)?;
        let failed = admin.failed_matches(after, limit).await?;
        let text = |name| form.text(name).unwrap_or_default().to_owned();
        let [access_number, phone_number, access_code] = FIELDS.map(text);
        Ok(Self {
            layout: Layout::new(session, "match-explanation", "Match explanation"),
            access_number,
            phone_number,
            access_code,
            problem: String::new(),
            explanation: None,
            failed,
            limit,
            is_first: after.is_none(),
        })
    }
}

/// `GET /genesys/1/admin/ui/match-explanation`; `?_access_number=` fills in the form.
pub(super) async fn show_form(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let page = MatchExplanationPage::load(&state, &session, &query, &query).await?;
    render(StatusCode::OK, &page)
}

/// `POST /genesys/1/admin/ui/match-explanation`
pub(super) async fn explain_match(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let call = call_parameters(&form);
    let explained = admin_api::admin_service(&state)?.explain_match(&call).await;
    let mut page =
        MatchExplanationPage::load(&state, &session, &FormData::default(), &call).await?;
    let status = page.set_result(explained);
    render(status, &page)
}

/// The parameters of the call. Fields that are not filled in are no parameters.
fn call_parameters(form: &Form) -> FormData {
    let mut call = FormData::default();
    for name in FIELDS {
        let text = form.text(name).trim();
        if !text.is_empty() {
            call.insert(name.to_owned(), FieldValue::Text(text.to_owned()));
        }
    }
    call
}
