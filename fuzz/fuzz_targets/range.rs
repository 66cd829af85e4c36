//! The `Range` header of binaries.
#![no_main]

switchboard_fuzz::target!(|service, data| {
    if data.iter().any(|byte| *byte < b' ' || *byte == 127) {
        return;
    }
    let path = format!("{}/storage/binary/pic", service.path());
    let response = service.send("GET", &path, &[("Range", data)], b"");
    match response.status {
        200 => assert_eq!(response.body.len(), 1_000),
        206 => assert!((1..=1_000).contains(&response.body.len())),
        _ => switchboard_fuzz::assert_error(&response),
    }
});
