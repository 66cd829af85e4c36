//! Schemas of options, configured services and resource groups, from the options table. Rules that involve other
//! entries are not part of them.

use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, RefOr, Schema, Type,
        schema::{AnyOfBuilder, SchemaType},
    },
};

use super::surface;
use crate::service::{
    Importance, MAX_NUMBER_BYTES, MAX_OPTIONS, OptionDoc, OptionType, ServicePreset, group_options,
    presets,
};

/// One or more characters, without control characters.
const NO_CONTROLS: &str = "^[^\\x00-\\x1F\\x7F-\\x9F]+$";
/// An absolute URL, or a path that is appended to a URL of `_ors`.
const URL: &str = "^(https?://[A-Za-z0-9]|/)";

/// The options of a configured service.
pub(in crate::http) struct ServiceDefinition;

impl ToSchema for ServiceDefinition {}

impl PartialSchema for ServiceDefinition {
    fn schema() -> RefOr<Schema> {
        let description = format!(
            "A configured service: a flat table of at most {MAX_OPTIONS} options. Other options are stored with it."
        );
        let schema = AnyOfBuilder::new().description(Some(description));
        let variants = ["builtin", "ors", "http"].map(definition_variant);
        variants.into_iter().fold(schema, AnyOfBuilder::item).into()
    }
}

/// The options of a resource group.
pub(in crate::http) struct ResourceGroup;

impl ToSchema for ResourceGroup {}

impl PartialSchema for ResourceGroup {
    fn schema() -> RefOr<Schema> {
        options_schema(&group_options())
            .description(Some("A resource group: a set of access numbers"))
            .additional_properties(Some(empty_schema()))
            .into()
    }
}

/// Configured services of this `_type`. Numbers, booleans and patterns of other types are checked
/// too.
fn definition_variant(service_type: &'static str) -> ObjectBuilder {
    let is_own = |preset: &&ServicePreset| preset.fixed("_type") == Some(service_type);
    let mut options: Vec<OptionDoc> = Vec::new();
    for preset in presets().iter().filter(is_own) {
        add_options(&mut options, preset, |_| true);
    }
    for preset in presets() {
        add_options(&mut options, preset, |option| {
            matches!(
                option.option_type,
                OptionType::Integer(..) | OptionType::Boolean | OptionType::Pattern(..)
            )
        });
    }
    let fixed_type = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([service_type]));
    let other = text_schema().description(Some("Stored with the entry"));
    options_schema(&options)
        .property("_type", fixed_type)
        .additional_properties(Some(other))
}

/// Adds the options of `preset` that `is_added` and that have no known name.
fn add_options(
    options: &mut Vec<OptionDoc>,
    preset: &ServicePreset,
    is_added: impl Fn(&OptionDoc) -> bool,
) {
    for option in preset.options(surface::max_ttl_seconds()) {
        if is_added(&option) && options.iter().all(|known| known.name != option.name) {
            options.push(option);
        }
    }
}

fn options_schema(options: &[OptionDoc]) -> ObjectBuilder {
    let names = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .pattern(Some(NO_CONTROLS));
    let mut schema = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(names));
    let mut patterns = Map::new();
    for option in options {
        let value = option_schema(option);
        match option.name.split_once('<') {
            Some((prefix, _)) => {
                let value = serde_json::to_value(&value).unwrap_or_default();
                patterns.insert(format!("^{}", prefix.replace('.', "\\.")), value);
            }
            None => schema = schema.property(option.name, value),
        }
        if option.importance == Importance::Mandatory {
            schema = schema.required(option.name);
        }
    }
    let patterns = (!patterns.is_empty()).then_some(patterns);
    let patterns = patterns.map(|all| ("patternProperties", Value::Object(all)));
    schema.extensions(patterns.map(|patterns| [patterns].into_iter().collect()))
}

/// The schema of an option. Numbers and booleans are stored as text in their original notation. Options that are not
/// mandatory may be empty.
fn option_schema(option: &OptionDoc) -> RefOr<Schema> {
    let value = match option.option_type {
        OptionType::AccessNumbers => {
            let numbers = ArrayBuilder::new()
                .items(number_schema())
                .unique_items(true);
            return numbers.description(Some(option.description)).into();
        }
        OptionType::AccessNumber => number_schema(),
        OptionType::Url | OptionType::UrlTemplate => ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(URL)),
        OptionType::UrlList if option.importance == Importance::Mandatory => ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(URL)),
        OptionType::Pattern(_, pattern) => text_schema()
            .schema_type(SchemaType::from_iter([
                Type::String,
                Type::Number,
                Type::Boolean,
            ]))
            .pattern(Some(pattern)),
        _ => value_schema(option, text_schema()),
    };
    let description = with_default(option.description.to_owned(), option);
    let value = value.description(Some(description));
    if option.importance == Importance::Mandatory {
        return value.into();
    }
    AnyOfBuilder::new().item(value).item(empty_schema()).into()
}

/// The schema of the value of an option or a parameter; `text` is the schema of a text.
pub(super) fn value_schema(option: &OptionDoc, text: ObjectBuilder) -> ObjectBuilder {
    match option.option_type {
        OptionType::Boolean => ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Boolean, Type::String]))
            .pattern(Some("^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"))
            .examples(["true"]),
        OptionType::Integer(low, high) => integer_schema(low, high),
        OptionType::Choice(values) => ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(values.iter().copied())),
        OptionType::Pattern(_, pattern) => text.pattern(Some(pattern)),
        _ => text,
    }
}

/// An integer, as a number or as text.
pub(super) fn integer_schema(low: u64, high: u64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
        .minimum(Some(low))
        .maximum(Some(high))
        .pattern(Some("^0*[1-9][0-9]*$"))
}

/// Adds the allowed values and the default to a description. It is not the keyword `default`: generated clients would
/// send the value, and a parameter takes precedence over the default of a configured service.
pub(super) fn with_default(mut description: String, option: &OptionDoc) -> String {
    match option.option_type {
        OptionType::Integer(low, high) => {
            description += &format!(" {low} to {high}; a number or a string of digits.");
        }
        OptionType::Boolean => description += " Case-insensitive.",
        _ => {}
    }
    if let Some(default) = &option.default {
        description += &format!(" Default: `{default}`.");
    }
    description
}

fn number_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([
            Type::String,
            Type::Number,
            Type::Boolean,
        ]))
        .description(Some(format!("1 to {MAX_NUMBER_BYTES} bytes")))
        .min_length(Some(1))
        .max_length(Some(MAX_NUMBER_BYTES))
        .pattern(Some(NO_CONTROLS))
}

fn text_schema() -> ObjectBuilder {
    let types = [Type::String, Type::Number, Type::Boolean, Type::Null];
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types))
}

/// Values that count as absent.
fn empty_schema() -> ObjectBuilder {
    let values = Some([json!(""), Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .enum_values(values)
}
