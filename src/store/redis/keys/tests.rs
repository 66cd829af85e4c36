//! Keys and fields round-trip through their parsers.

use proptest::prelude::*;

use super::*;
use crate::model::{BackendSession, BookingId, KeyName};

proptest! {
    #[test]
    fn service_key_round_trips(id in ".{0,80}") {
        let keys = Keys::new("sb1:");
        let id = ServiceId::from(id);
        prop_assert_eq!(keys.service_id(&keys.service(&id)), Some(id));
    }

    #[test]
    fn user_data_names_never_collide_with_internal_fields(name in ".{1,80}") {
        if let Some(name) = KeyName::new(name) {
            prop_assert_eq!(Field::parse(name.as_str()), Field::Text(name.as_str()));
            let field = binary_field(&name);
            prop_assert_eq!(Field::parse(&field), Field::Binary(name.as_str()));
        }
    }
}

#[test]
fn foreign_keys_are_not_service_keys() {
    let keys = Keys::new("sb1:");
    for key in ["", "sb1:", "sb1:own:{x}", "sb2:svc:{x}", "sb1:svc:{x"] {
        assert_eq!(keys.service_id(key), None, "{key}");
    }
    for field in [
        DEFINITION, CREATED, END, GMS_USER, CLAIM, RESPONSE, BACKEND, SESSION,
    ] {
        assert_eq!(Field::parse(field), Field::Internal, "{field}");
    }
}

#[test]
fn owned_resource_fields_round_trip() {
    let blob = BlobId::generate();
    let field = owned_blob_field(&blob);
    assert_eq!(
        OwnedResource::parse(&field),
        Some(OwnedResource::Blob(blob))
    );
    let booking = BookingId::generate(crate::model::Timestamp::from_millis(1_795_455_943_000));
    let field = owned_booking_field("a:b", &booking);
    assert_eq!(
        OwnedResource::parse(&field),
        Some(OwnedResource::Booking("a:b".to_owned(), booking))
    );
    let session = BackendSession {
        definition: "chat".to_owned(),
        backend: "http://localhost:1".to_owned(),
        name: String::new(),
    };
    let field = owned_session_field(&session);
    assert_eq!(
        OwnedResource::parse(&field),
        Some(OwnedResource::Session(session))
    );
    let field = owned_webhook_field("pceu", "a:b");
    assert_eq!(OwnedResource::parse(&field), Some(OwnedResource::Webhook));
    assert_eq!(OwnedResource::parse("_over"), None);
}

#[test]
fn index_shard_is_stable() {
    let keys = Keys::new("sb1:");
    let id = |text: &str| ServiceId::from(text.to_owned());
    assert_eq!(keys.index(&id("")), "sb1:idx:{25}");
    assert_eq!(keys.index(&id("a")), "sb1:idx:{0c}");
}
