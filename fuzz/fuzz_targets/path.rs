//! Paths and queries, with each method.
#![no_main]

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];

switchboard_fuzz::target!(|service, data| {
    let Some((first, path)) = data.split_first() else {
        return;
    };
    let Ok(path) = std::str::from_utf8(path) else {
        return;
    };
    if path.bytes().any(|byte| byte <= b' ' || byte == 127) {
        return;
    }
    // `*` is replaced by the path of the service.
    let path = path.replacen('*', &service.path(), 1);
    let method = METHODS[usize::from(*first) % METHODS.len()];
    let response = service.send(method, &path, &[], b"");
    // A response to HEAD has only a status; /readyz and similar paths respond with text.
    if response.status >= 400 && method != "HEAD" && !path.contains("/admin/") {
        switchboard_fuzz::assert_error(&response);
    }
});
