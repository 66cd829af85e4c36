//! Changing what operators made: understood as a whole, then made, if nothing else was changed meanwhile.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};
use tracing::warn;
use uuid::Uuid;

use super::{
    Admin, AdminError, Office, Operator,
    entries::called,
    history::{Action, Event},
};
use crate::{
    service::{catalog::retired_life, options::Options},
    store::{
        CatalogChange, CatalogChanged, EntryName, Moment, RetiredEntry, Step, StoreError,
        StoredCatalog, StoredEntry,
    },
};

/// How often a change is understood anew because others were faster.
const ATTEMPTS: usize = 8;
/// How long an answer waits for the change to be in force on this replica; elsewhere it may take as long.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(2);
/// Entries there may be, those kept in mind included, and bytes of all.
const MOST_ENTRIES: usize = 10_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// One entry that changes.
pub(super) struct Edit {
    name: EntryName,
    before: Option<Options>,
    /// `None` deletes it.
    after: Option<Options>,
    /// Whether the store had lost it.
    is_restored: bool,
}

/// Edits that may be made.
pub(super) struct Understood {
    /// The version there is afterwards.
    to: String,
    at: Moment,
    steps: Vec<Step>,
}

impl Edit {
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

    fn event(&self, by: &Operator, at: Moment) -> Event {
        let action = match (&self.before, &self.after) {
            (_, None) => Action::Delete,
            (_, Some(_)) if self.is_restored => Action::Restore,
            (None, Some(_)) => Action::Create,
            (Some(_), Some(_)) => Action::Replace,
        };
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let event = Event::new(by, at, action, super::kind(self.name.0), &self.name.1);
        event.about(before, after)
    }
}

