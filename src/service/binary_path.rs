//! The paths of binaries.

use percent_encoding::utf8_percent_encode;

use crate::model::{KeyName, RESERVED, ServiceId};

/// The path at which clients read a binary.
pub(super) fn binary_path(id: &ServiceId, key: &KeyName) -> String {
    let encode = |text| utf8_percent_encode(text, RESERVED).to_string();
    let key = encode(key.as_str());
    if id.is_storage_area() {
        let id = encode(&id.client_id());
        return format!("/genesys/1/storage/binary/{id}/{key}");
    }
    format!("/genesys/1/service/{id}/storage/binary/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_has_the_id_that_the_client_knows() {
        let key = KeyName::new("a/b.png".to_owned()).unwrap();
        for (id, expected) in [
            (
                ServiceId::from("4711".to_owned()),
                "/genesys/1/service/4711/storage/binary/a%2Fb.png",
            ),
            (
                ServiceId::custom("ann", "x/1"),
                "/genesys/1/storage/binary/x%2F1/a%2Fb.png",
            ),
        ] {
            assert_eq!(binary_path(&id, &key), expected);
        }
    }
}
