//! The known fields of requests, with their schemas. Those that are options of configured services come from the
//! options table.

use utoipa::openapi::{ObjectBuilder, Schema, Type};

use super::{
    options::{integer_schema, value_schema, with_default},
    parameters::EXAMPLE_ID,
    surface::{current, max_ttl_seconds},
};
use crate::{
    model::chat::MAX_POSITION,
    service::{OptionDoc, presets},
};

/// Names and schemas of fields.
pub(super) type Known = Vec<(&'static str, Schema)>;

/// The parameters of the builtins that the listener creates.
pub(super) fn create_fields() -> Known {
    let groups = current(|surface| (surface.groups.client, surface.groups.matching));
    let mut known = option_fields(groups);
    known.push((
        "_phone_number",
        text(
            "Phone number of the caller (request-interaction, match-interaction).",
            "+1 650 469 9999",
        ),
    ));
    if groups.0 {
        let description = "Service of the access number; required (request-access).";
        known.push(("_id", text(description, EXAMPLE_ID)));
    }
    if groups.1 {
        let description = "Access code that the caller keyed in (match-interaction).";
        known.push(("_access_code", text(description, "7341")));
        let description = "Dialed number; required (match-interaction).";
        known.push(("_access_number", text(description, "8003449999")));
    }
    known
}

/// The parameters that are also options of a configured service, with the builtins that have them.
fn option_fields((client, matching): (bool, bool)) -> Known {
    let mut options: Vec<(OptionDoc, Vec<&str>)> = Vec::new();
    let builtins = presets()
        .iter()
        .filter(|preset| preset.fixed("_type") == Some("builtin"));
    for builtin in builtins {
        let is_served = if builtin.name == "match-interaction" {
            matching
        } else {
            client
        };
        let parameters = builtin.options(max_ttl_seconds()).into_iter();
        for option in parameters.filter(|option| is_served && option.is_parameter) {
            match options
                .iter_mut()
                .find(|(known, _)| known.name == option.name)
            {
                Some((_, names)) => names.push(builtin.name),
                None => options.push((option, vec![builtin.name])),
            }
        }
    }
    let fields = options.into_iter().map(|(option, names)| {
        let description = format!("{} Parameter of {}.", option.description, names.join(", "));
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .examples(option.default.clone());
        let schema =
            value_schema(&option, text).description(Some(with_default(description, &option)));
        (option.name, schema.into())
    });
    fields.collect()
}

/// The fields of a call that is explained.
pub(super) fn match_fields() -> Known {
    vec![
        (
            "_access_number",
            text("Dialed number; required.", "8003449999"),
        ),
        (
            "_phone_number",
            text(
                "Phone number of the caller. Without it, any caller fits.",
                "+1 650 469 9999",
            ),
        ),
        (
            "_access_code",
            text(
                "Access code that the caller keyed in. Without it, any booking fits.",
                "7341",
            ),
        ),
    ]
}

/// The fields that set the expiration of a service.
pub(super) fn expiration_fields() -> Known {
    let max_ttl = max_ttl_seconds();
    let description = format!("Seconds from now. 1 to {max_ttl}; a number or a string of digits.");
    let ttl = integer_schema(1, max_ttl).description(Some(description));
    let description = format!(
        "Instead of `ttl`: ISO 8601, UTC without an offset, such as `2031-05-17T09:30:00.000Z`. In the future, at most \
         {max_ttl} seconds from now."
    );
    vec![
        ("ttl", ttl.examples([3600]).into()),
        ("expiration_time", text(&description, None)),
    ]
}

/// The field that all requests of agents on a chat have.
pub(super) fn position_fields() -> Known {
    let description = "The position of the last event that the agent has. Default: 0";
    let position = integer_schema(0, MAX_POSITION).description(Some(description));
    vec![("transcriptPosition", position.examples([7]).into())]
}

/// The fields of an agent that joins a chat.
pub(super) fn join_fields() -> Known {
    let parties = ["AGENT", "SUPERVISOR", "EXTERNAL"];
    let party = ObjectBuilder::new().schema_type(Type::String);
    let party = party
        .enum_values(Some(parties))
        .description(Some("Default: AGENT"));
    let nickname = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some("^[!-~]+( [!-~]+)*$"))
        .description(Some("Default: the name of the agent"));
    let mut known = position_fields();
    known.extend([
        ("nickname", nickname.examples(["Maria"]).into()),
        ("party", party.into()),
        (
            "exclusive",
            boolean("`ChatTaken` if another agent is in the chat. Default: false"),
        ),
        (
            "transfer",
            boolean("The other agents leave. Not together with `exclusive`. Default: false"),
        ),
    ]);
    known
}

/// The fields of a message.
pub(super) fn message_fields() -> Known {
    let message = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1));
    let message = message.description(Some("The text; required"));
    let mut known = position_fields();
    known.push(("message", message.examples(["Hello"]).into()));
    known
}

/// The fields of a notice about typing.
pub(super) fn typing_fields() -> Known {
    let mut known = position_fields();
    known.push(("typing", boolean("Default: true")));
    known
}

/// The fields of the availability of an agent.
pub(super) fn availability_fields() -> Known {
    let description =
        "Names of configured services with commas between them; none stands for all of them.";
    vec![
        ("available", boolean("Default: true")),
        ("definitions", text(description, "sales-chat, support-chat")),
    ]
}

/// The fields that select dead letters.
pub(super) fn resend_fields() -> Known {
    vec![
        (
            "event",
            text(
                "The id of a dead letter",
                "evt_e8fea63b9371dede29621043fe88103eab3f3f59",
            ),
        ),
        (
            "since",
            text(
                "Instead of `event`: ISO 8601, UTC without an offset, such as `2031-05-17T09:30:00.000Z`. All that \
                 became dead letters at or after this time",
                None,
            ),
        ),
    ]
}

/// No known fields: all are stored.
pub(super) fn no_fields() -> Known {
    Vec::new()
}

fn boolean(description: &str) -> Schema {
    let schema = ObjectBuilder::new().schema_type(Type::Boolean);
    schema.description(Some(description)).into()
}

fn text<'a>(description: &str, example: impl Into<Option<&'a str>>) -> Schema {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    schema
        .description(Some(description))
        .examples(example.into())
        .into()
}
