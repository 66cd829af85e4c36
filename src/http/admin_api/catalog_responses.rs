//! Responses of the operations on the catalog, all with its version or that of an entry.

use std::{collections::BTreeMap, marker::PhantomData};

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

use crate::http::openapi::{
    headers::header,
    responses::{by_status, link},
};

/// The ids of the operations on the entries of a table.
pub(in crate::http) trait EntryOperations {
    /// Reads an entry.
    const READ: &str;
    /// Creates or replaces an entry.
    const PUT: &str;
    /// Deletes an entry.
    const DELETE: &str;
}

/// The response of operations that list all entries.
pub(in crate::http) struct ListResponses<T>(PhantomData<T>);

impl<T: EntryOperations> IntoResponses for ListResponses<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let first = link(T::READ, &[("name", "$response.body#/entries/0/name")]);
        let response = with_version("All entries", "Entries").link("read", first);
        by_status([(200, response)])
    }
}

/// The response of operations that return an entry.
pub(in crate::http) struct ReadResponses<T>(PhantomData<T>);

impl<T: EntryOperations> IntoResponses for ReadResponses<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        by_status([(200, entry::<T>("The entry"))])
    }
}

/// The responses of operations that create or replace an entry.
pub(in crate::http) struct PutResponses<T>(PhantomData<T>);

impl<T: EntryOperations> IntoResponses for PutResponses<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        by_status([
            (201, entry::<T>("The entry was created")),
            (200, entry::<T>("The entry was replaced")),
        ])
    }
}

/// The response of operations that import a catalog.
pub(in crate::http) struct ImportResponses;

impl IntoResponses for ImportResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "The catalog is active on this replica";
        by_status([(200, with_version(description, "ImportReport"))])
    }
}

/// An entry, with links to the operations that change it.
fn entry<T: EntryOperations>(description: &str) -> ResponseBuilder {
    let parameters = [
        ("name", "$response.body#/name"),
        ("header.If-Match", "$response.header.ETag"),
    ];
    with_version(description, "Entry")
        .link("replace", link(T::PUT, &parameters))
        .link("delete", link(T::DELETE, &parameters))
}

/// A response with a JSON body of this schema, and an `ETag`.
fn with_version(description: &str, schema: &str) -> ResponseBuilder {
    let body = Content::new(Some(Ref::from_schema_name(schema)));
    ResponseBuilder::new()
        .description(description)
        .content("application/json", body)
        .header("ETag", header("Version, for `If-Match`"))
}
