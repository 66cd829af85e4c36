//! The operations of paths.

use utoipa::openapi::{
    OpenApi,
    path::{Operation, PathItem},
};

/// All operations of a path, with their methods.
pub(super) fn operations_of(item: &PathItem) -> [(&'static str, &Option<Operation>); 5] {
    [
        ("DELETE", &item.delete),
        ("GET", &item.get),
        ("HEAD", &item.head),
        ("POST", &item.post),
        ("PUT", &item.put),
    ]
}

/// All operations of a path.
pub(super) fn operations_of_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let read = [&mut item.get, &mut item.head];
    let write = [&mut item.post, &mut item.put, &mut item.delete];
    read.into_iter().chain(write).flatten()
}

/// All operations of a document.
pub(super) fn operations_mut(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items.flat_map(operations_of_mut)
}
