//! Fields: pairs of names and values in query strings and in JSON, form and multipart bodies.
//!
//! All bodies of fields have one reader, which accepts any names. Their schemas are therefore not derived: they list
//! the known fields, whose ranges come from the options table and the settings, and allow others.

use serde_json::{Map, Value, json};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Content, KnownFormat, Object, ObjectBuilder, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{AdditionalProperties, SchemaType},
    },
};

use super::{
    known_fields::{
        Known, availability_fields, create_fields, expiration_fields, join_fields, match_fields,
        message_fields, no_fields, position_fields, resend_fields, typing_fields,
    },
    surface::current,
};
use crate::{model::MAX_KEY_NAME_BYTES, settings::Limits};

/// The description of fields in query strings and bodies.
const DESCRIPTION: &str = "\
    Fields: names with values. Names that begin with `_` are parameters and are never stored; other names have 1 to \
    256 bytes. Fields of the body take precedence over fields of the query string with the same name.";

/// The content types of a body of fields, as `content_type` of `request_body(...)`. [`describe_body`] adds one content
/// for each.
pub(in crate::http) const CONTENT_TYPES: &str =
    "application/json, application/x-www-form-urlencoded, multipart/form-data";

/// The same for operations that store files.
pub(in crate::http) const CONTENT_TYPES_WITH_FILES: &str =
    "application/json, application/x-www-form-urlencoded, multipart/form-data with files";

/// The name of the file, and of its key, in all examples.
pub(in crate::http) const EXAMPLE_FILE: &str = "MyPic.png";

/// Declares types for `params(...)` and `request_body(...)`: the known fields as query parameters, and the schema of a
/// JSON body with these fields.
macro_rules! field_sets {
    ($($name:ident: $known:ident;)+) => {$(
        #[doc = concat!("The fields of `", stringify!($known), "`.")]
        pub(in crate::http) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                query_parameters($known())
            }
        }

        impl ToSchema for $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                json_schema($known())
            }
        }
    )+};
}

field_sets! {
    CreateFields: create_fields;
    ExpirationFields: expiration_fields;
    MatchFields: match_fields;
    DataFields: no_fields;
    JoinFields: join_fields;
    MessageFields: message_fields;
    TypingFields: typing_fields;
    PositionFields: position_fields;
    AvailabilityFields: availability_fields;
    ResendFields: resend_fields;
}

/// Additional fields in the query string.
pub(in crate::http) struct OtherFieldsQuery;

impl IntoParams for OtherFieldsQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = fields_schema(Vec::new())
            .additional_properties(Some(ObjectBuilder::new().schema_type(Type::String)))
            .property_names(Some(key_name_schema()));
        let parameter = ParameterBuilder::new()
            .name("fields")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .style(Some(ParameterStyle::Form))
            .explode(Some(true))
            .description(Some(DESCRIPTION))
            .schema(Some(schema));
        vec![parameter.build()]
    }
}

/// The content of a binary.
pub(in crate::http) struct BinaryContent;

impl ToSchema for BinaryContent {}

impl PartialSchema for BinaryContent {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(binary))
            .into()
    }
}

/// Describes the body of an operation in each content type if it is one of fields. Such a body is optional.
pub(super) fn describe_body(operation: &mut Operation, limits: &Limits) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    let without_files = body.content.remove(CONTENT_TYPES);
    let has_files = without_files.is_none();
    let content = without_files.or_else(|| body.content.remove(CONTENT_TYPES_WITH_FILES));
    let Some(RefOr::T(mut json)) = content else {
        return;
    };
    if let Some(RefOr::T(Schema::Object(fields))) = &json.schema {
        if json.examples.is_empty() {
            json.example = Some(example_of(fields));
        }
        let form = Content::new(Some(form_schema(fields.clone())));
        let mut multipart = Content::new(Some(multipart_schema(fields.clone())));
        multipart.example = has_files
            .then(|| json!({"language": "french", EXAMPLE_FILE: "the content of the file"}));
        body.content.extend([
            ("application/x-www-form-urlencoded".to_owned(), form.into()),
            ("multipart/form-data".to_owned(), multipart.into()),
        ]);
    }
    body.content
        .insert("application/json".to_owned(), json.into());
    body.description = Some(body_description(limits));
    body.required = Some(Required::False);
}

/// An object with the example of each known field; without known fields, strings to store.
fn example_of(fields: &Object) -> Value {
    let fields = fields.properties.iter().filter_map(|(name, schema)| {
        let schema = serde_json::to_value(schema).ok()?;
        Some((name.clone(), schema["examples"].get(0)?.clone()))
    });
    let fields: Map<String, Value> = fields.collect();
    if fields.is_empty() {
        return json!({"language": "french", "address": {"city": "mycity"}});
    }
    Value::Object(fields)
}

fn body_description(limits: &Limits) -> String {
    format!(
        "{DESCRIPTION} A JSON body is one object: numbers and booleans are stored as text in their original \
         notation, objects and arrays as flat text such as `{{street=mystreet, city=mycity}}` and `[1, 2]`, \
         nested at most {} levels deep; `null` stores nothing, and an update removes the key. In multipart \
         bodies a part with a file name is a binary. Limits: {} fields, {} bytes per string, {} bytes per \
         binary, {} bytes for a JSON or form body, {} bytes for any body. The body is optional.",
        limits.json_depth,
        limits.fields,
        limits.string_bytes,
        limits.binary_bytes,
        limits.form_bytes,
        limits.body_bytes,
    )
}

fn query_parameters(known: Known) -> Vec<Parameter> {
    let parameters = known.into_iter().map(|(name, schema)| {
        let parameter = ParameterBuilder::new().name(name).schema(Some(schema));
        parameter
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .build()
    });
    parameters.collect()
}

fn json_schema(known: Known) -> RefOr<Schema> {
    fields_schema(known)
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .property_names(Some(key_name_schema()))
        .into()
}

fn form_schema(fields: Object) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::from(fields).additional_properties(Some(text))
}

fn multipart_schema(fields: Object) -> ObjectBuilder {
    let mut names = key_name_schema();
    names.pattern = Some("^[^\\x00-\\x08\\x0A-\\x1F\\x7F]+$".to_owned());
    // Client generators do not support a part that is either text or binary.
    ObjectBuilder::from(fields)
        .additional_properties(Some(BinaryContent::schema()))
        .property_names(Some(names))
}

fn fields_schema(known: Known) -> ObjectBuilder {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Object)
        .max_properties(Some(current(|surface| surface.limits.fields)));
    known
        .into_iter()
        .fold(schema, |schema, (name, field)| schema.property(name, field))
}

fn key_name_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY_NAME_BYTES))
        .build()
}
