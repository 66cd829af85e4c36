//! The load on storage areas with custom ids during the kills.

use rand::RngExt;
use redis::cmd;
use reqwest::{Method, RequestBuilder};

use super::{Fixture, Load};
use crate::support::{
    Bodies, Multipart,
    bookings::{eventually, keys_in},
};

/// The number of storage areas. The requests of all clients are for these.
const STORAGE_AREAS: u32 = 5;
/// The time for which the chunks of an upload that was not completed remain, in milliseconds.
const UPLOAD_TTL: i64 = 600_000;

impl Load {
    /// Creates storage areas, updates and deletes them, some with a binary, until stopped.
    pub(super) async fn storage_client(&self) {
        while !self.stopped.get() {
            let n = rand::rng().random_range(0..STORAGE_AREAS);
            let path = format!("storage/session{n}");
            let with_ttl = format!("{path}/1800");
            let file = || Multipart::new().file("map", "map.png", "image/png", b"bytes");
            match rand::rng().random_range(0..4) {
                0 => {
                    let write = |request: RequestBuilder| as_user(request).form_body("a=1");
                    self.send_with(Method::POST, &with_ttl, write).await;
                }
                1 => drop(self.send_with(Method::DELETE, &path, as_user).await),
                _ => {
                    let write = |request: RequestBuilder| as_user(request).multipart_body(file());
                    self.send_with(Method::POST, &with_ttl, write).await;
                }
            }
        }
    }

    /// Ends a storage area by expiration or by deletion.
    pub(super) async fn end_storage_area(&self, id: &str, expires: bool) {
        let name = id.rsplit('/').next().unwrap();
        let (method, path) = if expires {
            (Method::POST, format!("storage/{name}/1"))
        } else {
            (Method::DELETE, format!("storage/{name}"))
        };
        eventually("the storage area is ended", async || {
            self.send_with(method.clone(), &path, as_user).await
        })
        .await;
    }
}

fn as_user(request: RequestBuilder) -> RequestBuilder {
    request.header("gms_user", "ann")
}

impl Fixture {
    /// Asserts that the binaries that remain are uploads that were not completed: their services had a longer TTL.
    pub(super) async fn assert_binaries_expire_soon(&self) {
        let mut connection = self.redis.connection().await;
        for key in keys_in(&mut connection, &format!("{}blob:*", self.prefix)).await {
            let ttl = cmd("PTTL").arg(&key).to_owned();
            let ttl: i64 = ttl.query_async(&mut connection).await.unwrap();
            assert!(ttl != -1 && ttl <= UPLOAD_TTL, "{key} remains for {ttl} ms");
        }
    }
}
