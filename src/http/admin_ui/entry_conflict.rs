//! An entry that someone else changed while an operator edited it.

use super::{entry_base::EntryBase, form_values::FormValues};
use crate::{
    model::EntryName,
    service::{Admin, AdminError, EntryConflict, Options},
};

/// The revision in forms that create a deleted entry again.
pub(super) const DELETED_REVISION: &str = "deleted";

/// What an operator entered, and what it is based on.
#[derive(Default)]
pub(super) struct EditedEntry {
    pub(super) values: FormValues,
    /// The options that the form was opened with, and their revision.
    pub(super) base: EntryBase,
    pub(super) revision: String,
}

/// What someone else did.
pub(super) enum ConflictKind {
    /// They changed other options. The form has the changes of both.
    Merged,
    /// They changed these options too.
    Unresolved(Vec<String>),
    /// They deleted the entry.
    Deleted,
    /// They changed these options of an entry that the operator wanted to delete.
    NotDeleted(Vec<String>),
}

/// A conflict, for the page.
pub(super) struct Conflict {
    pub(super) saved: EntryConflict,
    pub(super) kind: ConflictKind,
    /// Why the numbers of the form cannot be added or removed any more; may be empty.
    pub(super) problem: String,
    /// How many of the numbers to remove they removed already.
    pub(super) already_removed: usize,
}

impl Conflict {
    /// Merges what the operator entered with what was saved in the meantime.
    ///
    /// # Errors
    /// Errors of the store.
    pub(super) async fn resolve(
        admin: &Admin,
        entry: &EntryName,
        edited: EditedEntry,
    ) -> Result<(Self, EditedEntry), AdminError> {
        let own = edited.values.entered_options().unwrap_or_default();
        let saved = match admin.read_entry(entry.clone()).await {
            Err(AdminError::NoSuchEntry(..)) => {
                let (own, problem) = edited_options(&edited.values, own);
                let conflict = Self {
                    saved: admin.entry_conflict(entry, &own).await?,
                    kind: ConflictKind::Deleted,
                    problem,
                    already_removed: 0,
                };
                return Ok((conflict, edited));
            }
            saved => saved?,
        };
        let merge = edited.base.merge(&own, &saved.options);
        let (values, already_removed) = edited.values.with_options(&merge.options);
        let (own, problem) = edited_options(&values, merge.options);
        let compared = admin.entry_conflict(entry, &own);
        let compared = EntryConflict {
            // That of the options which were merged.
            revision: Some(saved.revision.clone()),
            ..compared.await?
        };
        let (revision, kind) = if merge.unresolved.is_empty() {
            (saved.revision, ConflictKind::Merged)
        } else {
            (edited.revision, ConflictKind::Unresolved(merge.unresolved))
        };
        let (saved, base) = (compared, merge.base);
        let edited = EditedEntry {
            values,
            base,
            revision,
        };
        let conflict = Self {
            saved,
            kind,
            problem,
            already_removed,
        };
        Ok((conflict, edited))
    }

    /// The conflict with a change of an entry that was to be deleted; `options` are the saved ones.
    ///
    /// # Errors
    /// Errors of the store.
    pub(super) async fn not_deleted(
        admin: &Admin,
        entry: &EntryName,
        base: &EntryBase,
        options: &Options,
    ) -> Result<Self, AdminError> {
        Ok(Self {
            saved: admin.entry_conflict(entry, options).await?,
            kind: ConflictKind::NotDeleted(base.changed(options)),
            problem: String::new(),
            already_removed: 0,
        })
    }

    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.kind, ConflictKind::Deleted)
    }

    /// Whether the form can be saved without a loss of changes.
    pub(super) fn can_save(&self) -> bool {
        matches!(
            self.kind,
            ConflictKind::Merged | ConflictKind::NotDeleted(_)
        )
    }

    /// The value of the button that overwrites what someone else saved.
    pub(super) fn overwrite_value(&self) -> &str {
        self.saved.revision.as_deref().unwrap_or(DELETED_REVISION)
    }
}

/// The options with the changes of numbers; without them and with the problem if they cannot be applied.
fn edited_options(values: &FormValues, entered: Options) -> (Options, String) {
    match values.options() {
        Ok((options, _)) => (options, String::new()),
        Err(error) => (entered, error.message),
    }
}
