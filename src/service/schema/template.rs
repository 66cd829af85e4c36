//! What configured services are made from.

use super::{
    OptionDoc, ServiceKind, option_docs,
    table::{BUILTIN, GROUP_OPTIONS, HTTP, ORS, SERVICE_OPTIONS},
};
use crate::service::{
    builtin::Builtin,
    options::{OptionValue, Options},
};

/// What a configured service may be made from: some options are settled, others are to be filled in.
#[derive(Debug)]
pub struct ServicePreset {
    /// Names it.
    pub name: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// What services made from it are for, in a sentence or two.
    pub description: &'static str,
    /// Names and values of the options that are settled.
    pub fixed: &'static [(&'static str, &'static str)],
    pub(super) kind: ServiceKind,
}

static PRESETS: [ServicePreset; 6] = [
    ServicePreset {
        name: "store",
        title: "Storage",
        description: "Plain storage with a life: apps and agents keep data of a conversation there.",
        fixed: &[("_type", BUILTIN), ("_service", "store")],
        kind: ServiceKind::Store,
    },
    ServicePreset {
        name: "request-interaction",
        title: "Request access number",
        description: "Gives a caller a number to dial, and keeps what the agent should know until the call arrives.",
        fixed: &[("_type", BUILTIN), ("_service", "request-interaction")],
        kind: ServiceKind::RequestInteraction,
    },
    ServicePreset {
        name: "request-access",
        title: "Add number to an existing service",
        description: "Gives a number to dial for a service that was made before. It makes no service of its own.",
        fixed: &[("_type", BUILTIN), ("_service", "request-access")],
        kind: ServiceKind::RequestAccess,
    },
    ServicePreset {
        name: "match-interaction",
        title: "Match incoming call",
        description: "Is asked by the routing side when a call arrives, finds the service that it is for and gives the \
               number back.",
        fixed: &[("_type", BUILTIN), ("_service", "match-interaction")],
        kind: ServiceKind::MatchInteraction,
    },
    ServicePreset {
        name: "ors",
        title: "Session on an Orchestration Server",
        description: "Runs an SCXML document on an Orchestration Server for each service, and passes requests on to it.",
        fixed: &[("_type", ORS)],
        kind: ServiceKind::Ors,
    },
    ServicePreset {
        name: "http",
        title: "Web service",
        description: "Passes the create and the requests of each service on to a web service, as JSON.",
        fixed: &[("_type", HTTP)],
        kind: ServiceKind::Http,
    },
];

/// All templates.
#[must_use]
pub fn presets() -> &'static [ServicePreset] {
    &PRESETS
}

/// The template that a configured service could have been made from; `None` where its options name none. An older
/// name of a builtin is as good as its name.
#[must_use]
pub fn preset_of(options: &Options) -> Option<&'static ServicePreset> {
    let text = |option| options.get(option).and_then(OptionValue::text);
    let kind = text("_type")?;
    let purpose = if kind == BUILTIN {
        Builtin::from_name(text("_service")?)?.into()
    } else if kind == ORS {
        ServiceKind::Ors
    } else if kind == HTTP {
        ServiceKind::Http
    } else {
        return None;
    };
    PRESETS.iter().find(|known| known.kind == purpose)
}

/// The options of a resource group, those that are needed most first.
#[must_use]
pub fn group_options() -> Vec<OptionDoc> {
    option_docs(GROUP_OPTIONS, ServiceKind::Group, 0)
}

impl ServicePreset {
    /// Its options, settled ones among them, those that are needed most first; a service may live for
    /// `longest_life` seconds.
    #[must_use]
    pub fn options(&self, longest_life: u64) -> Vec<OptionDoc> {
        option_docs(SERVICE_OPTIONS, self.kind, longest_life)
    }

    /// The value of an option that is settled.
    #[must_use]
    pub fn fixed(&self, option: &str) -> Option<&'static str> {
        let mut fixed = self.fixed.iter();
        let found = fixed.find(|(name, _)| *name == option);
        found.map(|(_, value)| *value)
    }
}

