//! The form of a service definition or a resource group: a field for each known option, generated from the table that
//! also validates them, and rows for custom options.

use super::{
    Layout, catalog_tables::table_path, entry_conflict::Conflict, form_values::FormValues,
    groups::GroupPage, list_query::format_total, page_url, percent_encode,
};
use crate::{
    model::Table,
    service::{Importance, OptionDoc, OptionType, OptionValue, ServicePreset, is_option_name},
};

/// Empty rows for custom options.
const EMPTY_ROWS: usize = 2;

/// Lines of a list that are shown unfolded.
const MAX_UNFOLDED_LINES: usize = 20;

/// The input of a field.
pub(super) enum FieldKind {
    Text,
    Number,
    Secret,
    List,
    /// A value with line breaks, which a single-line input would remove.
    MultilineText,
    /// One of these values.
    Choice(Vec<String>),
    /// The name of a resource group.
    Group,
    /// Names of configured services.
    Services,
}

/// The field of an option.
pub(super) struct Field {
    pub(super) doc: OptionDoc,
    pub(super) kind: FieldKind,
    pub(super) value: String,
    /// The preset fixes the value.
    pub(super) is_locked: bool,
    /// The error message is about this option.
    pub(super) is_invalid: bool,
}

/// A row for a custom option, possibly empty.
#[derive(Clone, Default)]
pub(super) struct OtherOption {
    pub(super) name: String,
    pub(super) value: String,
    /// The error message is about this option.
    pub(super) is_invalid: bool,
}

/// All fields of an entry.
pub(super) struct EntryForm {
    pub(super) mandatory: Vec<Field>,
    pub(super) optional: Vec<Field>,
    pub(super) advanced: Vec<Field>,
    /// Custom options, and empty rows.
    pub(super) others: Vec<OtherOption>,
    /// The numbers to add to a group and to remove from it, as typed.
    pub(super) added_numbers: String,
    pub(super) removed_numbers: String,
    /// The secrets of the entry that this one is a copy of, and whether the copy has none.
    pub(super) uncopied_secrets: Vec<(String, bool)>,
    /// Options whose name is a pattern.
    pub(super) families: Vec<OptionDoc>,
    /// Names of resource groups, for completion.
    pub(super) groups: Vec<String>,
    /// Names of configured services, for completion.
    pub(super) services: Vec<String>,
}

/// The names that fields complete.
pub(super) struct KnownNames {
    pub(super) groups: Vec<String>,
    pub(super) services: Vec<String>,
}

impl EntryForm {
    /// A form for the options `known` with the values `values`. `invalid_option` is the
    /// option that the error message is about.
    pub(super) fn new(
        known: Vec<OptionDoc>,
        preset: Option<&ServicePreset>,
        values: &FormValues,
        names: KnownNames,
        invalid_option: Option<&str>,
    ) -> Self {
        let (families, known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|option| option.is_pattern);
        let is_invalid = |option: &str| invalid_option == Some(option);
        let unknown = values.fields.iter();
        let unknown = unknown.filter(|(name, _)| !known.iter().any(|doc| doc.matches(name)));
        let unknown = unknown.map(|(name, value)| (name.clone(), value_text(value)));
        let others = unknown.chain(values.rows.iter().cloned());
        let others = others.map(|(name, value)| OtherOption {
            is_invalid: !is_option_name(&name) || is_invalid(&name),
            name,
            value,
        });
        let empty_rows = std::iter::repeat_n(OtherOption::default(), EMPTY_ROWS);
        let others = others.chain(empty_rows).collect();
        let fields = known.into_iter().map(|doc| {
            let fixed = preset.and_then(|preset| preset.fixed(doc.name));
            let mut fields = values.fields.iter();
            let value = fields.find(|(name, _)| name == doc.name);
            let value = value.map(|(_, value)| value_text(value));
            Field {
                kind: field_kind(&doc, value.as_deref()),
                value: value
                    .or_else(|| fixed.map(str::to_owned))
                    .unwrap_or_default(),
                is_locked: fixed.is_some(),
                is_invalid: is_invalid(doc.name),
                doc,
            }
        });
        let (mut mandatory, mut optional, mut advanced) = (Vec::new(), Vec::new(), Vec::new());
        for field in fields {
            match field.doc.importance {
                Importance::Mandatory => mandatory.push(field),
                Importance::Optional => optional.push(field),
                Importance::Advanced => advanced.push(field),
            }
        }
        Self {
            mandatory,
            optional,
            advanced,
            others,
            added_numbers: values.added_numbers.clone(),
            removed_numbers: values.removed_numbers.clone(),
            uncopied_secrets: values
                .uncopied_secrets
                .iter()
                .map(|secret| (secret.clone(), values.omitted_secrets.contains(secret)))
                .collect(),
            families,
            groups: names.groups,
            services: names.services,
        }
    }

