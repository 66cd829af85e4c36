//! The URL of the sign-in page, and the pages that it can redirect to.

use std::sync::OnceLock;

use actix_web::{
    HttpRequest,
    dev::ResourceDef,
    http::{Method, Uri, header::REFERER},
};

use super::{HOME, percent_encode};
use crate::{http::endpoint::Endpoint, model::Role};

pub(super) use crate::service::SIGN_IN_PATH;

/// The page of agents.
pub(super) const CHATS_PATH: &str = "/genesys/1/admin/ui/chats";

/// The path patterns of the pages, and whether they allow GET. A static, because compiling a pattern is expensive and
/// leaks the names of its segments.
static PAGES: OnceLock<Vec<(ResourceDef, bool)>> = OnceLock::new();

/// Registers the pages as possible targets of a redirect, in the order of their routes. All workers have the same pages.
pub(super) fn register<'a>(pages: impl Iterator<Item = &'a Endpoint>) {
    let allows_get = |page: &Endpoint| page.allowed_methods.contains(&Method::GET);
    let pattern = |page: &Endpoint| (ResourceDef::new(page.name), allows_get(page));
    PAGES.get_or_init(|| pages.map(pattern).collect());
}

/// The maximum size of a page to redirect to: proxies limit the size of response headers, often to 4 KiB.
const MAX_TARGET_BYTES: usize = 1_000;

/// The URL of the sign-in page, with a redirect back to `page` if that is allowed.
pub(super) fn sign_in_url(page: &Uri) -> String {
    let page = page.path_and_query().map_or(HOME, |page| page.as_str());
    if page.len() <= MAX_TARGET_BYTES && is_safe_redirect(page) {
        format!("{SIGN_IN_PATH}?to={}", percent_encode(page))
    } else {
        SIGN_IN_PATH.to_owned()
    }
}

/// As [`sign_in_url`], with a redirect to the page that a form was on.
pub(super) fn sign_in_url_of_form(request: &HttpRequest) -> String {
    let referrer = request.headers().get(REFERER);
    let page = referrer.and_then(|page| Uri::try_from(page.as_bytes()).ok());
    page.map_or_else(|| SIGN_IN_PATH.to_owned(), |page| sign_in_url(&page))
}

/// The page of the console from which a request came, if it is another one than the requested one.
pub(super) fn previous_page(request: &HttpRequest) -> Option<String> {
    let referrer = request.headers().get(REFERER)?.to_str().ok()?;
    let page = referrer.parse::<Uri>().ok()?;
    let page = page.path_and_query()?.as_str();
    let is_reload =
        request.method() == Method::GET && request.uri().path_and_query()?.as_str() == page;
    (is_safe_redirect(page) && !is_reload).then(|| page.to_owned())
}

/// The page to show after a sign-in: the requested one if the user has access to it.
pub(super) fn after_sign_in(role: Role, target: &str) -> &str {
    let is_chats = || target.split('?').next() == Some(CHATS_PATH);
    match role {
        Role::Agent if !is_chats() || !is_safe_redirect(target) => CHATS_PATH,
        _ if !is_safe_redirect(target) => HOME,
        _ => target,
    }
}

/// Whether the target is a page of the console. Prevents open redirects.
pub(super) fn is_safe_redirect(target: &str) -> bool {
    let plain = target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = target.split('?').next().unwrap_or_default();
    let dots = path.to_ascii_lowercase().replace("%2e", ".");
    let dots = dots.split('/').any(|part| matches!(part, "." | ".."));
    plain && !dots && is_navigable(path)
}

/// Whether the path is a page that can be the target of a redirect.
fn is_navigable(path: &str) -> bool {
    let mut pages = PAGES.get().into_iter().flatten();
    let page = pages.find(|(pattern, _)| pattern.is_match(path));
    page.is_some_and(|(_, allows_get)| *allows_get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_redirects_only_to_own_pages() {
        drop(crate::http::admin_ui::routes());
        for (target, expected) in [
            ("/genesys/1/admin/ui", true),
            ("/genesys/1/admin/ui/services/a%20b?x=1", true),
            ("/genesys/1/admin/ui?x=../..", true),
            ("/genesys/1/admin/ui/../../service/store", false),
            ("/genesys/1/admin/ui/.%2E/x", false),
            ("/genesys/1/admin/uix", false),
            ("//elsewhere/genesys/1/admin/ui", false),
            ("https://elsewhere/genesys/1/admin/ui", false),
            ("/genesys/1/admin/ui/\\elsewhere", false),
            ("/genesys/1/admin/ui\r\nSet-Cookie: a=b", false),
            ("", false),
            // Not pages: form targets and the event stream.
            ("/genesys/1/admin/ui/sign-out", false),
            ("/genesys/1/admin/ui/services/store/delete", false),
            ("/genesys/1/admin/ui/overview/events", false),
            ("/genesys/1/admin/ui/no/such/page", false),
        ] {
            assert_eq!(is_safe_redirect(target), expected, "{target:?}");
        }
    }
}
