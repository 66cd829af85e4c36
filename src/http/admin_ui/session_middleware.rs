//! What stands before the pages: who is signed in may see them, all others are asked to sign in.

use std::{future::Ready, ops::Deref, rc::Rc, sync::LazyLock};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{
            CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
            X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    web::Data,
};

use askama::Template;

use super::{Layout, PageError, assets, overview, redirect_see_other, sign_in};
use crate::{
    http::{
        ApiError, AppState, admin_api, health,
        middleware::{csrf::check_site, real_ip::client_address, security_headers},
    },
    model::readiness::Status,
    service::{Actor, AdminSession},
};

/// Only what this service itself serves, and no page around it. Clients can store what they like at this origin, so
/// it does not say which scripts may run: those of the digests do, whose elements name them as `integrity`.
static PAGE_CSP: LazyLock<HeaderValue> = LazyLock::new(|| {
    let scripts = ["pages.js", "try_it.js"].map(|name| format!("'{}'", assets::integrity(name)));
    let scripts = scripts.join(" ");
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src {scripts}; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let nothing = HeaderValue::from_static("default-src 'none'");
    HeaderValue::try_from(policy).unwrap_or(nothing)
});

/// Who asks for a page behind the gate.
#[derive(Clone)]
pub(super) struct SignedIn {
    visit: Rc<AdminSession>,
    /// The readiness of this replica, if the store is away.
    readiness: Option<Rc<Status>>,
}

impl Deref for SignedIn {
    type Target = AdminSession;

    fn deref(&self) -> &AdminSession {
        &self.visit
    }
}

impl SignedIn {
    /// The readiness of this replica, if the store is away.
    pub(super) fn readiness(&self) -> Option<&Status> {
        self.readiness.as_deref()
    }

    /// Who a change is made by.
    pub(super) fn actor(&self, api: &AppState, request: &HttpRequest) -> Actor {
        Actor {
            name: self.visit.operator.clone(),
            address: client_address(request, &api.trusted_proxies),
        }
    }
}

impl FromRequest for SignedIn {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visitor = request.extensions().get::<Self>().cloned();
        std::future::ready(visitor.ok_or_else(|| {
            tracing::error!("a page was reached past its gate");
            ApiError::Internal.into()
        }))
    }
}

/// Lets pass who is signed in.
pub(in crate::http) async fn require_session<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let visitor = load_session(request.request(), SessionRefresh::Extend).await;
    run_with_session(request, next, visitor, redirect_to_sign_in).await
}

/// The same for what a page asks by itself: that keeps no visit from ending, and is told so in its own terms.
pub(in crate::http) async fn require_stream_session<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    if request.method() != Method::GET {
        // Nobody may, whoever asks.
        return public_page(request, next).await;
    }
    let visitor = load_session(request.request(), SessionRefresh::Peek).await;
    run_with_session(request, next, visitor, |_| {
        overview::session_expired_response()
    })
    .await
}

async fn run_with_session<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
    visitor: Result<Option<SignedIn>, PageError>,
    nobody: impl FnOnce(&HttpRequest) -> HttpResponse,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let mut answer = match visitor {
        Ok(Some(visitor)) => {
            request.extensions_mut().insert(visitor.clone());
            render_error_in_layout(next.call(request).await?, &visitor)
        }
        Ok(None) => {
            let answer = nobody(request.request());
            request.into_response(answer).map_into_left_body()
        }
        Err(error) => {
            let answer = HttpResponse::from_error(error);
            request.into_response(answer).map_into_left_body()
        }
    };
    add_security_headers(answer.headers_mut());
    Ok(answer)
}

/// What was wrong is shown with the menu around it.
fn render_error_in_layout<B: MessageBody>(
    answer: ServiceResponse<B>,
    visitor: &SignedIn,
) -> ServiceResponse<EitherBody<BoxBody, B>> {
    let error = answer
        .response()
        .error()
        .and_then(Error::as_error::<PageError>);
    let page = error.map(|error| error.page(Layout::new(visitor, "", error.title())).render());
    match page {
        Some(Ok(text)) => answer.map_body(|_, _| EitherBody::left(BoxBody::new(text))),
        _ => answer.map_into_right_body(),
    }
}

/// Lets everybody pass, but for pages of other sites.
pub(in crate::http) async fn public_page<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let mut answer = match check_site(request.request()) {
        Ok(()) => next.call(request).await?.map_into_right_body(),
        Err(error) => {
            let answer = HttpResponse::from_error(PageError::from(error));
            request.into_response(answer).map_into_left_body()
        }
    };
    add_security_headers(answer.headers_mut());
    Ok(answer)
}

/// Who asks for something.
enum SessionRefresh {
    Extend,
    /// A page that is open, while perhaps nobody looks at it.
    Peek,
}

async fn load_session(
    request: &HttpRequest,
    asks: SessionRefresh,
) -> Result<Option<SignedIn>, PageError> {
    check_site(request)?;
    let Some(token) = sign_in::session_token(request) else {
        return Ok(None);
    };
    let api = request
        .app_data::<Data<AppState>>()
        .ok_or(ApiError::Internal)?;
    let admin = admin_api::admin_service(api)?;
    let visit = match asks {
        SessionRefresh::Extend => admin.touch_session(&token).await?,
        SessionRefresh::Peek => admin.peek_session(&token).await?,
    };
    let Some(visit) = visit else {
        return Ok(None);
    };
    let readiness = match visit.outage {
        Some(_) => Some(Rc::new(health::readiness_within_timeout(api).await)),
        None => None,
    };
    Ok(Some(SignedIn {
        visit: Rc::new(visit),
        readiness,
    }))
}

/// What is answered to who is not signed in. A form that was sent is gone: its page is where to begin again.
fn redirect_to_sign_in(request: &HttpRequest) -> HttpResponse {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return redirect_see_other(&sign_in::sign_in_url(request.uri()));
    }
    HttpResponse::from_error(PageError::from(ApiError::Forbidden(
        "you are not signed in any more, and nothing was changed; sign in and send it again",
    )))
}

fn add_security_headers(headers: &mut HeaderMap) {
    // What a stranger uploaded has one of its own, which allows nothing at all.
    let stricter = headers.get(CONTENT_SECURITY_POLICY).cloned();
    security_headers::add_security_headers(headers);
    let policy = stricter.unwrap_or_else(|| PAGE_CSP.clone());
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(X_FRAME_OPTIONS, "DENY");
    // With none, browsers tell no origin of a form either, and it would be refused.
    set(REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
}
