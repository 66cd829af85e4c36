//! Requests in Java 17, with its HTTP client.

use super::literals::{field_head, file_head, headers, multipart_header, quoted, quoted_file};
use crate::http::admin_ui::request_example::{
    Credentials, RequestBody, RequestExample, ResponseBody,
};

pub(super) fn java(example: &RequestExample<'_>, url: &str) -> String {
    let mut calls = Vec::new();
    if example.response != ResponseBody::Stream {
        calls.push(".timeout(Duration.ofSeconds(10))".to_owned());
    }
    let fields = headers(example, ", ", "UUID.randomUUID().toString()").into_iter();
    calls.extend(fields.map(|field| format!(".header({field})")));
    if let RequestBody::Multipart(_) = example.body {
        calls.push(format!(".header({})", multipart_header(", ")));
    }
    if example.credentials.contains(&Credentials::Basic) {
        let encoded = r#"Base64.getEncoder().encodeToString("USER:PASSWORD".getBytes())"#;
        calls.push(format!(r#".header("Authorization", "Basic " + {encoded})"#));
    }
    let publisher = match &example.body {
        RequestBody::Multipart(_) => "body".to_owned(),
        body => {
            let text = quoted(&body.compact_text().unwrap_or_default());
            format!("HttpRequest.BodyPublishers.ofString({text})")
        }
    };
    calls.push(match (example.method, &example.body) {
        ("GET" | "DELETE", RequestBody::None) => format!(".{}()", example.method),
        (method, _) => format!(".method({}, {publisher})", quoted(method)),
    });
    let (handler, output) = match example.response {
        ResponseBody::File => (
            format!("ofFile(Path.of({}))", quoted_file()),
            "System.out.println(response.body());\n",
        ),
        _ => (
            "ofLines()".to_owned(),
            "response.body().forEach(System.out::println);\n",
        ),
    };
    let code = format!(
        "{}var request = HttpRequest.newBuilder(URI.create({}))\n    {}\n    .build();\n\
         var response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.{handler});\n\
         System.out.println(response.statusCode());\n{output}",
        multipart(&example.body),
        quoted(url),
        calls.join("\n    "),
    );
    let classes = [
        ("Path.of", "java.nio.file.Path"),
        ("Duration.", "java.time.Duration"),
        ("Base64.", "java.util.Base64"),
        ("UUID.", "java.util.UUID"),
    ];
    let used = classes
        .into_iter()
        .filter(|(use_of, _)| code.contains(use_of));
    let names = ["java.net.URI", "java.net.http.*"];
    let names = names.into_iter().chain(used.map(|(_, class)| class));
    let imports: Vec<String> = names.map(|name| format!("import {name};\n")).collect();
    format!("{}\n{code}", imports.concat())
}

/// The statements that build a multipart body.
fn multipart(body: &RequestBody<'_>) -> String {
    let RequestBody::Multipart(fields) = body else {
        return String::new();
    };
    let of_string = |text: &str| format!("HttpRequest.BodyPublishers.ofString({text})");
    let texts = fields.iter().map(|(name, text)| {
        let part = quoted(&format!("\r\n{}{text}\r\n", field_head(name)));
        of_string(&format!("\"--\" + boundary + {part}"))
    });
    let head = quoted(&format!("\r\n{}", file_head()));
    let file = [
        of_string(&format!("\"--\" + boundary + {head}")),
        format!(
            "HttpRequest.BodyPublishers.ofFile(Path.of({}))",
            quoted_file()
        ),
        of_string("\"\\r\\n--\" + boundary + \"--\\r\\n\""),
    ];
    let parts: Vec<String> = texts.chain(file).collect();
    format!(
        "var boundary = UUID.randomUUID().toString();\nvar body = HttpRequest.BodyPublishers.concat(\n    {});\n",
        parts.join(",\n    ")
    )
}
