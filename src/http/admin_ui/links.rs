//! URLs of pages, redirects to them, and the message after a redirect.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::LOCATION},
};
use percent_encoding::utf8_percent_encode;

use crate::{http::response, model::RESERVED, service::FormData};

/// The path of the console, also the path of the session cookie.
pub(super) const HOME: &str = "/genesys/1/admin/ui";

/// A redirect to the page at `url`.
pub(super) fn redirect_see_other(url: &str) -> HttpResponse {
    response::without_body(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, url))
        .finish()
}

/// The URL of the page at these path segments below [`HOME`].
pub(super) fn page_url(segments: &[&str]) -> String {
    let segments = segments
        .iter()
        .map(|segment| format!("/{}", percent_encode(segment)));
    segments.fold(HOME.to_owned(), |url, segment| url + &segment)
}

/// Percent-encodes everything except unreserved characters.
pub(super) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The message after a redirect. The query parameter `message` selects one of `messages`; other values show nothing.
pub(super) fn flash_message(query: &FormData, messages: &[(&str, &'static str)]) -> &'static str {
    let name = query.text("message");
    let mut matching = messages.iter().filter(|(known, _)| Some(*known) == name);
    matching.next().map_or("", |(_, message)| message)
}

/// The number in a query parameter; 0 without one.
pub(super) fn query_count(query: &FormData, name: &str) -> usize {
    let count = query.text(name).and_then(|text| text.parse().ok());
    count.unwrap_or_default()
}
