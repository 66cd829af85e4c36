//! The form of a configured service or a resource group: a field for each option that is known, from the
//! table that checks them, and room for others.

use super::{Frame, entries::part, filled::Filled, groups::Holders, url};
use crate::{
    service::{Allowed, Need, OptionHelp, OptionValue, Template, is_option_name},
    store::Table,
};

/// Empty rows for options that have no field of their own.
const ROOM: usize = 2;

/// How a value is written in.
pub(super) enum Kind {
    Text,
    Number,
    Secret,
    Lines,
    /// A text of several lines: a field for one line would lose where they end.
    Long,
    /// One of these.
    Choice(Vec<String>),
    /// One of the resource groups.
    Group,
}

/// One option.
pub(super) struct Field {
    pub(super) help: OptionHelp,
    pub(super) kind: Kind,
    pub(super) value: String,
    /// The template settles it.
    pub(super) locked: bool,
    /// It is what was wrong.
    pub(super) wrong: bool,
}

/// An option without a field of its own, or room for one.
#[derive(Clone, Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
    /// It is what was wrong.
    pub(super) wrong: bool,
}

/// Everything of an entry that can be filled in.
pub(super) struct EntryForm {
    pub(super) mandatory: Vec<Field>,
    pub(super) optional: Vec<Field>,
    pub(super) advanced: Vec<Field>,
    /// Options without a field of their own, and empty rows.
    pub(super) others: Vec<Row>,
    /// Names of options of which there may be several.
    pub(super) families: Vec<OptionHelp>,
    /// Names of resource groups, to choose from.
    pub(super) groups: Vec<String>,
}

impl EntryForm {
    /// The form for these `known` options, as it is filled in; `problem` names what was wrong.
    pub(super) fn of(
        known: Vec<OptionHelp>,
        template: Option<&Template>,
        filled: &Filled,
        groups: Vec<String>,
        problem: &str,
    ) -> Self {
        let (families, known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|option| option.is_family);
        let is_wrong = |option: &str| problem.contains(&format!("option {option}:"));
        let unknown = filled.fields.iter();
        let unknown = unknown.filter(|(name, _)| !known.iter().any(|one| one.is(name)));
        let unknown = unknown.map(|(name, value)| (name.clone(), written(value)));
        let others = unknown.chain(filled.rows.iter().cloned());
        let others = others.map(|(name, value)| Row {
            wrong: !is_option_name(&name) || is_wrong(&name),
            name,
            value,
        });
        let room = std::iter::repeat_n(Row::default(), ROOM);
        let others = others.chain(room).collect();
        let fields = known.into_iter().map(|help| {
            let settled = template.and_then(|template| template.fixed(help.name));
            let mut fields = filled.fields.iter();
            let value = fields.find(|(name, _)| name == help.name);
            let value = value.map(|(_, value)| written(value));
            Field {
                kind: kind(&help, value.as_deref()),
                value: value
                    .or_else(|| settled.map(str::to_owned))
                    .unwrap_or_default(),
                locked: settled.is_some(),
                wrong: is_wrong(help.name),
                help,
            }
        });
        let (mut mandatory, mut optional, mut advanced) = (Vec::new(), Vec::new(), Vec::new());
        for field in fields {
            match field.help.need {
                Need::Mandatory => mandatory.push(field),
                Need::Optional => optional.push(field),
                Need::Advanced => advanced.push(field),
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
    fn unfolds(&self) -> bool {
        let mut advanced = self.advanced.iter();
        advanced.any(|field| field.wrong || !field.value.is_empty())
    }

    fn unfolds_others(&self) -> bool {
        let mut others = self.others.iter();
        others.any(|row| row.wrong || !row.name.is_empty())
    }
}

fn written(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => text.clone(),
        OptionValue::List(lines) => lines.join("\n"),
    }
}

/// A value that is none of the choices can be looked at all the same.
fn kind(help: &OptionHelp, value: Option<&str>) -> Kind {
    let choice = |choices: &[&str]| {
        let known = choices.iter().map(|choice| (*choice).to_owned());
        let other = value.filter(|value| !value.is_empty() && !choices.contains(value));
        Kind::Choice(known.chain(other.map(str::to_owned)).collect())
    };
    match help.allowed {
        Allowed::AccessNumbers => Kind::Lines,
        _ if value.is_some_and(|value| value.contains('\n')) => Kind::Long,
        _ if help.secret => Kind::Secret,
        Allowed::Boolean => choice(&["true", "false"]),
        Allowed::Choice(choices) => choice(choices),
        Allowed::WholeNumber(..) => Kind::Number,
        Allowed::ResourceGroup => Kind::Group,
        _ => Kind::Text,
    }
}

/// The page with the form.
#[derive(askama::Template)]
#[template(path = "entry.html")]
pub(super) struct EntryPage {
    pub(super) frame: Frame,
    /// Names the table in paths.
    pub(super) table: Table,
    /// What kind of thing it is, for people.
    pub(super) about: String,
    /// `None` for one that is to be made.
    pub(super) name: Option<String>,
    /// What is to be its name, where it is to be made.
    pub(super) wanted_name: String,
    /// Which state of it the form shows.
    pub(super) revision: String,
    /// The file defines it.
    pub(super) read_only: bool,
    /// Which template it is to be made from.
    pub(super) template: String,
    pub(super) form: EntryForm,
    pub(super) problem: String,
    /// Options that are probably misspelled.
    pub(super) warnings: Vec<String>,
    /// Others have changed it meanwhile.
    pub(super) changed: bool,
    pub(super) done: &'static str,
    /// Of a group: who holds its numbers.
    pub(super) holders: Option<Holders>,
}

impl EntryPage {
    fn part(&self) -> &'static str {
        part(self.table)
    }

    fn is_service(&self) -> bool {
        self.table == Table::Services
    }

    /// The page of the entry itself.
    fn url(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        url(&[self.part(), name])
    }

    /// Where the form goes.
    fn action(&self) -> String {
        match self.name {
            Some(_) => self.url(),
            None => url(&["new", self.part()]),
        }
    }
}

impl Field {
    fn is_mandatory(&self) -> bool {
        self.help.need == Need::Mandatory
    }
}
