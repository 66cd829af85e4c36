//! Presets: templates for new configured services.

use super::{
    OptionDoc, ServiceKind,
    constants::{BUILTIN, HTTP, ORS},
    group_table::GROUP_OPTIONS,
    option_docs,
    table::SERVICE_OPTIONS,
};
use crate::service::{
    builtin::Builtin,
    options::{OptionValue, Options},
};

/// A template for a configured service. Some options are fixed, the others are entered by the operator.
#[derive(Debug)]
pub struct ServicePreset {
    /// The name.
    pub name: &'static str,
    /// The title in the console.
    pub title: &'static str,
    /// The purpose of the services, in one or two sentences.
    pub description: &'static str,
    /// The names and values of the fixed options.
    pub fixed: &'static [(&'static str, &'static str)],
    pub(super) kind: ServiceKind,
}

static PRESETS: [ServicePreset; 7] = [
    ServicePreset {
        name: "store",
        title: "Storage",
        description: "Storage with a time to live, in which apps and agents store the data of a conversation.",
        fixed: &[("_type", BUILTIN), ("_service", "store")],
        kind: ServiceKind::Store,
    },
    ServicePreset {
        name: "request-interaction",
        title: "Request access number",
        description: "Books an access number for a caller and stores data for the agent until the call arrives.",
        fixed: &[("_type", BUILTIN), ("_service", "request-interaction")],
        kind: ServiceKind::RequestInteraction,
    },
    ServicePreset {
        name: "request-chat",
        title: "Chat",
        description: "A chat between a customer and agents, with a transcript that stays until the service expires.",
        fixed: &[("_type", BUILTIN), ("_service", "request-chat")],
        kind: ServiceKind::RequestChat,
    },
    ServicePreset {
        name: "request-access",
        title: "Add number to an existing service",
        description: "Books an access number for an existing service. It creates no service.",
        fixed: &[("_type", BUILTIN), ("_service", "request-access")],
        kind: ServiceKind::RequestAccess,
    },
    ServicePreset {
        name: "match-interaction",
        title: "Match incoming call",
        description: "Requested by the routing side when a call arrives. Finds the service of the call and releases \
               its number.",
        fixed: &[("_type", BUILTIN), ("_service", "match-interaction")],
        kind: ServiceKind::MatchInteraction,
    },
    ServicePreset {
        name: "ors",
        title: "Orchestration Server session",
        description: "Runs an SCXML document on an Orchestration Server for each service and forwards its requests.",
        fixed: &[("_type", ORS)],
        kind: ServiceKind::Ors,
    },
    ServicePreset {
        name: "http",
        title: "Web service",
        description: "Forwards the create and the requests of each service to a web service as JSON.",
        fixed: &[("_type", HTTP)],
        kind: ServiceKind::Http,
    },
];

/// All presets.
#[must_use]
pub fn presets() -> &'static [ServicePreset] {
    &PRESETS
}

/// The preset that matches the options of a configured service; `None` if there is none. Older names of builtins
/// match too.
#[must_use]
pub fn preset_of(options: &Options) -> Option<&'static ServicePreset> {
    let text = |option| options.get(option).and_then(OptionValue::text);
    let service_type = text("_type")?;
    let kind = if service_type == BUILTIN {
        Builtin::from_name(text("_service")?)?.into()
    } else if service_type == ORS {
        ServiceKind::Ors
    } else if service_type == HTTP {
        ServiceKind::Http
    } else {
        return None;
    };
    PRESETS.iter().find(|preset| preset.kind == kind)
}

/// The options of a resource group, the most important first.
#[must_use]
pub fn group_options() -> Vec<OptionDoc> {
    option_docs(GROUP_OPTIONS, ServiceKind::Group, 0)
}

impl ServicePreset {
    /// Its options, including fixed ones, the most important first. `max_ttl_seconds` is the maximum TTL of a
    /// service.
    #[must_use]
    pub fn options(&self, max_ttl_seconds: u64) -> Vec<OptionDoc> {
        option_docs(SERVICE_OPTIONS, self.kind, max_ttl_seconds)
    }

    /// The value of a fixed option.
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
            Builtin::RequestChat => Self::RequestChat,
            Builtin::RequestInteraction => Self::RequestInteraction,
            Builtin::Store => Self::Store,
        }
    }
}

#[cfg(test)]
mod tests {
    //! `docs/catalog.md` contains the same table.

    use std::fs;

    use super::*;
    use crate::{service::Importance, settings::Settings};

    const PAGE: &str = include_str!("../../../docs/catalog.md");
    const BEGIN: &str = "<!-- options: made by `make docs` -->\n";
    const END: &str = "<!-- /options -->";

    /// The presets that have an option, by importance.
    fn importance_text(presets_with_option: &[(&str, Importance)]) -> String {
        let words = |importance| match importance {
            Importance::Mandatory => "mandatory",
            Importance::Optional => "optional",
            Importance::Advanced => "advanced",
        };
        let groups = [
            Importance::Mandatory,
            Importance::Optional,
            Importance::Advanced,
        ]
        .map(|importance| {
            let matching = presets_with_option
                .iter()
                .filter(|(_, other)| *other == importance);
            let names: Vec<_> = matching.map(|(name, _)| *name).collect();
            let names = match names.len() {
                0 => return None,
                all if all == presets().len() => "all".to_owned(),
                _ => names.join(", "),
            };
            Some(format!("{}: {names}", words(importance)))
        });
        groups.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn line(option: &OptionDoc, applies_to: &str) -> String {
        let default = option.default.as_ref();
        let default = default.map_or(String::new(), |default| format!("`{default}`"));
        let secret = if option.is_secret { "; secret" } else { "" };
        let (name, option_type, description) = (
            option.name,
            option.option_type.describe(),
            option.description,
        );
        let line = format!(
            "| `{name}` | {applies_to} | {default} | {option_type}{secret} | {description} |\n"
        );
        line.replace("${NAME}", "`${NAME}`")
    }

    fn services_table(max_ttl_seconds: u64) -> String {
        let mut lines =
            String::from("| option | where | default | allowed | |\n|---|---|---|---|---|\n");
        let all: Vec<_> = PRESETS
            .iter()
            .map(|preset| (preset.name, preset.options(max_ttl_seconds)))
            .collect();
        for row in SERVICE_OPTIONS {
            let is_row = |option: &&OptionDoc| {
                option.name == row.name && option.description == row.description
            };
            let found = all
                .iter()
                .filter_map(|(name, options)| Some((*name, options.iter().find(is_row)?)));
            let found: Vec<_> = found.collect();
            let presets_with_option: Vec<_> = found
                .iter()
                .map(|(name, option)| (*name, option.importance))
                .collect();
            lines += &line(found[0].1, &importance_text(&presets_with_option));
        }
        lines
    }

    fn groups_table() -> String {
        let mut lines =
            String::from("| option | where | default | allowed | |\n|---|---|---|---|---|\n");
        for option in group_options() {
            let applies_to = importance_text(&[("", option.importance)]);
            lines += &line(&option, applies_to.trim_end_matches([':', ' ']));
        }
        lines
    }

    /// `make docs` runs this test to update the tables.
    #[test]
    fn the_tables_of_options_in_the_docs_are_those_of_the_checks() {
        let max_ttl_seconds = Settings::defaults().unwrap().limits.max_ttl.as_secs();
        let tables = [services_table(max_ttl_seconds), groups_table()];
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
