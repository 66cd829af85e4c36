//! The clock skew of each replica on the overview.

use super::fixture::AdminSession;
use crate::{
    api::admin::fixture,
    support::{TestApp, eventually},
};

#[tokio::test]
async fn overview_shows_the_clock_skew_of_each_replica() {
    let app = fixture::start_admin(&TestApp::on_redis().await).await;
    let session = AdminSession::sign_in(&app).await;
    for (shift, expected) in [
        (45_000, "<strong class=\"warning\">+45."),
        (-120_000, "<strong class=\"warning\">-120."),
        (0, "<td>+0.0 s</td>"),
    ] {
        app.clock.set_shift(shift + 20);
        eventually("the skew is shown", async || {
            session.page("").await.contains(expected).then_some(())
        })
        .await;
    }
}