impl From<Builtin> for ServiceKind {
    fn from(builtin: Builtin) -> Self {
        match builtin {
            Builtin::MatchInteraction => Self::MatchInteraction,
            Builtin::RequestAccess => Self::RequestAccess,
            Builtin::RequestInteraction => Self::RequestInteraction,
            Builtin::Store => Self::Store,
        }
    }
}

#[cfg(test)]
mod tests {
    //! `docs/catalog.md` shows the same table.

    use std::fs;

    use super::*;
    use crate::{service::Importance, settings::Settings};

    const PAGE: &str = include_str!("../../../docs/catalog.md");
    const BEGIN: &str = "<!-- options: made by `make docs` -->\n";
    const END: &str = "<!-- /options -->";

    /// Where an option stands: templates, by how much they need it.
    fn importance_text(standing: &[(&str, Importance)]) -> String {
        let words = |need| match need {
            Importance::Mandatory => "mandatory",
            Importance::Optional => "optional",
            Importance::Advanced => "advanced",
        };
        let needs = [
            Importance::Mandatory,
            Importance::Optional,
            Importance::Advanced,
        ]
        .map(|need| {
            let there = standing.iter().filter(|(_, is)| *is == need);
            let names: Vec<_> = there.map(|(name, _)| *name).collect();
            let names = match names.len() {
                0 => return None,
                all if all == presets().len() => "all".to_owned(),
                _ => names.join(", "),
            };
            Some(format!("{}: {names}", words(need)))
        });
        needs.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn line(option: &OptionDoc, place: &str) -> String {
        let default = option.default.as_ref();
        let default = default.map_or(String::new(), |default| format!("`{default}`"));
        let secret = if option.is_secret { "; secret" } else { "" };
        let (name, allowed, help) = (
            option.name,
            option.option_type.describe(),
            option.description,
        );
        let line = format!("| `{name}` | {place} | {default} | {allowed}{secret} | {help} |\n");
        line.replace("${NAME}", "`${NAME}`")
    }

    fn services_table(longest_life: u64) -> String {
        let mut lines =
            String::from("| option | where | default | allowed | |\n|---|---|---|---|---|\n");
        let all: Vec<_> = PRESETS
            .iter()
            .map(|template| (template.name, template.options(longest_life)))
            .collect();
        for row in SERVICE_OPTIONS {
            let is_it = |option: &&OptionDoc| {
                option.name == row.name && option.description == row.description
            };
            let found = all
                .iter()
                .filter_map(|(name, options)| Some((*name, options.iter().find(is_it)?)));
            let found: Vec<_> = found.collect();
            let standing: Vec<_> = found
                .iter()
                .map(|(name, option)| (*name, option.importance))
                .collect();
            lines += &line(found[0].1, &importance_text(&standing));
        }
        lines
    }

    fn groups_table() -> String {
        let mut lines =
            String::from("| option | where | default | allowed | |\n|---|---|---|---|---|\n");
        for option in group_options() {
            let place = importance_text(&[("", option.importance)]);
            lines += &line(&option, place.trim_end_matches([':', ' ']));
        }
        lines
    }

    /// `make docs` has this write them.
    #[test]
    fn the_tables_of_options_in_the_docs_are_those_of_the_checks() {
        let longest_life = Settings::defaults().unwrap().limits.max_ttl.as_secs();
        let tables = [services_table(longest_life), groups_table()];
        let mut parts = PAGE.split(BEGIN);
        let mut page = parts.next().unwrap().to_owned();
        for table in &tables {
            let (_, after) = parts.next().unwrap().split_once(END).unwrap();
            page += &[BEGIN, table, END, after].concat();
        }
        assert_eq!(parts.next(), None);
        if std::env::var_os("SWITCHBOARD_WRITE_DOCS").is_some() {
            fs::write(
                concat!(env!("CARGO_MANIFEST_DIR"), "/docs/catalog.md"),
                page,
            )
            .unwrap();
            return;
        }
        assert_eq!(PAGE, page, "run `make docs`");
    }
}
