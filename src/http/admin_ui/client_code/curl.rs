//! Requests with curl, in a shell.

use crate::{
    http::{
        admin_ui::request_example::{
            Credentials, FILE_TYPE, HeaderExample, RequestBody, RequestExample, ResponseBody,
        },
        openapi::fields::EXAMPLE_FILE,
    },
    service::shell_quote,
};

pub(super) fn curl(example: &RequestExample<'_>, url: &str) -> String {
    // With `-X HEAD` curl would wait for a body.
    let method = match (example.method, example.response) {
        ("HEAD", _) => "-I".to_owned(),
        (method, ResponseBody::Stream) => format!("-N -X {method}"),
        (method, _) => format!("-X {method}"),
    };
    let mut lines = vec![format!("curl {method} {}", shell_quote(url))];
    if example.response == ResponseBody::File {
        lines.push(format!("--fail -o {}", shell_quote(EXAMPLE_FILE)));
    }
    if example.credentials.contains(&Credentials::Basic) {
        lines.push("-u 'USER:PASSWORD'".to_owned());
    }
    if example.credentials.contains(&Credentials::ApiKey) {
        lines.push("-H 'x-api-key: API_KEY'".to_owned());
    }
    for (name, value) in &example.headers {
        lines.push(match value {
            HeaderExample::Text(text) => format!("-H {}", shell_quote(&format!("{name}: {text}"))),
            HeaderExample::Random => format!("-H \"{name}: $(openssl rand -hex 16)\""),
        });
    }
    lines.extend(body(&example.body));
    lines.join(" \\\n  ")
}

fn body(body: &RequestBody<'_>) -> Vec<String> {
    match body {
        RequestBody::None => Vec::new(),
        RequestBody::Text { content_type, text } => vec![
            format!(
                "-H {}",
                shell_quote(&format!("Content-Type: {content_type}"))
            ),
            format!("--data-raw {}", shell_quote(text)),
        ],
        RequestBody::Multipart(fields) => {
            let field = |name: &str, text: &str| shell_quote(&format!("{name}={text}"));
            let texts = fields.iter();
            let texts = texts.map(|(name, text)| format!("--form-string {}", field(name, text)));
            let file = field(EXAMPLE_FILE, &format!("@{EXAMPLE_FILE};type={FILE_TYPE}"));
            texts.chain([format!("-F {file}")]).collect()
        }
    }
}