    /// Whether a collapsed field has a value or an error.
    fn is_advanced_open(&self) -> bool {
        let mut advanced = self.advanced.iter();
        advanced.any(|field| field.is_invalid || !field.value.is_empty())
    }

    fn is_others_open(&self) -> bool {
        let mut others = self.others.iter();
        others.any(|row| row.is_invalid || !row.name.is_empty())
    }
}

fn value_text(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => text.clone(),
        OptionValue::List(lines) => lines.join("\n"),
    }
}

/// The input for an option. A current value that is not among the choices is added to them.
fn field_kind(doc: &OptionDoc, value: Option<&str>) -> FieldKind {
    let choice = |choices: &[&str]| {
        let known = choices.iter().map(|choice| (*choice).to_owned());
        let other = value.filter(|value| !value.is_empty() && !choices.contains(value));
        FieldKind::Choice(known.chain(other.map(str::to_owned)).collect())
    };
    match doc.option_type {
        OptionType::AccessNumbers => FieldKind::List,
        _ if value.is_some_and(|value| value.contains('\n')) => FieldKind::MultilineText,
        _ if doc.is_secret => FieldKind::Secret,
        OptionType::Boolean => choice(&["true", "false"]),
        OptionType::Choice(choices) => choice(choices),
        OptionType::Integer(..) => FieldKind::Number,
        OptionType::ResourceGroup => FieldKind::Group,
        OptionType::ServiceNames => FieldKind::Services,
        _ => FieldKind::Text,
    }
}

/// The page of an entry.
#[derive(askama::Template)]
#[template(path = "catalog_entry.html")]
pub(super) struct EntryPage {
    pub(super) layout: Layout,
    /// The table of the entry.
    pub(super) table: Table,
    /// Description of the preset.
    pub(super) description: String,
    /// `None` for a new entry.
    pub(super) name: Option<String>,
    /// The typed name of a new entry.
    pub(super) requested_name: String,
    /// The revision of the entry in the form.
    pub(super) revision: String,
    /// The options that the form was opened with; see [`EntryBase`](super::entry_base::EntryBase).
    pub(super) base: String,
    /// The entry is from the catalog file.
    pub(super) read_only: bool,
    /// The name of the preset.
    pub(super) preset: String,
    pub(super) form: EntryForm,
    pub(super) problem: String,
    /// Warnings about probably misspelled options.
    pub(super) warnings: Vec<String>,
    /// The entry was changed by someone else.
    pub(super) conflict: Option<Conflict>,
    pub(super) flash: String,
    /// Usage and numbers of an active resource group.
    pub(super) group_page: Option<GroupPage>,
}

impl EntryPage {
    fn table_path(&self) -> &'static str {
        table_path(self.table)
    }

    fn is_service(&self) -> bool {
        self.table == Table::Services
    }

    /// Whether the user can change the entry.
    fn can_save(&self) -> bool {
        !self.read_only && self.layout.can_configure()
    }

    /// The URL of the page of the entry.
    fn url(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        page_url(&[self.table_path(), name])
    }

    /// Whether there is a form for a copy: for all groups, and for services of a known type.
    fn is_copyable(&self) -> bool {
        self.name.is_some() && (self.table == Table::Resources || !self.preset.is_empty())
    }

    /// The URL of the form of a new entry with the options of this one.
    fn copy_url(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let new = page_url(&["new", self.table_path()]);
        format!("{new}?copy={}", percent_encode(name))
    }

    /// Whether saving the form would undo what someone else did.
    fn is_unresolved(&self) -> bool {
        self.conflict
            .as_ref()
            .is_some_and(|conflict| !conflict.can_save())
    }

    /// The page without the changes: the entry as it is stored, or the list.
    fn cancel_url(&self) -> String {
        let is_deleted = self.conflict.as_ref().is_some_and(Conflict::is_deleted);
        match self.name {
            Some(_) if !is_deleted => self.url(),
            _ => page_url(&[self.table_path()]),
        }
    }

    /// The URL to submit the form to.
    fn action(&self) -> String {
        match self.name {
            Some(_) => self.url(),
            None => page_url(&["new", self.table_path()]),
        }
    }
}

impl Field {
    /// Whether the list is too long to be shown unfolded.
    fn is_folded(&self) -> bool {
        self.value.lines().count() > MAX_UNFOLDED_LINES
    }

    fn line_count(&self) -> String {
        format_total(self.value.lines().count())
    }

    /// The placeholder of an empty field.
    fn placeholder(&self) -> &str {
        self.doc.default.as_deref().unwrap_or_default()
    }

    fn is_mandatory(&self) -> bool {
        self.doc.importance == Importance::Mandatory
    }
}
