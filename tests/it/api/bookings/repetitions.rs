//! Contract sections 2.1 and 5.2: repetitions of a create with an idempotency key use one booking.

use std::time::Duration;

use futures_util::future::join;

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse,
    bookings::{Booked, catalog, create, default_group_toml, match_call},
    proxy::{Proxy, ProxyMode},
    random_prefix,
};

/// The delay of each piece between the slow replica and Redis, in each direction.
const DELAY: Duration = Duration::from_millis(40);

/// A repetition whose replica is slow books a number while the first request does, before or after a call
/// has released that number: in no case a number stays booked.
#[tokio::test]
async fn slow_repetition_keeps_no_number_booked() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let url = proxy.url();
    let (catalog, prefix) = (catalog(&default_group_toml("CLUSTER", 1)), random_prefix());
    let settings = [("catalog.file", catalog.path())];
    let fast = TestApp::start(Some(redis.clone()), &prefix, &settings).await;
    let settings = [settings[0], ("redis.url", url.as_str())];
    let slow = TestApp::start(Some(redis), &prefix, &settings).await;
    proxy.set_mode(ProxyMode::Forward(DELAY));
    for step in 0..16 {
        let key = random_prefix();
        let send = async |app: &TestApp| {
            let request = app.post("/genesys/1/service/request-interaction");
            let request = request.header("idempotency-key", &key);
            TestResponse::send(request.form_body("_provide_code=true&_ttl=1800")).await
        };
        let first = async {
            tokio::time::sleep(DELAY / 2 * step).await;
            let booked = Booked::from_response(&send(&fast).await);
            let call = format!(
                "_access_number={}&_access_code={}",
                booked.number,
                booked.code()
            );
            assert_eq!(match_call(&fast, &call).await, booked.id);
            booked.id
        };
        let (repetition, id) = join(send(&slow), first).await;
        assert_eq!(Booked::from_response(&repetition).id, id, "step {step}");
        let next = create(&fast, "request-interaction", "_provide_code=true").await;
        let next = Booked::from_response(&next);
        let call = format!(
            "_access_number={}&_access_code={}",
            next.number,
            next.code()
        );
        assert_eq!(match_call(&fast, &call).await, next.id, "step {step}");
    }
}
