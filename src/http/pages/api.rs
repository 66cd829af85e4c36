//! *API*: what `/openapi.json` describes, to be read.

use actix_web::web::Data;
use askama::Template;

use super::{
    Frame, Page,
    described::{Operation, operations, schemas},
    gate::Visitor,
    shown,
};
use crate::http::Document;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    frame: Frame,
    /// What a group of operations is about, and the operations.
    groups: Vec<(String, Vec<Operation>)>,
    schemas: Vec<(String, String)>,
}

/// `GET /genesys/1/admin/ui/api`
pub(super) async fn show(document: Data<Document>, visitor: Visitor) -> Page {
    let document = document.value();
    let mut groups: Vec<(String, Vec<Operation>)> = Vec::new();
    for operation in operations(&document) {
        match groups.iter_mut().find(|(tag, _)| *tag == operation.tag) {
            Some((_, group)) => group.push(operation),
            None => groups.push((operation.tag.clone(), vec![operation])),
        }
    }
    shown(&ApiPage {
        frame: Frame::of(&visitor, "api", "API"),
        groups,
        schemas: schemas(&document),
    })
}
