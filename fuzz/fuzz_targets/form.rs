//! Form bodies, in one of three charsets.
#![no_main]

const KINDS: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=ISO-8859-1",
    "application/x-www-form-urlencoded; charset=Shift_JIS",
];

switchboard_fuzz::target!(|service, data| {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    service.write(KINDS[usize::from(*first) % KINDS.len()], body);
});
