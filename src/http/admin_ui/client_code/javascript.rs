//! Requests in JavaScript modules, with `fetch` of Node.js.

use super::literals::{headers, quoted, quoted_file};
use crate::http::admin_ui::request_example::{
    Credentials, FILE_TYPE, RequestBody, RequestExample, ResponseBody,
};

pub(super) fn javascript(example: &RequestExample<'_>, url: &str) -> String {
    let mut options = vec![format!("method: {}", quoted(example.method))];
    let mut fields = headers(example, ": ", "crypto.randomUUID()");
    if example.credentials.contains(&Credentials::Basic) {
        fields.push(r#"Authorization: "Basic " + btoa("USER:PASSWORD")"#.to_owned());
    }
    if !fields.is_empty() {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| format!("    {field},\n"))
            .collect();
        options.push(format!("headers: {{\n{}  }}", fields.concat()));
    }
    match &example.body {
        RequestBody::None => {}
        RequestBody::Multipart(_) => options.push("body: form".to_owned()),
        RequestBody::Text { text, .. } if example.body.is_json() => {
            let indented = text.replace('\n', "\n  ");
            options.push(format!("body: JSON.stringify({indented})"));
        }
        RequestBody::Text { text, .. } => options.push(format!("body: {}", quoted(text))),
    }
    let output = match example.response {
        ResponseBody::Text => "console.log(await response.text());".to_owned(),
        ResponseBody::File => format!("await writeFile({}, response.body);", quoted_file()),
        ResponseBody::Stream => {
            let text = "response.body.pipeThrough(new TextDecoderStream())";
            format!("for await (const text of {text}) console.log(text);")
        }
    };
    let code = format!(
        "{}const response = await fetch({}, {{\n  {},\n}});\n\
         if (!response.ok) throw new Error(`${{response.status}} ${{await response.text()}}`);\n{output}\n",
        form(&example.body),
        quoted(url),
        options.join(",\n  "),
    );
    let functions = ["readFile", "writeFile"].into_iter();
    let used = functions.filter(|function| code.contains(function));
    let imports =
        used.map(|function| format!("import {{ {function} }} from \"node:fs/promises\";\n\n"));
    format!("{}{code}", imports.collect::<String>())
}

/// The statements that build a multipart body.
fn form(body: &RequestBody<'_>) -> String {
    let RequestBody::Multipart(fields) = body else {
        return String::new();
    };
    let texts = fields.iter();
    let texts =
        texts.map(|(name, text)| format!("form.append({}, {});\n", quoted(name), quoted(text)));
    let file = quoted_file();
    format!(
        "const form = new FormData();\n{}\
         const file = new Blob([await readFile({file})], {{ type: {} }});\nform.append({file}, file, {file});\n",
        texts.collect::<String>(),
        quoted(FILE_TYPE),
    )
}
