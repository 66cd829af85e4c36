//! A signed-in HTTP client of the pages, and helpers that parse them.

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};

use crate::{
    api::admin::fixture::PASSWORD,
    support::{Bodies, TestApp, TestResponse, encode},
};

/// The path of the pages.
pub(super) const HOME: &str = "/genesys/1/admin/ui";

/// A client with a session.
pub(super) struct AdminSession<'a> {
    app: &'a TestApp,
    client: Client,
    cookie: String,
}

impl<'a> AdminSession<'a> {
    /// Signs in with the default password.
    pub(super) async fn sign_in(app: &'a TestApp) -> Self {
        Self::sign_in_as(app, "admin", PASSWORD).await
    }

    /// Signs in.
    pub(super) async fn sign_in_as(app: &'a TestApp, name: &str, password: &str) -> Self {
        // The tests inspect redirects instead of following them.
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let mut session = Self {
            app,
            client,
            cookie: String::new(),
        };
        let form = format!("name={}&password={}", encode(name), encode(password));
        let sign_in = session.request(Method::POST, "/sign-in").form_body(&form);
        let response = TestResponse::send(sign_in).await;
        assert_eq!(response.status, 303, "{}", response.text());
        let cookie = response.header("set-cookie").split(';').next().unwrap();
        cookie.clone_into(&mut session.cookie);
        session
    }

    /// The same session on another replica.
    pub(super) fn on<'b>(&self, app: &'b TestApp) -> AdminSession<'b> {
        AdminSession {
            app,
            client: self.client.clone(),
            cookie: self.cookie.clone(),
        }
    }

    /// A request with the session cookie; `path` is below [`HOME`].
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.unauthenticated_request(method, path);
        request.header("cookie", &self.cookie)
    }

    /// A request without the session cookie.
    pub(super) fn unauthenticated_request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.app.url(&format!("{HOME}{path}"));
        self.client.request(method, url)
    }

    pub(super) async fn get(&self, path: &str) -> TestResponse {
        TestResponse::send(self.request(Method::GET, path)).await
    }

    /// The HTML of a page. Panics unless the status is 200.
    pub(super) async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        page_html(&response).to_owned()
    }

    /// Submits a form to `path`, with the form token of the page at `path`.
    pub(super) async fn submit_form(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let page = self.page(path).await;
        let token = between(&page, "name=\"form_token\" value=\"", "\"").to_owned();
        let with_token = [fields, &[("form_token", &token)]].concat();
        self.submit_fields(path, &with_token).await
    }

    /// Submits exactly these fields.
    pub(super) async fn submit_fields(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
        let form: Vec<String> = fields.iter().map(pair).collect();
        let request = self.request(Method::POST, path);
        TestResponse::send(request.form_body(&form.join("&"))).await
    }
}

/// The HTML of a response. Panics if content type or security headers are not those of a page.
pub(super) fn page_html(response: &TestResponse) -> &str {
    assert_eq!(response.header("content-type"), "text/html;charset=utf-8");
    assert_eq!(response.header("x-frame-options"), "DENY");
    let policy = response.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    response.text()
}

/// The target of a redirect, below [`HOME`].
pub(super) fn redirect_target(response: &TestResponse) -> &str {
    assert_eq!(response.status, 303, "{}", response.text());
    response.header("location").strip_prefix(HOME).unwrap()
}

/// The text between the first `from` and the next `to`.
pub(super) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from);
    let (_, rest) = rest.unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split_once(to).unwrap().0
}

/// All texts between a `from` and the next `to`.
pub(super) fn all_between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let parts = text.split(from).skip(1);
    parts.map(|rest| rest.split_once(to).unwrap().0).collect()
}

/// Escapes text for HTML. Characters that change the direction of text are shown.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                escaped.extend(character.escape_unicode());
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The hidden fields of a form, as a browser submits them.
pub(super) fn hidden_fields(form: &str) -> Vec<(String, String)> {
    let fields = all_between(form, "<input type=\"hidden\" name=\"", "\">");
    let field = |field: &str| {
        let (name, text) = field.split_once("\" value=\"").unwrap();
        (name.to_owned(), unescaped(text).replace('\n', "\r\n"))
    };
    fields.into_iter().map(field).collect()
}

/// Unescapes HTML.
pub(super) fn unescaped(html: &str) -> String {
    let mut parts = html.split("&#");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once(';').unwrap();
        text.push(char::from_u32(code.parse().unwrap()).unwrap());
        text.push_str(rest);
    }
    text
}

/// The path of the next page of a list, below [`HOME`].
pub(super) fn next_page(page: &str) -> Option<String> {
    let link = page.split_once("rel=\"next\" href=\"/genesys/1/admin/ui")?;
    let path = link.1.split_once('"')?.0;
    Some(unescaped(&path.replace("&amp;", "&")))
}

/// The id in the path of a service.
pub(super) fn id_of(service: &str) -> String {
    service.rsplit('/').next().unwrap().to_owned()
}

/// The page of a service, below [`HOME`].
pub(super) fn service_page(service: &str) -> String {
    format!("/active-services/{}", id_of(service))
}

/// The service ids in a list, in order.
pub(super) fn listed_ids(page: &str) -> Vec<String> {
    let links = all_between(
        page,
        "class=\"mono\" href=\"/genesys/1/admin/ui/active-services/",
        "\"",
    );
    links.into_iter().map(str::to_owned).collect()
}
