//! Somebody who sits before the pages: signed in, reading them, sending their forms.

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};

use crate::{
    admin::fixture::PASSWORD,
    support::{Bodies, TestApp, TestResponse, encode},
};

/// Where the pages are.
pub(super) const HOME: &str = "/genesys/1/admin/ui";

/// One visit.
pub(super) struct AdminSession<'a> {
    app: &'a TestApp,
    client: Client,
    cookie: String,
}

impl<'a> AdminSession<'a> {
    /// Signs in.
    pub(super) async fn sign_in(app: &'a TestApp) -> Self {
        // Where one is led to is for the tests to see.
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let mut visit = Self {
            app,
            client,
            cookie: String::new(),
        };
        let form = format!("name=admin&password={}", encode(PASSWORD));
        let sign_in = visit.request(Method::POST, "/sign-in").form_body(&form);
        let answer = TestResponse::send(sign_in).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        cookie.clone_into(&mut visit.cookie);
        visit
    }

    /// `path` below the pages.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.unauthenticated_request(method, path);
        request.header("cookie", &self.cookie)
    }

    /// The same of who is not signed in.
    pub(super) fn unauthenticated_request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.app.url(&format!("{HOME}{path}"));
        self.client.request(method, url)
    }

    pub(super) async fn get(&self, path: &str) -> TestResponse {
        TestResponse::send(self.request(Method::GET, path)).await
    }

    /// A page, which must be there.
    pub(super) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        page_html(&answer).to_owned()
    }

    /// Sends a form that is on the page at `path` to where that page is, as the page has it.
    pub(super) async fn submit_form(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let page = self.page(path).await;
        let token = between(&page, "name=\"form_token\" value=\"", "\"").to_owned();
        let shown = [fields, &[("form_token", &token)]].concat();
        self.submit_fields(path, &shown).await
    }

    /// Sends just these fields.
    pub(super) async fn submit_fields(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
        let form: Vec<String> = fields.iter().map(pair).collect();
        let request = self.request(Method::POST, path);
        TestResponse::send(request.form_body(&form.join("&"))).await
    }
}

/// An answer that is a page, and under the policy of pages.
pub(super) fn page_html(answer: &TestResponse) -> &str {
    assert_eq!(answer.header("content-type"), "text/html;charset=utf-8");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    answer.text()
}

/// Where an answer leads to.
pub(super) fn redirect_target(answer: &TestResponse) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").strip_prefix(HOME).unwrap()
}

/// What stands between the first `from` and the next `to`.
pub(super) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from);
    let (_, rest) = rest.unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split_once(to).unwrap().0
}

/// All that stands between a `from` and the next `to`.
pub(super) fn all_between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let parts = text.split(from).skip(1);
    parts.map(|rest| rest.split_once(to).unwrap().0).collect()
}

/// Text as it must stand on a page.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The fields that a form has hidden, as a browser sends them.
pub(super) fn hidden_fields(form: &str) -> Vec<(String, String)> {
    let fields = all_between(form, "<input type=\"hidden\" name=\"", "\">");
    let field = |field: &str| {
        let (name, text) = field.split_once("\" value=\"").unwrap();
        (name.to_owned(), unescaped(text).replace('\n', "\r\n"))
    };
    fields.into_iter().map(field).collect()
}

/// What text on a page says.
pub(super) fn unescaped(text: &str) -> String {
    let mut parts = text.split("&#");
    let mut said = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once(';').unwrap();
        said.push(char::from_u32(code.parse().unwrap()).unwrap());
        said.push_str(rest);
    }
    said
}

/// The id in a path of the API.
pub(super) fn id_of(service: &str) -> String {
    service.rsplit('/').next().unwrap().to_owned()
}

/// The page of a service, below the pages.
pub(super) fn service_page(service: &str) -> String {
    format!("/active-services/{}", id_of(service))
}

/// Ids in a list, in their order.
pub(super) fn listed_ids(page: &str) -> Vec<String> {
    let links = all_between(
        page,
        "class=\"mono\" href=\"/genesys/1/admin/ui/active-services/",
        "\"",
    );
    links.into_iter().map(str::to_owned).collect()
}
