//! A store with many entries: 300 configured services, 51 groups with 5,000 numbers, 20,000 active services.

use futures_util::{StreamExt, stream};
use reqwest::Method;
use switchboard::{
    model::{NewService, Timestamp},
    store::ServiceStore,
};

use crate::{
    api::admin::fixture::{ADMIN_SETTINGS, create_service, get, import},
    support::{
        TestApp, TestRedis,
        bookings::Booked,
        stores::{RedisFixture, empty_service, in_ms},
    },
};

pub(super) const SERVICES: usize = 20_000;
/// Of the services that expire last, those of another definition and user.
pub(super) const RARE: usize = 3;
/// The definition of the rare services.
pub(super) const RARE_DEFINITION: &str =
    "definition-299-with-a-rather-long-name-that-does-not-fit-in-a-column-of-the-table";
const NUMBERS_PER_GROUP: usize = 100;
/// Creates that run at the same time.
const CONCURRENT: usize = 64;

/// A replica with a large store.
pub(super) struct LargeFixture {
    pub(super) app: TestApp,
    /// A service with a booked number of group `group-49`.
    pub(super) booked: Booked,
    _store: RedisFixture,
}

fn catalog() -> String {
    let mut text = String::new();
    for n in 0..50 {
        let numbers: Vec<String> = (0..NUMBERS_PER_GROUP)
            .map(|index| format!("800{:07}", 5_550_000 + n * NUMBERS_PER_GROUP + index))
            .collect();
        text += &format!(
            "[resources.group-{n:02}]\n_allocation_strategy = 'CLUSTER'\nnumbers = {numbers:?}\n\
             _booking_expiration_timeout = '1800'\n"
        );
    }
    for n in 0..299 {
        text += &format!("[services.definition-{n:03}]\n_type = 'builtin'\n_service = 'store'\n");
    }
    text += &format!("[services.{RARE_DEFINITION}]\n_type = 'builtin'\n_service = 'store'\n");
    text += "[services.call]\n_type = 'builtin'\n_service = 'request-interaction'\n_resource_group = 'group-49'\n";
    text
}

fn service(n: usize) -> NewService {
    let is_rare = n >= SERVICES - RARE;
    let definition = if is_rare {
        RARE_DEFINITION.to_owned()
    } else {
        format!("definition-{:03}", n % 299)
    };
    let ttl = u64::try_from(n).unwrap() * 1_000;
    NewService {
        definition,
        gms_user: Some(if is_rare { "ada" } else { "bob" }.to_owned()),
        end: in_ms(10_000_000 + ttl),
        ..empty_service()
    }
}

impl LargeFixture {
    pub(super) async fn start() -> Self {
        let store = RedisFixture::shared().await;
        let create = stream::iter(0..SERVICES).map(|n| store.store.create(service(n)));
        let mut created = create.buffer_unordered(CONCURRENT);
        while let Some(result) = created.next().await {
            result.unwrap();
        }
        drop(created);
        let redis = Some(TestRedis::shared());
        let app = TestApp::start(redis, &store.prefix, &ADMIN_SETTINGS).await;
        let version = get(&app, "catalog").await.header("etag").to_owned();
        let imported = import(&app, Method::POST, &version, &catalog()).await;
        assert_eq!(imported.status, 200, "{}", imported.text());
        let booked = Booked::from_response(&create_service(&app, "call").await);
        Self {
            app,
            booked,
            _store: store,
        }
    }

    /// A time before which the service with the number expires at most.
    pub(super) fn before_first() -> Timestamp {
        in_ms(10_000_000 - 60_000)
    }
}
