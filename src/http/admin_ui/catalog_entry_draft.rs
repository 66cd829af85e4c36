//! The entry that a page shows or saves.

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode};

use super::{
    Layout, PageError, PageResult,
    catalog_entry_form::{EntryForm, EntryPage, KnownNames},
    catalog_tables::{menu_section, new_entry_title, table_path},
    entry_base::EntryBase,
    entry_conflict::{Conflict, EditedEntry},
    form_values::{FormValues, InputError, NUMBERS},
    number_edits::EditCounts,
    page_url, redirect_see_other, render,
    signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api},
    model::{EntryName, Table},
    service::{
        Admin, AdminError, CatalogEntry, EntryError, EntryOrigin, OptionValue, Options,
        Precondition, REDACTED, ServicePreset, group_options, preset_of, presets,
    },
};

/// The query parameter `message` after an entry was saved.
pub(super) const SAVED: &str = "saved";

/// The state of the page of an entry: stored or submitted.
pub(super) struct EntryDraft {
    pub(super) table: Table,
    pub(super) name: Option<String>,
    pub(super) requested_name: String,
    pub(super) preset_name: String,
    pub(super) edited: EditedEntry,
    pub(super) read_only: bool,
    pub(super) problem: String,
    /// The option that `problem` is about.
    pub(super) invalid_option: Option<String>,
    pub(super) warnings: Vec<String>,
    /// What someone else saved in the meantime.
    pub(super) conflict: Option<Conflict>,
    pub(super) flash: String,
}

