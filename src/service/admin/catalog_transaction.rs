//! Changing what operators made: understood as a whole, then made, if nothing else was changed meanwhile.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};
use tracing::warn;
use uuid::Uuid;

use super::{
    Actor, Admin, AdminContext, AdminError,
    audit_log::{AuditAction, AuditRecord},
    entries::entry_label,
};
use crate::{
    service::{catalog::retired_ttl, options::Options},
    store::{
        CatalogChange, CatalogChangeResult, CatalogStep, EntryName, RetiredEntry, StoreError,
        StoredCatalog, StoredEntry, Timestamp,
    },
};

/// How often a change is understood anew because others were faster.
const MAX_ATTEMPTS: usize = 8;
/// How long an answer waits for the change to be in force on this replica; elsewhere it may take as long.
const APPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// Entries there may be, those kept in mind included, and bytes of all.
const MAX_ENTRIES: usize = 10_000;
const MAX_CATALOG_BYTES: usize = 32 * 1024 * 1024;

/// One entry that changes.
pub(super) struct EntryChange {
    name: EntryName,
    before: Option<Options>,
    /// `None` deletes it.
    after: Option<Options>,
    /// Whether the store had lost it.
    is_restored: bool,
}

/// Edits that may be made.
pub(super) struct ValidatedChange {
    /// The version there is afterwards.
    new_version: String,
    time: Timestamp,
    steps: Vec<CatalogStep>,
}

impl EntryChange {
    pub(super) fn put(name: EntryName, before: Option<Options>, after: Options) -> Self {
        Self {
            name,
            before,
            after: Some(after),
            is_restored: false,
        }
    }

    /// The same, of what the store has lost.
    pub(super) fn restore(name: EntryName, before: Option<Options>, after: Options) -> Self {
        Self {
            is_restored: true,
            ..Self::put(name, before, after)
        }
    }

    pub(super) fn delete(name: EntryName, before: Option<Options>) -> Self {
        Self {
            name,
            before,
            after: None,
            is_restored: false,
        }
    }

    fn event(&self, by: &Actor, at: Timestamp) -> AuditRecord {
        let action = match (&self.before, &self.after) {
            (_, None) => AuditAction::Delete,
            (_, Some(_)) if self.is_restored => AuditAction::Restore,
            (None, Some(_)) => AuditAction::Create,
            (Some(_), Some(_)) => AuditAction::Replace,
        };
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let event = AuditRecord::new(
            by,
            at,
            action,
            super::table_label(self.name.0),
            &self.name.1,
        );
        event.with_states(before, after)
    }
}

impl Admin {
    /// Makes what `plan` says is to be made of what there is. Gives the version there is afterwards, and
    /// what else the plan gave. A plan without edits changes nothing.
    pub(super) async fn change_catalog<T>(
        &self,
        by: &Actor,
        mut plan: impl FnMut(&StoredCatalog) -> Result<(Vec<EntryChange>, T), AdminError>,
    ) -> Result<(String, T), AdminError> {
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.store.read_catalog().await?;
            let (edits, given) = plan(&stored)?;
            if edits.is_empty() {
                return Ok((stored.version, given));
            }
            let ValidatedChange {
                new_version: to,
                time: at,
                steps,
            } = self.validate(&stored, &edits).await?;
            let change = CatalogChange {
                from: stored.version,
                to,
                changed_at: at,
                steps,
                events: edits
                    .iter()
                    .map(|edit| edit.event(by, at).to_json())
                    .collect(),
                history: self.context.settings.audit_log_entries,
            };
            if self.store.change_catalog(&change).await? == CatalogChangeResult::Applied {
                let seen = self
                    .context
                    .current_catalog
                    .reload_and_wait_for_change(&change.from);
                if timeout(APPLY_TIMEOUT, seen).await.is_err() {
                    warn!(
                        version = change.to,
                        "a change is made, and not yet in force here"
                    );
                }
                return Ok((change.to, given));
            }
        }
        let busy = "others change the catalogue all the time".to_owned();
        Err(StoreError::Conflict(busy).into())
    }

    /// What the store is to do for these `edits`, if everything can be used afterwards.
    ///
    /// # Errors
    /// [`AdminError::Invalid`], [`AdminError::TooLarge`].
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

    /// What the store is to do; what need no longer be kept in mind is forgotten by the way.
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
        let over = stored.retired.iter().filter(|(name, entry)| {
            at > entry
                .since
                .after(retired_ttl(name.0, &self.context.catalog_context))
        });
        steps.extend(over.map(|(name, _)| CatalogStep::Forget(name.clone())));
        Ok(steps)
    }

    /// Looks whether everything can be used `after` the change that could be used `before` it.
    async fn check_catalog(
        &self,
        before: &StoredCatalog,
        after: StoredCatalog,
        changed: BTreeSet<EntryName>,
        now: Timestamp,
    ) -> Result<(), AdminError> {
        check_size(&after)?;
        let (office, before) = (Arc::clone(&self.context), before.clone());
        // A large catalogue takes a while, in which this worker has others to serve.
        let check = spawn_blocking(move || check_usable(&office, &before, &after, &changed, now));
        let checked = check.await;
        checked.map_err(|error| StoreError::Bug(error.to_string()))?
    }
}

fn check_usable(
    office: &AdminContext,
    before: &StoredCatalog,
    after: &StoredCatalog,
    changed: &BTreeSet<EntryName>,
    now: Timestamp,
) -> Result<(), AdminError> {
    let understood = office
        .file_catalog
        .with_stored(after, changed, &office.catalog_context, now);
    let problems = understood.problems();
    if let Some((_, problem)) = problems.iter().find(|(name, _)| changed.contains(*name)) {
        return Err(AdminError::Invalid(problem.clone()));
    }
    if problems.is_empty() {
        return Ok(());
    }
    // What could not be used before, for whatever reason, need not be usable now.
    let before =
        office
            .file_catalog
            .with_stored(before, &BTreeSet::new(), &office.catalog_context, now);
    let is_new = |name: &EntryName| !before.problems().contains_key(name);
    let caused = problems.iter().find(|(name, _)| is_new(name));
    caused.map_or(Ok(()), |(name, problem)| {
        let called = entry_label(name);
        Err(AdminError::Invalid(format!(
            "{called} could no longer be used: {problem}"
        )))
    })
}

/// What there would be after these steps.
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
            "there would be {entries} entries of {bytes} bytes, those deleted of late included; \
             {MAX_ENTRIES} entries and {MAX_CATALOG_BYTES} bytes are allowed"
        )));
    }
    Ok(())
}

/// A version that there has never been, in an order for people. A store that was emptied begins anew, so a
/// number alone would come again.
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
