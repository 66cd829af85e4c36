//! Contract sections 2 and 4: creating a service, and the service itself.

use crate::support::{Answer, TestApp, on_both_stores};

on_both_stores!(a_service_is_created_with_its_data);

async fn a_service_is_created_with_its_data(app: TestApp) {
    let service = app.create("Key1=Value1&_ttl=60").await;
    let answer = Answer::of(app.get(&format!("{service}/storage"))).await;
    assert_eq!(answer.text(), r#"{"Key1":"Value1"}"#);
}