impl EntryDraft {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            name: None,
            requested_name: String::new(),
            preset_name: String::new(),
            edited: EditedEntry::default(),
            read_only: false,
            problem: String::new(),
            invalid_option: None,
            warnings: Vec::new(),
            conflict: None,
            flash: String::new(),
        }
    }

    pub(super) fn from_entry(table: Table, entry: CatalogEntry) -> Self {
        let problem = entry.problem.as_ref();
        Self {
            problem: problem.map(EntryError::to_string).unwrap_or_default(),
            invalid_option: problem.and_then(invalid_option),
            name: Some(entry.name),
            edited: EditedEntry {
                base: EntryBase::new(&entry.options),
                values: entry.options.into(),
                revision: entry.revision,
            },
            read_only: entry.origin == EntryOrigin::File,
            warnings: entry.warnings,
            ..Self::new(table)
        }
    }

    /// A new entry with the options of another one, without its secrets and the numbers that a group books exclusively:
    /// no other group can have them.
    pub(super) fn copy_of(table: Table, entry: CatalogEntry) -> Self {
        let mut options = entry.options;
        let mut uncopied_secrets = Vec::new();
        for (name, value) in &mut options {
            if value.text() == Some(REDACTED) {
                *value = OptionValue::Text(String::new());
                uncopied_secrets.push(name.clone());
            }
        }
        if is_exclusive(&options) {
            options.remove(NUMBERS);
        }
        Self {
            requested_name: format!("{}-copy", entry.name),
            preset_name: preset_of(&options)
                .map_or("", |preset| preset.name)
                .to_owned(),
            edited: EditedEntry {
                values: FormValues {
                    uncopied_secrets,
                    ..options.into()
                },
                ..EditedEntry::default()
            },
            ..Self::new(table)
        }
    }

    /// Saves the entry, or shows the input with the error.
    pub(super) async fn save(
        mut self,
        state: &AppState,
        session: &SignedIn,
        request: &HttpRequest,
        condition: &Precondition,
    ) -> PageResult {
        let admin = admin_api::admin_service(state)?;
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| self.requested_name.clone());
        let entry = (self.table, name.clone());
        let actor = session.actor(state, request);
        let put = match self.edited.values.options() {
            Ok((options, counts)) => {
                match FormValues::check_size(&options, state.limits.form_bytes) {
                    Ok(()) => {
                        let put = admin.put_entry(entry.clone(), options, condition, &actor);
                        put.await.map(|_| counts)
                    }
                    Err(error) => Err(error),
                }
            }
            Err(InputError { option, message }) => {
                self.invalid_option = option;
                Err(AdminError::Invalid(message))
            }
        };
        match put {
            Ok(counts) => Ok(redirect_to_saved(self.table, &name, counts)),
            Err(error) => {
                if matches!(error, AdminError::PreconditionFailed(_)) && self.name.is_some() {
                    return self.show_conflict(admin, session, &entry).await;
                }
                self.read_only = matches!(error, AdminError::ReadOnly(..)) && self.name.is_some();
                if let AdminError::InvalidEntry(error) = &error {
                    self.invalid_option = invalid_option(error);
                }
                let error = ApiError::from(error);
                self.problem = error.to_string();
                render(error.status_code(), &self.into_page(admin, session)?)
            }
        }
    }

    /// Shows what someone else saved, and the changes of both if they can be merged.
    async fn show_conflict(
        self,
        admin: &Admin,
        session: &SignedIn,
        entry: &EntryName,
    ) -> PageResult {
        let (conflict, edited) = Conflict::resolve(admin, entry, self.edited).await?;
        let draft = Self {
            name: self.name,
            edited,
            conflict: Some(conflict),
            ..Self::new(self.table)
        };
        render(
            StatusCode::PRECONDITION_FAILED,
            &draft.into_page(admin, session)?,
        )
    }

    pub(super) fn into_page(
        self,
        admin: &Admin,
        session: &SignedIn,
    ) -> Result<EntryPage, PageError> {
        let preset = match self.table {
            Table::Resources => None,
            Table::Services => self.preset()?,
        };
        let known = match (self.table, preset) {
            (Table::Resources, _) => group_options(),
            (Table::Services, Some(preset)) => admin.preset_options(preset),
            (Table::Services, None) => Vec::new(),
        };
        let title = self
            .name
            .clone()
            .unwrap_or_else(|| new_entry_title(self.table).to_owned());
        Ok(EntryPage {
            layout: Layout::new(session, menu_section(self.table), title),
            table: self.table,
            description: preset
                .map(|preset| preset.description.to_owned())
                .unwrap_or_default(),
            name: self.name,
            requested_name: self.requested_name,
            base: self.edited.base.to_field(),
            revision: self.edited.revision,
            read_only: self.read_only,
            preset: preset
                .map(|preset| preset.name.to_owned())
                .unwrap_or_default(),
            form: EntryForm::new(
                known,
                preset,
                &self.edited.values,
                KnownNames {
                    groups: admin.group_names(),
                    services: admin.service_names(),
                },
                self.invalid_option.as_deref(),
            ),
            problem: self.problem,
            warnings: self.warnings,
            conflict: self.conflict,
            flash: self.flash,
            group_page: None,
        })
    }

    /// The preset: that of the options for an existing entry, the selected one for a new entry.
    fn preset(&self) -> Result<Option<&'static ServicePreset>, PageError> {
        if self.name.is_some() {
            return Ok(preset_of(&self.edited.values.first_values()));
        }
        let mut known = presets().iter();
        let selected = known.find(|preset| preset.name == self.preset_name);
        let url = page_url(&["new", table_path(self.table)]);
        let unknown = || ApiError::NotFound(format!("{url}?preset={}", self.preset_name));
        selected.map(Some).ok_or_else(|| unknown().into())
    }
}

fn invalid_option(error: &EntryError) -> Option<String> {
    error.option().map(str::to_owned)
}

/// Whether a group books its numbers for one service at a time.
fn is_exclusive(options: &Options) -> bool {
    let strategy = options.get("_allocation_strategy");
    matches!(
        strategy.and_then(OptionValue::text),
        Some("CLUSTER" | "LOCAL")
    )
}

fn redirect_to_saved(table: Table, name: &str, counts: EditCounts) -> HttpResponse {
    redirect_see_other(&format!(
        "{}?message={SAVED}{}",
        page_url(&[table_path(table), name]),
        counts.to_query()
    ))
}
