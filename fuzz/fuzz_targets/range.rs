//! Which part of a binary is asked for.
#![no_main]

switchboard_fuzz::target!(|service, data| {
    if data.iter().any(|byte| *byte < b' ' || *byte == 127) {
        return;
    }
    let path = format!("{}/storage/binary/pic", service.path());
    let answer = service.send("GET", &path, &[("Range", data)], b"");
    match answer.status {
        200 => assert_eq!(answer.body.len(), 1_000),
        206 => assert!((1..=1_000).contains(&answer.body.len())),
        _ => switchboard_fuzz::refused(&answer),
    }
});
