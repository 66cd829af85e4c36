//! The form of a configured service or a resource group: a field for each option that is known, from the
//! table that checks them, and room for others.

use super::{
    Layout, catalog_entries::table_path, form_values::FormValues, groups::GroupBookings, page_url,
};
use crate::{
    service::{Importance, OptionDoc, OptionType, OptionValue, ServicePreset, is_option_name},
    store::Table,
};

/// Empty rows for options that have no field of their own.
const EMPTY_ROWS: usize = 2;

/// How a value is written in.
pub(super) enum FieldKind {
    Text,
    Number,
    Secret,
    List,
    /// A text of several lines: a field for one line would lose where they end.
    MultilineText,
    /// One of these.
    Choice(Vec<String>),
    /// One of the resource groups.
    Group,
}

/// One option.
pub(super) struct Field {
    pub(super) doc: OptionDoc,
    pub(super) kind: FieldKind,
    pub(super) value: String,
    /// The template settles it.
    pub(super) is_locked: bool,
    /// It is what was wrong.
    pub(super) is_invalid: bool,
}

/// An option without a field of its own, or room for one.
#[derive(Clone, Default)]
pub(super) struct OtherOption {
    pub(super) name: String,
    pub(super) value: String,
    /// It is what was wrong.
    pub(super) is_invalid: bool,
}

/// Everything of an entry that can be filled in.
pub(super) struct EntryForm {
    pub(super) mandatory: Vec<Field>,
    pub(super) optional: Vec<Field>,
    pub(super) advanced: Vec<Field>,
    /// Options without a field of their own, and empty rows.
    pub(super) others: Vec<OtherOption>,
    /// Names of options of which there may be several.
    pub(super) families: Vec<OptionDoc>,
    /// Names of resource groups, to choose from.
    pub(super) groups: Vec<String>,
}

impl EntryForm {
    /// The form for these `known` options, as it is filled in; `problem` names what was wrong.
    pub(super) fn new(
        known: Vec<OptionDoc>,
        template: Option<&ServicePreset>,
        filled: &FormValues,
        groups: Vec<String>,
        problem: &str,
    ) -> Self {
        let (families, known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|option| option.is_pattern);
        let is_wrong = |option: &str| problem.contains(&format!("option {option}:"));
        let unknown = filled.fields.iter();
        let unknown = unknown.filter(|(name, _)| !known.iter().any(|one| one.matches(name)));
        let unknown = unknown.map(|(name, value)| (name.clone(), value_text(value)));
        let others = unknown.chain(filled.rows.iter().cloned());
        let others = others.map(|(name, value)| OtherOption {
            is_invalid: !is_option_name(&name) || is_wrong(&name),
            name,
            value,
        });
        let room = std::iter::repeat_n(OtherOption::default(), EMPTY_ROWS);
        let others = others.chain(room).collect();
        let fields = known.into_iter().map(|help| {
            let settled = template.and_then(|template| template.fixed(help.name));
            let mut fields = filled.fields.iter();
            let value = fields.find(|(name, _)| name == help.name);
            let value = value.map(|(_, value)| value_text(value));
            Field {
                kind: field_kind(&help, value.as_deref()),
                value: value
                    .or_else(|| settled.map(str::to_owned))
                    .unwrap_or_default(),
                is_locked: settled.is_some(),
                is_invalid: is_wrong(help.name),
                doc: help,
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
            families,
            groups,
        }
    }

    /// Whether something that is folded away is filled in, or wrong.
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

/// A value that is none of the choices can be looked at all the same.
fn field_kind(help: &OptionDoc, value: Option<&str>) -> FieldKind {
    let choice = |choices: &[&str]| {
        let known = choices.iter().map(|choice| (*choice).to_owned());
        let other = value.filter(|value| !value.is_empty() && !choices.contains(value));
        FieldKind::Choice(known.chain(other.map(str::to_owned)).collect())
    };
    match help.option_type {
        OptionType::AccessNumbers => FieldKind::List,
        _ if value.is_some_and(|value| value.contains('\n')) => FieldKind::MultilineText,
        _ if help.is_secret => FieldKind::Secret,
        OptionType::Boolean => choice(&["true", "false"]),
        OptionType::Choice(choices) => choice(choices),
        OptionType::Integer(..) => FieldKind::Number,
        OptionType::ResourceGroup => FieldKind::Group,
        _ => FieldKind::Text,
    }
}

/// The page with the form.
#[derive(askama::Template)]
#[template(path = "catalog_entry.html")]
pub(super) struct EntryPage {
    pub(super) layout: Layout,
    /// Names the table in paths.
    pub(super) table: Table,
    /// What kind of thing it is, for people.
    pub(super) description: String,
    /// `None` for one that is to be made.
    pub(super) name: Option<String>,
    /// What is to be its name, where it is to be made.
    pub(super) requested_name: String,
    /// Which state of it the form shows.
    pub(super) revision: String,
    /// The file defines it.
    pub(super) read_only: bool,
    /// Which template it is to be made from.
    pub(super) preset: String,
    pub(super) form: EntryForm,
    pub(super) problem: String,
    /// Options that are probably misspelled.
    pub(super) warnings: Vec<String>,
    /// Others have changed it meanwhile.
    pub(super) is_conflict: bool,
    pub(super) flash: &'static str,
    /// Of a group: who holds its numbers.
    pub(super) group_bookings: Option<GroupBookings>,
}

impl EntryPage {
    fn table_path(&self) -> &'static str {
        table_path(self.table)
    }

    fn is_service(&self) -> bool {
        self.table == Table::Services
    }

    /// The page of the entry itself.
    fn url(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        page_url(&[self.table_path(), name])
    }

    /// Where the form goes.
    fn action(&self) -> String {
        match self.name {
            Some(_) => self.url(),
            None => page_url(&["new", self.table_path()]),
        }
    }
}

impl Field {
    fn is_mandatory(&self) -> bool {
        self.doc.importance == Importance::Mandatory
    }
}
