//! The clock skew of each replica on the overview.

use super::fixture::AdminSession;
use crate::{
    admin::fixture,
    support::{TestApp, eventually},
};

#[tokio::test]
async fn the_overview_shows_by_how_much_the_clock_of_a_replica_is_wrong() {
    let app = fixture::start_admin(&TestApp::on_redis().await).await;
    let desk = AdminSession::sign_in(&app).await;
    for (shift, expected) in [
        (45_000, "<strong class=\"warning\">+45."),
        (-120_000, "<strong class=\"warning\">-120."),
        (0, "<td>+0.0 s</td>"),
    ] {
        app.clock.set_shift(shift + 20);
        eventually("the skew is shown", async || {
            desk.page("").await.contains(expected).then_some(())
        })
        .await;
    }
}
