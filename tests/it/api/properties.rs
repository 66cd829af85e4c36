//! Property tests: fields of every kind of body are returned unchanged.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::support::{
    Bodies, Multipart, TestApp, TestResponse, encode, properties::check_property,
};

const STORE: &str = "/genesys/1/service/store";

/// Names that multipart can transfer too: no control characters except CR and LF, and none of the escapes of
/// browsers.
fn names() -> impl Strategy<Value = String> {
    let carried = |c: char| !c.is_control() || "\r\n".contains(c);
    let names = "\\PC{1,40}|[ -~]{1,20}|[a-z/%.+?#&=;\"\\\\\r\n]{1,8}";
    names.prop_filter("storable and carried", move |name| {
        let escaped = ["%22", "%0D", "%0A"]
            .iter()
            .any(|escape| name.contains(escape));
        !name.starts_with('_') && name.len() <= 256 && name.chars().all(carried) && !escaped
    })
}

/// Values of any characters, often those with a special meaning in some kind of body.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,60}",
        "[\r\n-]{0,12}",
        "(\r\n|--|b-7d3f|[{}\\[\\]&=+%\"\\\\:,;0-9a ]){0,30}",
        "[a-z\u{e9}\u{1f600}]{1000,3000}",
    ]
}

fn fields() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(names(), values(), 0..12)
}

async fn check(app: &TestApp, fields: &BTreeMap<String, String>) {
    let json = serde_json::to_string(fields).unwrap();
    let form = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    let form = form.collect::<Vec<String>>().join("&");
    let parts = fields.iter().fold(Multipart::new(), |all, (name, value)| {
        let name = name.replace('"', "%22");
        all.text(&name.replace('\r', "%0D").replace('\n', "%0A"), value)
    });
    let parts = parts.bytes();
    let empty = app.create("").await;
    let written = format!("{empty}/storage");
    let sent = |path: &str| {
        [
            app.post(path).json_body(&json),
            app.post(path).form_body(&form),
            app.post(path).typed_body(Multipart::CONTENT_TYPE, &parts),
        ]
    };
    let expected: Value = fields
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for create in sent(STORE) {
        let service = TestResponse::send(create).await.service_id();
        assert_eq!(app.storage(&service).await, expected);
    }
    for write in sent(&written) {
        TestResponse::send(write).await.assert_empty();
        assert_eq!(app.storage(&empty).await, expected);
        TestResponse::send(app.delete(&written)).await.assert_ok();
    }
}

#[test]
fn fields_of_every_kind_of_body_are_returned_unchanged_on_memory() {
    check_property(TestApp::on_memory(), &fields(), &async |app, fields| {
        check(app, &fields).await;
    });
}

#[test]
fn fields_of_every_kind_of_body_are_returned_unchanged_on_redis() {
    check_property(TestApp::on_redis(), &fields(), &async |app, fields| {
        check(app, &fields).await;
    });
}
