//! Transactions on the stored catalog: validated as a whole and written only if no other change was made in the
//! meantime.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};
use tracing::warn;
use uuid::Uuid;

use super::{
    Actor, Admin, AdminContext, AdminError,
    entry_change::{EntryChange, entry_label},
};
use crate::{
    model::{
        CatalogChange, CatalogChangeResult, CatalogStep, EntryName, RetiredEntry, StoreError,
        StoredCatalog, StoredEntry, Timestamp,
    },
    service::catalog::retired_ttl,
};

/// Maximum number of attempts of a change that conflicts with others.
const MAX_ATTEMPTS: usize = 8;
/// How long a response waits for the change to take effect on this replica. Other replicas can take as long.
const APPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of entries, including retired ones, and their total size in bytes.
const MAX_ENTRIES: usize = 10_000;
const MAX_CATALOG_BYTES: usize = 32 * 1024 * 1024;

/// A validated change.
pub(super) struct ValidatedChange {
    /// The version after the change.
    new_version: String,
    time: Timestamp,
    steps: Vec<CatalogStep>,
}

impl Admin {
    /// Makes the changes that `plan` derives from the stored catalog. Returns the version after the change and the
    /// second value of the plan. A plan without changes writes nothing.
    pub(super) async fn change_catalog<T>(
        &self,
        by: &Actor,
        mut plan: impl FnMut(&StoredCatalog) -> Result<(Vec<EntryChange>, T), AdminError>,
    ) -> Result<(String, T), AdminError> {
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.store.read_catalog().await?;
            let (changes, result) = plan(&stored)?;
            if changes.is_empty() {
                return Ok((stored.version, result));
            }
            let ValidatedChange {
                new_version,
                time,
                steps,
            } = self.validate(&stored, &changes).await?;
            let change = CatalogChange {
                from: stored.version,
                to: new_version,
                changed_at: time,
                steps,
                events: changes
                    .iter()
                    .map(|change| change.event(by, time).to_json())
                    .collect(),
                history: self.context.settings.audit_log_entries,
            };
            if self.store.change_catalog(&change).await? == CatalogChangeResult::Applied {
                let applied = self
                    .context
                    .current_catalog
                    .reload_and_wait_for_change(&change.from);
                if timeout(APPLY_TIMEOUT, applied).await.is_err() {
                    warn!(
                        version = change.to,
                        "catalog change not yet in effect on this replica"
                    );
                }
                return Ok((change.to, result));
            }
        }
        let conflict = "too many concurrent changes of the catalog".to_owned();
        Err(StoreError::Conflict(conflict).into())
    }

    /// Validates the catalog after `edits` and plans the steps of the store.
    ///
    /// # Errors
    /// [`AdminError::InvalidEntry`], [`AdminError::Invalid`], [`AdminError::TooLarge`].
    pub(super) async fn validate(
        &self,
        stored: &StoredCatalog,
        edits: &[EntryChange],
    ) -> Result<ValidatedChange, AdminError> {
        let at = self.store.now()?;
        let steps = self.plan_steps(stored, edits, at)?;
        let to = next_version(&stored.version);
        let after = apply_steps(stored.clone(), &steps, &to, at);
        let changed = steps.iter().map(entry_name).cloned().collect();
        self.check_catalog(stored, after, changed, at).await?;
        Ok(ValidatedChange {
            new_version: to,
            time: at,
            steps,
        })
    }

    /// The steps of the store for `edits`. Expired retired entries are removed too.
    fn plan_steps(
        &self,
        stored: &StoredCatalog,
        edits: &[EntryChange],
        at: Timestamp,
    ) -> Result<Vec<CatalogStep>, AdminError> {
        let mut steps = Vec::with_capacity(edits.len());
        for edit in edits {
            steps.push(match &edit.after {
                None => CatalogStep::Retire(edit.name.clone()),
                Some(options) => {
                    let text = serde_json::to_string(options)
                        .map_err(|error| StoreError::Bug(error.to_string()))?;
                    CatalogStep::Put(edit.name.clone(), text)
                }
            });
        }
        let expired = stored.retired.iter().filter(|(name, entry)| {
            at > entry
                .since
                .after(retired_ttl(name.0, &self.context.catalog_context))
        });
        steps.extend(expired.map(|(name, _)| CatalogStep::Forget(name.clone())));
        Ok(steps)
    }

    /// Checks that the change makes no entry unusable that was usable `before` it.
    async fn check_catalog(
        &self,
        before: &StoredCatalog,
        after: StoredCatalog,
        changed: BTreeSet<EntryName>,
        now: Timestamp,
    ) -> Result<(), AdminError> {
        check_size(&after)?;
        let (context, before) = (Arc::clone(&self.context), before.clone());
        // Validation of a large catalog takes time, so it must not block the worker.
        let check = spawn_blocking(move || check_usable(&context, &before, &after, &changed, now));
        let checked = check.await;
        checked.map_err(|error| StoreError::Bug(error.to_string()))?
    }
}

