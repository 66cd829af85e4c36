//! The client code of the page *API reference*: each operation in curl and in three languages, without packages beyond
//! their standard libraries.

use serde_json::Value;

use super::request_example::{Credentials, RequestExample};
use crate::service::shell_quote;

/// The code of a request in a language.
pub(super) struct ClientCode {
    pub(super) language: &'static str,
    pub(super) text: String,
}

/// The code of a request to the server at `base_url`, with placeholders for credentials: `USER`, `PASSWORD` and
/// `API_KEY`.
pub(super) fn client_code(example: &RequestExample<'_>, base_url: &str) -> [ClientCode; 4] {
    let url = format!("{base_url}{}", example.path);
    [
        ("curl", curl(example, &url)),
        ("Python", python(example, &url)),
        ("JavaScript", javascript(example, &url)),
        ("Java", java(example, &url)),
    ]
    .map(|(language, text)| ClientCode { language, text })
}

fn curl(example: &RequestExample<'_>, url: &str) -> String {
    // With `-X HEAD` curl would wait for a body.
    let method = match (example.method, example.is_stream) {
        ("HEAD", _) => "-I".to_owned(),
        (method, true) => format!("-N -X {method}"),
        (method, false) => format!("-X {method}"),
    };
    let mut lines = vec![format!("curl {method} {}", shell_quote(url))];
    if example.credentials.contains(&Credentials::Basic) {
        lines.push("-u 'USER:PASSWORD'".to_owned());
    }
    for (name, value) in headers(example) {
        lines.push(format!("-H {}", shell_quote(&format!("{name}: {value}"))));
    }
    if let Some((_, body)) = &example.body {
        lines.push(format!("--data-raw {}", shell_quote(body)));
    }
    lines.join(" \\\n  ")
}

fn python(example: &RequestExample<'_>, url: &str) -> String {
    let mut imports = vec!["import sys", "import urllib.request"];
    let mut arguments = vec![quoted(url), format!("method={}", quoted(example.method))];
    if let Some(body) = compact_body(example) {
        arguments.push(format!("data={}.encode()", quoted(&body)));
    }
    let mut fields = pairs(example, ": ");
    if example.credentials.contains(&Credentials::Basic) {
        imports.insert(0, "import base64");
        let encoded = r#"base64.b64encode(b"USER:PASSWORD").decode()"#;
        fields.push(format!(r#""Authorization": "Basic " + {encoded}"#));
    }
    if !fields.is_empty() {
        arguments.push(format!("headers={{{}}}", fields.join(", ")));
    }
    format!(
        "{}\n\nrequest = urllib.request.Request(\n    {},\n)\n\
         with urllib.request.urlopen(request{}) as response:\n    \
         for line in response:\n        sys.stdout.buffer.write(line)\n",
        imports.join("\n"),
        arguments.join(",\n    "),
        if example.is_stream {
            ""
        } else {
            ", timeout=10"
        },
    )
}

fn javascript(example: &RequestExample<'_>, url: &str) -> String {
    let mut options = vec![format!("method: {}", quoted(example.method))];
    let mut fields = pairs(example, ": ");
    if example.credentials.contains(&Credentials::Basic) {
        fields.push(r#"Authorization: "Basic " + btoa("USER:PASSWORD")"#.to_owned());
    }
    if !fields.is_empty() {
        options.push(format!("headers: {{ {} }}", fields.join(", ")));
    }
    match &example.body {
        Some((content_type, body)) if is_json(content_type) => {
            let indented = body.replace('\n', "\n  ");
            options.push(format!("body: JSON.stringify({indented})"));
        }
        Some((_, body)) => options.push(format!("body: {}", quoted(body))),
        None => {}
    }
    let output = if example.is_stream {
        "for await (const text of response.body.pipeThrough(new TextDecoderStream())) console.log(text);"
    } else {
        "console.log(await response.text());"
    };
    format!(
        "const response = await fetch({}, {{\n  {},\n}});\n\
         if (!response.ok) throw new Error(`${{response.status}} ${{await response.text()}}`);\n{output}\n",
        quoted(url),
        options.join(",\n  "),
    )
}

fn java(example: &RequestExample<'_>, url: &str) -> String {
    let mut imports = vec!["java.net.URI", "java.net.http.*"];
    let mut calls = Vec::new();
    if !example.is_stream {
        imports.push("java.time.Duration");
        calls.push(".timeout(Duration.ofSeconds(10))".to_owned());
    }
    let fields = pairs(example, ", ").into_iter();
    calls.extend(fields.map(|field| format!(".header({field})")));
    if example.credentials.contains(&Credentials::Basic) {
        imports.push("java.util.Base64");
        let encoded = r#"Base64.getEncoder().encodeToString("USER:PASSWORD".getBytes())"#;
        calls.push(format!(r#".header("Authorization", "Basic " + {encoded})"#));
    }
    let body = compact_body(example);
    calls.push(match (example.method, body) {
        ("GET" | "DELETE", None) => format!(".{}()", example.method),
        (method, body) => {
            let body = quoted(&body.unwrap_or_default());
            let publisher = format!("HttpRequest.BodyPublishers.ofString({body})");
            format!(".method({}, {publisher})", quoted(method))
        }
    });
    let imports = imports.iter().map(|name| format!("import {name};\n"));
    format!(
        "{}\nvar request = HttpRequest.newBuilder(URI.create({}))\n    {}\n    .build();\n\
         var response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofLines());\n\
         System.out.println(response.statusCode());\nresponse.body().forEach(System.out::println);\n",
        imports.collect::<String>(),
        quoted(url),
        calls.join("\n    "),
    )
}

/// The headers, without those of HTTP Basic, which each language encodes in its own way.
fn headers<'a>(example: &'a RequestExample<'_>) -> Vec<(&'static str, &'a str)> {
    let content_type = example.body.iter();
    let content_type = content_type.map(|(content_type, _)| ("Content-Type", *content_type));
    let has_key = example.credentials.contains(&Credentials::ApiKey);
    let api_key = has_key.then_some(("x-api-key", "API_KEY"));
    content_type.chain(api_key).collect()
}

/// The headers as pairs of string literals.
fn pairs(example: &RequestExample<'_>, separator: &str) -> Vec<String> {
    let headers = headers(example).into_iter();
    let pairs =
        headers.map(|(name, value)| format!("{}{separator}{}", quoted(name), quoted(value)));
    pairs.collect()
}

/// The body on one line, if it is JSON.
fn compact_body(example: &RequestExample<'_>) -> Option<String> {
    let (content_type, body) = example.body.as_ref()?;
    let json = is_json(content_type).then(|| serde_json::from_str::<Value>(body).ok());
    let json = json.flatten();
    Some(json.map_or_else(|| body.clone(), |json| json.to_string()))
}

fn is_json(content_type: &str) -> bool {
    content_type == "application/json"
}

/// A string literal: the escapes of JSON are valid in Python, JavaScript and Java.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
