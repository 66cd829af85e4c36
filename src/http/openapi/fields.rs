//! Fields: pairs of names and values in query strings and in JSON, form and multipart bodies.
//!
//! All bodies of fields have one reader, which accepts any names. Their schemas are therefore not derived: they list
//! the known fields, whose ranges come from the options table and the settings, and allow others.

use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        KnownFormat, Object, ObjectBuilder, RefOr, Required, Schema, SchemaFormat, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{AdditionalProperties, SchemaType},
    },
};

use super::{
    known_fields::{Known, create_fields, expiration_fields, no_fields},
    surface::current,
};
use crate::model::MAX_KEY_NAME_BYTES;

/// The description of fields in query strings and bodies.
const DESCRIPTION: &str = "\
    Fields: names with values. Names that begin with `_` are parameters and are never stored; other names have 1 to \
    256 bytes. Fields of the body take precedence over fields of the query string with the same name.";

/// Declares types for `params(...)`: known fields as query parameters.
macro_rules! queries {
    ($($name:ident: $known:ident;)+) => {$(
        #[doc = concat!("The fields of `", stringify!($known), "` as query parameters.")]
        pub(in crate::http) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                query_parameters($known())
            }
        }
    )+};
}

queries! {
    CreateQuery: create_fields;
    ExpirationQuery: expiration_fields;
}

/// Declares types for `request_body(...)`: known fields in a JSON, form or multipart body.
macro_rules! bodies {
    ($($name:ident: $schema:ident, $known:ident;)+) => {$(
        #[doc = concat!("A body with the fields of `", stringify!($known), "`.")]
        pub(in crate::http) struct $name;

        impl ToSchema for $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema($known())
            }
        }
    )+};
}

bodies! {
    CreateJson: json_schema, create_fields;
    CreateForm: form_schema, create_fields;
    CreateMultipart: multipart_schema, create_fields;
    ExpirationJson: json_schema, expiration_fields;
    ExpirationForm: form_schema, expiration_fields;
    ExpirationMultipart: multipart_schema, expiration_fields;
    DataJson: json_schema, no_fields;
    DataForm: form_schema, no_fields;
    DataMultipart: multipart_schema, no_fields;
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

/// The description of a body of fields.
pub(in crate::http) fn body_description() -> String {
    current(|surface| {
        let limits = &surface.limits;
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
    })
}

/// Marks the body as optional if it is one of fields.
pub(super) fn mark_optional(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && body.content.contains_key("multipart/form-data")
    {
        body.required = Some(Required::False);
    }
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

fn form_schema(known: Known) -> RefOr<Schema> {
    fields_schema(known)
        .additional_properties(Some(ObjectBuilder::new().schema_type(Type::String)))
        .property_names(Some(key_name_schema()))
        .into()
}

fn multipart_schema(known: Known) -> RefOr<Schema> {
    let mut names = key_name_schema();
    names.pattern = Some("^[^\\x00-\\x08\\x0A-\\x1F\\x7F]+$".to_owned());
    // Client generators do not support a part that is either text or binary.
    fields_schema(known)
        .additional_properties(Some(BinaryContent::schema()))
        .property_names(Some(names))
        .into()
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