fn check_usable(
    context: &AdminContext,
    before: &StoredCatalog,
    after: &StoredCatalog,
    changed: &BTreeSet<EntryName>,
    now: Timestamp,
) -> Result<(), AdminError> {
    let catalog = context
        .file_catalog
        .with_stored(after, changed, &context.catalog_context, now);
    let problems = catalog.problems();
    if let Some((_, problem)) = problems.iter().find(|(name, _)| changed.contains(*name)) {
        return Err(problem.clone().into());
    }
    if problems.is_empty() {
        return Ok(());
    }
    // Entries that were unusable before the change may stay so.
    let before =
        context
            .file_catalog
            .with_stored(before, &BTreeSet::new(), &context.catalog_context, now);
    let is_new = |name: &EntryName| !before.problems().contains_key(name);
    let caused = problems.iter().find(|(name, _)| is_new(name));
    caused.map_or(Ok(()), |(name, problem)| {
        let label = entry_label(name);
        Err(AdminError::Invalid(format!(
            "{label} would become unusable: {problem}"
        )))
    })
}

/// The stored catalog after these steps.
fn apply_steps(
    mut stored: StoredCatalog,
    steps: &[CatalogStep],
    to: &str,
    at: Timestamp,
) -> StoredCatalog {
    to.clone_into(&mut stored.version);
    for step in steps {
        match step {
            CatalogStep::Put(name, text) => {
                let (revision, text) = (to.to_owned(), text.clone());
                let entry = StoredEntry { revision, text };
                stored.entries.insert(name.clone(), entry);
                stored.retired.remove(name);
            }
            CatalogStep::Retire(name) => {
                if let Some(StoredEntry { text, .. }) = stored.entries.remove(name) {
                    let retired = RetiredEntry { since: at, text };
                    stored.retired.insert(name.clone(), retired);
                }
            }
            CatalogStep::Forget(name) => drop(stored.retired.remove(name)),
        }
    }
    stored
}

fn entry_name(step: &CatalogStep) -> &EntryName {
    match step {
        CatalogStep::Put(name, _) | CatalogStep::Retire(name) | CatalogStep::Forget(name) => name,
    }
}

fn check_size(stored: &StoredCatalog) -> Result<(), AdminError> {
    let entries = stored.entries.len() + stored.retired.len();
    let texts = stored.entries.values().map(|entry| entry.text.len());
    let retired = stored.retired.values().map(|entry| entry.text.len());
    let bytes: usize = texts.chain(retired).sum();
    if entries > MAX_ENTRIES || bytes > MAX_CATALOG_BYTES {
        return Err(AdminError::TooLarge(format!(
            "the catalog would have {entries} entries of {bytes} bytes, including recently deleted ones; \
             the maximum is {MAX_ENTRIES} entries and {MAX_CATALOG_BYTES} bytes"
        )));
    }
    Ok(())
}

/// A new, unique version that sorts by number for readers. A store that was emptied starts at 1 again, so the number
/// alone is not unique.
fn next_version(version: &str) -> String {
    let number: u64 = version
        .split('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    let token = Uuid::new_v4().simple().to_string();
    let token = token.get(..8).unwrap_or_default();
    format!("{}-{token}", number.saturating_add(1))
}
