//! The list of active services: order, ranges, filters and limits of a search.

use std::collections::BTreeSet;

use switchboard::{
    model::{
        CreateResult, ExpiryOrder, ListRange, ListedService, NewService, ServiceFilter, ServiceId,
        ServiceQuery, Timestamp,
    },
    store::AdminStore,
};

use crate::support::stores::{create_until, empty_service, in_ms, on_every_store};

on_every_store!(
    services_are_listed_by_expiration_time_including_ties,
    services_are_listed_in_both_orders_before_a_time,
    search_returns_matching_services_and_continues,
    services_are_read_by_id,
);

/// All services that a query finds, page by page; the number of pages.
async fn collect(store: &dyn AdminStore, query: &ServiceQuery) -> (Vec<ListedService>, usize) {
    let (mut query, mut found, mut pages) = (query.clone(), Vec::new(), 0);
    loop {
        let page = store.services_by_end(&query).await.unwrap();
        assert!(page.services.len() <= query.limit, "{page:?}");
        assert!(page.searched <= query.max_searched, "{page:?}");
        found.extend(page.services);
        pages += 1;
        query.range.after = page.next;
        if query.range.after.is_none() {
            return (found, pages);
        }
    }
}

fn list_query(order: ExpiryOrder, limit: usize) -> ServiceQuery {
    ServiceQuery {
        range: ListRange {
            order,
            ..ListRange::default()
        },
        limit,
        max_searched: limit,
        ..ServiceQuery::default()
    }
}

fn ids(services: &[ListedService]) -> Vec<&str> {
    services.iter().map(|service| service.id.as_str()).collect()
}

/// Creates 30 services, of which 25 expire at the same time. Returns them in the order of their expiration.
async fn create_services(store: &dyn AdminStore) -> Vec<(Timestamp, ServiceId)> {
    let end = in_ms(600_000);
    let mut created = Vec::new();
    for n in 0..30 {
        let end = if n < 25 { end } else { in_ms(700_000 + n) };
        created.push((end, create_until(store, end, Vec::new()).await));
    }
    created.sort_by_key(|(end, id)| (*end, id.as_str().to_owned()));
    created
}

async fn services_are_listed_by_expiration_time_including_ties(store: &dyn AdminStore) {
    let expected = create_services(store).await;
    assert_eq!(store.count_services().await.unwrap(), 30);
    for limit in [4, 30, 100] {
        let (found, _) = collect(store, &list_query(ExpiryOrder::SoonestFirst, limit)).await;
        let found: Vec<_> = found.into_iter().map(|one| (one.end, one.id)).collect();
        assert_eq!(found, expected, "by {limit}");
    }
    store.delete(&expected[0].1).await.unwrap();
    assert_eq!(store.count_services().await.unwrap(), 29);
}

async fn services_are_listed_in_both_orders_before_a_time(store: &dyn AdminStore) {
    let mut expected = create_services(store).await;
    for (before, count) in [
        (None, 30),
        (Some(expected[26].0), 26),
        (Some(expected[0].0), 0),
    ] {
        for order in [ExpiryOrder::SoonestFirst, ExpiryOrder::LatestFirst] {
            for limit in [3, 25, 100] {
                let mut query = list_query(order, limit);
                query.range.expires_before = before;
                let (mut found, _) = collect(store, &query).await;
                if order == ExpiryOrder::LatestFirst {
                    found.reverse();
                }
                let found: Vec<_> = found.into_iter().map(|one| (one.end, one.id)).collect();
                assert_eq!(found, expected[..count], "{query:?}");
            }
        }
    }
    // A deleted service does not end a page early.
    for (_, id) in expected.drain(..5) {
        store.delete(&id).await.unwrap();
    }
    let (found, _) = collect(store, &list_query(ExpiryOrder::LatestFirst, 7)).await;
    assert_eq!(found.len(), 25);
}

async fn create_with(store: &dyn AdminStore, definition: &str, user: &str, ttl: u64) -> String {
    let service = NewService {
        definition: definition.to_owned(),
        gms_user: Some(user.to_owned()),
        end: in_ms(ttl),
        ..empty_service()
    };
    let id = service.id.as_str().to_owned();
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
    id
}

async fn search_returns_matching_services_and_continues(store: &dyn AdminStore) {
    let mut calls = Vec::new();
    for n in 0..40 {
        let (definition, user) = (["store", "call"][n % 2], ["ada", "bob"][n / 2 % 2]);
        let id = create_with(store, definition, user, 100_000 + 1_000 * n as u64).await;
        if definition == "call" {
            calls.push((id, user));
        }
    }
    let filter = |definition: Option<&str>, user: Option<&str>| ServiceFilter {
        definition: definition.map(str::to_owned),
        gms_user: user.map(str::to_owned),
        id_prefix: None,
    };
    for (limit, max_searched, expected_pages) in [(100, 100, 1), (100, 7, 6), (3, 100, 4)] {
        let query = ServiceQuery {
            filter: filter(Some("call"), Some("bob")),
            max_searched,
            ..list_query(ExpiryOrder::SoonestFirst, limit)
        };
        let (found, pages) = collect(store, &query).await;
        let bobs = calls.iter().filter(|(_, user)| *user == "bob");
        let expected: Vec<&str> = bobs.map(|(id, _)| id.as_str()).collect();
        assert_eq!((ids(&found), expected.len()), (expected, 10), "{query:?}");
        assert_eq!(pages, expected_pages, "{query:?}");
    }
    // A page that finds nothing continues too.
    let query = ServiceQuery {
        filter: filter(Some("none"), None),
        max_searched: 15,
        ..list_query(ExpiryOrder::LatestFirst, 10)
    };
    let page = store.services_by_end(&query).await.unwrap();
    assert_eq!((page.services.len(), page.searched), (0, 15));
    assert!(page.next.is_some());
    let (found, pages) = collect(store, &query).await;
    assert_eq!((found.len(), pages), (0, 3));
    // Only one service begins with this id.
    let query = ServiceQuery {
        filter: ServiceFilter {
            id_prefix: Some(calls[3].0[..18].to_uppercase()),
            ..ServiceFilter::default()
        },
        max_searched: 100,
        ..list_query(ExpiryOrder::SoonestFirst, 10)
    };
    let (found, _) = collect(store, &query).await;
    assert_eq!(ids(&found), [calls[3].0.as_str()]);
}

async fn services_are_read_by_id(store: &dyn AdminStore) {
    let created = create_services(store).await;
    store.delete(&created[1].1).await.unwrap();
    let wanted: Vec<ServiceId> = created.iter().rev().map(|(_, id)| id.clone()).collect();
    let found = store.services_by_id(&wanted).await.unwrap();
    let mut expected: BTreeSet<&str> = wanted.iter().map(ServiceId::as_str).collect();
    expected.remove(created[1].1.as_str());
    assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(found[0].end, created[29].0);
    assert_eq!(found[0].definition, "store");
    assert_eq!(store.services_by_id(&[]).await.unwrap(), []);
}
