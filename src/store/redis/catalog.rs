//! Stored catalog entries in Redis. They share one slot with the audit log, so that one script changes the
//! entries, the version and the audit log atomically.

use async_trait::async_trait;
use redis::cmd;

use super::{
    RedisStore,
    scripts::{CHANGE_CATALOG, READ_CATALOG, evalsha},
};
use crate::{
    model::{
        CatalogChange, CatalogChangeResult, CatalogStep, RetiredEntry, StoreError, StoredCatalog,
        StoredEntry, Table, Timestamp,
    },
    store::CatalogStore,
};

/// The version, the services, the resource groups and the retired entries; each entry is a name and its
/// text.
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
        // The reply may be large; it must not delay small requests.
        let reply = self.redis.query_pooled(&read).await?;
        let (version, services, resources, retired): CatalogReply = reply;
        let mut catalog = StoredCatalog {
            version,
            ..StoredCatalog::default()
        };
        for (table, entries) in [(Table::Services, services), (Table::Resources, resources)] {
            for (name, entry) in entries {
                let (revision, text) = split_entry(&name, &entry)?;
                catalog
                    .entries
                    .insert((table, name), StoredEntry { revision, text });
            }
        }
        for (field, entry) in retired {
            let entry_name = field.split_once('/');
            let entry_name =
                entry_name.and_then(|(table, name)| Some((Table::from_name(table)?, name)));
            // Ignore entries of tables that only a later version of this program has.
            let Some((table, name)) = entry_name else {
                continue;
            };
            let (since, text) = split_entry(name, &entry)?;
            let since = Timestamp::from_millis(since.parse().unwrap_or_default());
            let retired = RetiredEntry { since, text };
            catalog.retired.insert((table, name.to_owned()), retired);
        }
        Ok(catalog)
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

/// Splits an entry at its first line feed.
fn split_entry(name: &str, entry: &str) -> Result<(String, String), StoreError> {
    let parts = entry.split_once('\n');
    let parts = parts.map(|(first, rest)| (first.to_owned(), rest.to_owned()));
    parts.ok_or_else(|| StoreError::Corrupt(format!("catalog entry {name:?}")))
}