impl Admin {
    /// Makes what `plan` says is to be made of what there is. Gives the version there is afterwards, and
    /// what else the plan gave. A plan without edits changes nothing.
    pub(super) async fn change<T>(
        &self,
        by: &Operator,
        mut plan: impl FnMut(&StoredCatalog) -> Result<(Vec<Edit>, T), AdminError>,
    ) -> Result<(String, T), AdminError> {
        for _ in 0..ATTEMPTS {
            let stored = self.store.stored_catalog().await?;
            let (edits, given) = plan(&stored)?;
            if edits.is_empty() {
                return Ok((stored.version, given));
            }
            let Understood { to, at, steps } = self.understood(&stored, &edits).await?;
            let change = CatalogChange {
                from: stored.version,
                to,
                at,
                steps,
                events: edits.iter().map(|edit| edit.event(by, at).text()).collect(),
                history: self.office.settings.history_entries,
            };
            if self.store.change_catalog(&change).await? == CatalogChanged::Done {
                let seen = self.office.in_force.other_than(&change.from);
                if timeout(IN_FORCE_WITHIN, seen).await.is_err() {
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
    /// [`AdminError::Invalid`], [`AdminError::TooMuch`].
    pub(super) async fn understood(
        &self,
        stored: &StoredCatalog,
        edits: &[Edit],
    ) -> Result<Understood, AdminError> {
        let at = self.store.now()?;
        let steps = self.steps(stored, edits, at)?;
        let to = version_after(&stored.version);
        let after = stepped(stored.clone(), &steps, &to, at);
        let changed = steps.iter().map(name_of).cloned().collect();
        self.check(stored, after, changed, at).await?;
        Ok(Understood { to, at, steps })
    }

    /// What the store is to do; what need no longer be kept in mind is forgotten by the way.
    fn steps(
        &self,
        stored: &StoredCatalog,
        edits: &[Edit],
        at: Moment,
    ) -> Result<Vec<Step>, AdminError> {
        let mut steps = Vec::with_capacity(edits.len());
        for edit in edits {
            steps.push(match &edit.after {
                None => Step::Retire(edit.name.clone()),
                Some(options) => {
                    let text = serde_json::to_string(options)
                        .map_err(|error| StoreError::Bug(error.to_string()))?;
                    Step::Put(edit.name.clone(), text)
                }
            });
        }
        let over = stored.retired.iter().filter(|(name, entry)| {
            at > entry.since.after(retired_life(name.0, &self.office.rules))
        });
        steps.extend(over.map(|(name, _)| Step::Forget(name.clone())));
        Ok(steps)
    }

    /// Looks whether everything can be used `after` the change that could be used `before` it.
    async fn check(
        &self,
        before: &StoredCatalog,
        after: StoredCatalog,
        changed: BTreeSet<EntryName>,
        now: Moment,
    ) -> Result<(), AdminError> {
        check_size(&after)?;
        let (office, before) = (Arc::clone(&self.office), before.clone());
        // A large catalogue takes a while, in which this worker has others to serve.
        let check = spawn_blocking(move || check_use(&office, &before, &after, &changed, now));
        let checked = check.await;
        checked.map_err(|error| StoreError::Bug(error.to_string()))?
    }
}

fn check_use(
    office: &Office,
    before: &StoredCatalog,
    after: &StoredCatalog,
    changed: &BTreeSet<EntryName>,
    now: Moment,
) -> Result<(), AdminError> {
    let understood = office.file.with(after, changed, &office.rules, now);
    let problems = understood.problems();
    if let Some((_, problem)) = problems.iter().find(|(name, _)| changed.contains(*name)) {
        return Err(AdminError::Invalid(problem.clone()));
    }
    if problems.is_empty() {
        return Ok(());
    }
    // What could not be used before, for whatever reason, need not be usable now.
    let before = office
        .file
        .with(before, &BTreeSet::new(), &office.rules, now);
    let is_new = |name: &EntryName| !before.problems().contains_key(name);
    let caused = problems.iter().find(|(name, _)| is_new(name));
    caused.map_or(Ok(()), |(name, problem)| {
        let called = called(name);
        Err(AdminError::Invalid(format!(
            "{called} could no longer be used: {problem}"
        )))
    })
}

/// What there would be after these steps.
fn stepped(mut stored: StoredCatalog, steps: &[Step], to: &str, at: Moment) -> StoredCatalog {
    to.clone_into(&mut stored.version);
    for step in steps {
        match step {
            Step::Put(name, text) => {
                let (revision, text) = (to.to_owned(), text.clone());
                let entry = StoredEntry { revision, text };
                stored.entries.insert(name.clone(), entry);
                stored.retired.remove(name);
            }
            Step::Retire(name) => {
                if let Some(StoredEntry { text, .. }) = stored.entries.remove(name) {
                    let retired = RetiredEntry { since: at, text };
                    stored.retired.insert(name.clone(), retired);
                }
            }
            Step::Forget(name) => drop(stored.retired.remove(name)),
        }
    }
    stored
}

fn name_of(step: &Step) -> &EntryName {
    match step {
        Step::Put(name, _) | Step::Retire(name) | Step::Forget(name) => name,
    }
}

fn check_size(stored: &StoredCatalog) -> Result<(), AdminError> {
    let entries = stored.entries.len() + stored.retired.len();
    let texts = stored.entries.values().map(|entry| entry.text.len());
    let retired = stored.retired.values().map(|entry| entry.text.len());
    let bytes: usize = texts.chain(retired).sum();
    if entries > MOST_ENTRIES || bytes > MOST_BYTES {
        return Err(AdminError::TooMuch(format!(
            "there would be {entries} entries of {bytes} bytes, those deleted of late included; \
             {MOST_ENTRIES} entries and {MOST_BYTES} bytes are allowed"
        )));
    }
    Ok(())
}

/// A version that there has never been, in an order for people. A store that was emptied begins anew, so a
/// number alone would come again.
fn version_after(version: &str) -> String {
    let number: u64 = version
        .split('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    let token = Uuid::new_v4().simple().to_string();
    let token = token.get(..8).unwrap_or_default();
    format!("{}-{token}", number.saturating_add(1))
}
