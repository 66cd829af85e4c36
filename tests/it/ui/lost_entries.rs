//! The pages offer to restore what Redis has lost.

use super::fixture::{AdminSession, between, redirect_target};
use crate::api::admin::lost_entries::{flush, start_on_dedicated_redis, wait_for_lost_entries};

#[tokio::test]
async fn pages_restore_lost_entries() {
    let (redis, app) = start_on_dedicated_redis().await;
    flush(&redis).await;
    wait_for_lost_entries(&app, 3).await;
    let session = AdminSession::sign_in(&app).await;
    for path in ["", "/catalog"] {
        let page = session.page(path).await;
        assert!(page.contains("Redis has lost 3 catalog entries"), "{page}");
        assert!(page.contains("Restore 3 entries"), "{page}");
    }
    let page = session.page("/catalog").await;
    let form = between(&page, "ui/catalog/restore", "</form>");
    let value = |name: &str| between(form, &format!("name=\"{name}\" value=\""), "\"").to_owned();
    let (token, version) = (value("form_token"), value("version"));
    let fields = [
        ("form_token", token.as_str()),
        ("version", version.as_str()),
    ];
    let sent = session.submit_fields("/catalog/restore", &fields).await;
    assert_eq!(redirect_target(&sent), "/catalog?message=restored");
    // The problems of replicas are as old as their last heartbeat, so their panel may still show it.
    assert!(!session.page("").await.contains("Restore 3 entries"));
    let again = session.submit_fields("/catalog/restore", &fields).await;
    assert_eq!(again.status, 412, "{}", again.text());
    let forged = session
        .submit_fields("/catalog/restore", &[("version", "")])
        .await;
    assert_eq!(forged.status, 403, "{}", forged.text());
}
