//! Bodies of requests, and complete responses with their assertions.

use reqwest::{RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::Value;

use super::Multipart;

/// Shorthands for request bodies.
pub(crate) trait Bodies {
    fn form_body(self, form: &str) -> Self;
    fn json_body(self, json: &str) -> Self;
    fn multipart_body(self, multipart: Multipart) -> Self;
    fn typed_body(self, kind: &str, body: &[u8]) -> Self;
}

impl Bodies for RequestBuilder {
    fn form_body(self, form: &str) -> Self {
        let kind = "application/x-www-form-urlencoded";
        self.header("content-type", kind).body(form.to_owned())
    }

    fn json_body(self, json: &str) -> Self {
        self.header("content-type", "application/json")
            .body(json.to_owned())
    }

    fn multipart_body(self, multipart: Multipart) -> Self {
        self.typed_body(Multipart::CONTENT_TYPE, &multipart.bytes())
    }

    fn typed_body(self, kind: &str, body: &[u8]) -> Self {
        self.header("content-type", kind).body(body.to_vec())
    }
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestResponse {
    pub(crate) async fn send(request: RequestBuilder) -> Self {
        Self::from_response(request.send().await.unwrap()).await
    }

    pub(crate) async fn from_response(response: Response) -> Self {
        Self::try_from_response(response).await.unwrap()
    }

    /// The same of a server that can be killed before it has sent everything.
    pub(crate) async fn try_from_response(response: Response) -> reqwest::Result<Self> {
        Ok(Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The path of the service in the response to a create.
    pub(crate) fn service_id(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        let json = self.json();
        format!("/genesys/1/service/{}", json["_id"].as_str().unwrap())
    }

    /// Asserts a 200 without a body.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.text(), "");
    }

    /// Asserts a 200 with the body `OK`.
    pub(crate) fn assert_ok(&self) {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.text(), "OK");
    }

    /// Asserts an error in the common format, and returns its message.
    pub(crate) fn error_message(&self, exception: &str, status: u16) -> String {
        let json = self.json();
        assert_eq!(json["exception"], exception, "{json}");
        assert_eq!(self.status.as_u16(), status, "{json}");
        assert_eq!(json["code"], status, "{json}");
        assert_eq!(json["phrase"], self.status.canonical_reason().unwrap());
        assert_eq!(
            self.header("content-type"),
            "application/json;charset=utf-8"
        );
        assert_eq!(json.as_object().unwrap().len(), 4, "{json}");
        json["message"].as_str().unwrap().to_owned()
    }
}
