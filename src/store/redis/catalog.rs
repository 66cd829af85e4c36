//! Stored catalog entries in Redis. They share one slot with the audit log, so that one script changes the
//! entries, the version and the audit log atomically.

use async_trait::async_trait;
use redis::cmd;

use super::{
    RedisStore,
    scripts::{CHANGE_CATALOG, READ_CATALOG, evalsha},
};
use crate::store::{
    CatalogChange, CatalogChangeResult, CatalogStep, CatalogStore, RetiredEntry, StoreError,
    StoredCatalog, StoredEntry, Table, Timestamp,
};

/// Version, services, resource groups, and those that are retired; each a name and what it says.
type CatalogReply = (
    String,
    Vec<(String, String)>,
    Vec<(String, String)>,
    Vec<(String, String)>,
);

#[async_trait]
impl CatalogStore for RedisStore {
    async fn catalog_version(&self) -> Result<String, StoreError> {
        let [version, ..] = self.keys.catalog();
        let version: Option<String> = self.redis.query(cmd("GET").arg(version)).await?;
        Ok(version.unwrap_or_default())
    }

    async fn read_catalog(&self) -> Result<StoredCatalog, StoreError> {
        let read = evalsha(&READ_CATALOG, &self.keys.catalog());
        // It may be large: nothing small is to wait behind it.
        let all = self.redis.query_pooled(&read).await?;
        let (version, services, resources, retired): CatalogReply = all;
        let mut all = StoredCatalog {
            version,
            ..StoredCatalog::default()
        };
        for (table, entries) in [(Table::Services, services), (Table::Resources, resources)] {
            for (name, entry) in entries {
                let (revision, text) = split_entry(&name, &entry)?;
                all.entries
                    .insert((table, name), StoredEntry { revision, text });
            }
        }
        for (place, entry) in retired {
            let named = place.split_once('/');
            let named = named.and_then(|(table, name)| Some((Table::from_name(table)?, name)));
            // One of a later version of this program is not for us.
            let Some((table, name)) = named else { continue };
            let (since, text) = split_entry(name, &entry)?;
            let since = Timestamp::from_millis(since.parse().unwrap_or_default());
            let retired = RetiredEntry { since, text };
            all.retired.insert((table, name.to_owned()), retired);
        }
        Ok(all)
    }

    async fn change_catalog(
        &self,
        change: &CatalogChange,
    ) -> Result<CatalogChangeResult, StoreError> {
        let [version, services, resources, retired] = self.keys.catalog();
        let keys = [version, services, resources, retired, self.keys.audit_log()];
        let mut write = evalsha(&CHANGE_CATALOG, &keys);
        write.arg(&change.from).arg(&change.to);
        write
            .arg(change.changed_at.millis())
            .arg(self.keys.catalog_channel());
        write.arg(change.history).arg(change.steps.len());
        for step in &change.steps {
            let (kind, (table, name), text) = match step {
                CatalogStep::Put(entry, text) => ("put", entry, text.as_str()),
                CatalogStep::Retire(entry) => ("retire", entry, ""),
                CatalogStep::Forget(entry) => ("forget", entry, ""),
            };
            write.arg(kind).arg(table.name()).arg(name).arg(text);
        }
        write.arg(&change.events);
        Ok(if self.redis.query_replicated(&write).await? {
            CatalogChangeResult::Applied
        } else {
            CatalogChangeResult::Superseded
        })
    }

    async fn catalog_changed(&self) {
        self.catalog_changed.notified().await;
    }
}

/// What stands before the first line feed, and what stands behind it.
fn split_entry(name: &str, entry: &str) -> Result<(String, String), StoreError> {
    let parts = entry.split_once('\n');
    let parts = parts.map(|(first, rest)| (first.to_owned(), rest.to_owned()));
    parts.ok_or_else(|| StoreError::Corrupt(format!("the catalogue's entry {name:?}")))
}
