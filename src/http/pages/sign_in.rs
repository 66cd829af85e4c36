//! Signing in and out.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    cookie::{Cookie, SameSite},
    http::{Uri, header::SET_COOKIE},
    web::{Data, Payload},
};
use askama::Template;
use secrecy::ExposeSecret;

use super::{
    Frame, HOME, Page, PageError, encoded, explain, form::Form, gate::Visitor, is_shown, rendered,
    see, shown,
};
use crate::{
    http::{Api, ApiError, admin, body, caller},
    service::Shown,
};

/// The cookie that shows a visit.
const COOKIE: &str = "switchboard_visit";
const PLACE: &str = "/genesys/1/admin/ui/sign-in";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    to: String,
    name: String,
    problem: String,
}

/// Where to sign in on the way to that page, where it is one.
pub(super) fn way_to(page: &Uri) -> String {
    let page = page.path_and_query().map_or(HOME, |page| page.as_str());
    if is_ours(page) {
        format!("{PLACE}?to={}", encoded(page))
    } else {
        PLACE.to_owned()
    }
}

/// What the browser shows of its visit.
pub(super) fn token(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(COOKIE)?;
    Some(cookie.value().to_owned())
}

/// `GET /genesys/1/admin/ui/sign-in`
pub(super) async fn ask(api: Data<Api>, request: HttpRequest) -> Page {
    let query = body::query(&api, &request)?;
    shown(&SignIn {
        frame: Frame::outside("Sign in"),
        to: query.text("to").unwrap_or_default().to_owned(),
        name: String::new(),
        problem: String::new(),
    })
}

/// `POST /genesys/1/admin/ui/sign-in`
pub(super) async fn begin(api: Data<Api>, request: HttpRequest, payload: Payload) -> Page {
    let form = Form::read_open(&api, &request, payload).await?;
    let (name, to) = (form.text("name").to_owned(), form.text("to").to_owned());
    let shown = Shown(Some((
        name.clone(),
        form.text("password").to_owned().into(),
    )));
    let address = caller::address(&request, &api.trusted_proxies);
    let begun = admin::admin(&api)?.sign_in(&shown, address).await;
    let token = match begun.map_err(ApiError::from) {
        Ok(token) => token,
        Err(error) => return refused(&error, name, to),
    };
    let mut answer = see(if is_ours(&to) { &to } else { HOME });
    let cookie = cookie(&request, token.expose_secret()).to_string();
    set_cookie(&mut answer, &cookie)?;
    Ok(answer)
}

/// `POST /genesys/1/admin/ui/sign-out`
pub(super) async fn end(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    Form::read(&api, &visitor, &request, payload).await?;
    if let Some(token) = token(&request) {
        admin::admin(&api)?.sign_out(&token).await?;
    }
    let mut answer = see(PLACE);
    let mut cookie = cookie(&request, "");
    cookie.make_removal();
    set_cookie(&mut answer, &cookie.to_string())?;
    Ok(answer)
}

/// The page once more, with what was wrong.
fn refused(error: &ApiError, name: String, to: String) -> Page {
    let problem = match error {
        ApiError::Unauthorized(_) => {
            "This user name and password are not those of the administration.".to_owned()
        }
        other => other.to_string(),
    };
    let page = SignIn {
        frame: Frame::outside("Sign in"),
        to,
        name,
        problem,
    };
    let mut answer = rendered(error.status_code(), &page)?;
    explain(&mut answer, &error.error_response());
    Ok(answer)
}

/// It goes to the pages only, no script can read it, and no form or script of another site sends it.
fn cookie<'a>(request: &HttpRequest, token: &'a str) -> Cookie<'a> {
    let proxied = request.headers().get("x-forwarded-proto");
    let encrypted =
        request.app_config().secure() || proxied.is_some_and(|scheme| scheme == "https");
    Cookie::build(COOKIE, token)
        .path(HOME)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(encrypted)
        .finish()
}

fn set_cookie(answer: &mut HttpResponse, cookie: &str) -> Result<(), PageError> {
    let value = cookie.parse().map_err(|_wrong| ApiError::Internal)?;
    answer.headers_mut().insert(SET_COOKIE, value);
    Ok(())
}

/// Whether that is a page of ours, and not one that somebody wants an operator to be led to.
fn is_ours(place: &str) -> bool {
    let plain = place
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = place.split('?').next().unwrap_or_default();
    let dots = path.to_ascii_lowercase().replace("%2e", ".");
    let dots = dots.split('/').any(|part| matches!(part, "." | ".."));
    plain && !dots && is_shown(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signs_in_is_led_to_pages_of_ours_only() {
        for (place, expected) in [
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
            // What no browser gets: forms are sent there, and a page listens.
            ("/genesys/1/admin/ui/sign-out", false),
            ("/genesys/1/admin/ui/services/store/delete", false),
            ("/genesys/1/admin/ui/live-overview", false),
            ("/genesys/1/admin/ui/no/such/page", false),
        ] {
            assert_eq!(is_ours(place), expected, "{place:?}");
        }
    }
}
