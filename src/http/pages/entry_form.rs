//! The form of a configured service or a resource group: a field for each option that is known, from the
//! table that checks them, and room for others.

use super::{Frame, PageError, entries::part, form::Form, groups::Holders, url};
use crate::{
    http::ApiError,
    service::{Allowed, Need, OptionHelp, OptionValue, Options, Template},
    store::Table,
};

/// Before the name of an option: its field.
const OPTION: &str = "option:";
/// Fields of options that have none of their own.
const OTHER: [&str; 2] = ["other_name", "other_value"];
/// Empty rows for such options.
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

/// Everything of an entry that can be filled in.
pub(super) struct EntryForm {
    pub(super) mandatory: Vec<Field>,
    pub(super) optional: Vec<Field>,
    pub(super) advanced: Vec<Field>,
    /// Options without a field of their own, and empty rows.
    pub(super) others: Vec<(String, String)>,
    /// Names of options of which there may be several.
    pub(super) families: Vec<OptionHelp>,
    /// Names of resource groups, to choose from.
    pub(super) groups: Vec<String>,
}

impl EntryForm {
    /// The form for these `known` options, filled in with `options`; `problem` names what was wrong.
    pub(super) fn of(
        known: Vec<OptionHelp>,
        template: Option<&Template>,
        options: &Options,
        groups: Vec<String>,
        problem: &str,
    ) -> Self {
        let (families, known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|option| option.is_family);
        let others = options
            .iter()
            .filter(|(name, _)| !known.iter().any(|one| one.is(name)));
        let others = others.map(|(name, value)| (name.clone(), written(value)));
        let room = std::iter::repeat_n((String::new(), String::new()), ROOM);
        let others = others.chain(room).collect();
        let fields = known.into_iter().map(|help| {
            let settled = template.and_then(|template| template.fixed(help.name));
            let value = options.get(help.name).map(written);
            Field {
                kind: kind(&help, value.as_deref()),
                value: value
                    .or_else(|| settled.map(str::to_owned))
                    .unwrap_or_default(),
                locked: settled.is_some(),
                wrong: problem.contains(&format!("option {}:", help.name)),
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
        self.others.iter().any(|(name, _)| !name.is_empty())
    }
}

/// The options that a form says; what is empty is as good as absent.
///
/// # Errors
/// [`ApiError::InvalidParameter`] for a value without a name.
pub(super) fn options_of(form: &Form) -> Result<Options, PageError> {
    let mut options = Options::new();
    for (field, text) in form.fields() {
        let Some(option) = field.strip_prefix(OPTION) else {
            continue;
        };
        let value = if option == "numbers" {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            OptionValue::List(lines.map(str::to_owned).collect())
        } else {
            OptionValue::Text(text.replace("\r\n", "\n"))
        };
        options.insert(option.to_owned(), value);
    }
    let [names, values] = OTHER.map(|other| form.fields().filter(move |(name, _)| *name == other));
    for ((_, name), (_, value)) in names.zip(values) {
        let name = name.trim();
        if !name.is_empty() {
            let value = OptionValue::Text(value.replace("\r\n", "\n"));
            options.insert(name.to_owned(), value);
        } else if !value.is_empty() {
            let message = format!("the option with the value {value:?} has no name");
            return Err(ApiError::InvalidParameter(message).into());
        }
    }
    Ok(options)
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
