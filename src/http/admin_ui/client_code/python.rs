//! Requests in Python 3, with `urllib`.

use super::literals::{field_head, file_head, headers, multipart_header, quoted, quoted_file};
use crate::http::admin_ui::request_example::{
    Credentials, RequestBody, RequestExample, ResponseBody,
};

pub(super) fn python(example: &RequestExample<'_>, url: &str) -> String {
    let mut arguments = vec![quoted(url), format!("method={}", quoted(example.method))];
    if let RequestBody::Multipart(_) = example.body {
        arguments.push("data=body".to_owned());
    }
    if let Some(body) = example.body.compact_text() {
        arguments.push(format!("data={}.encode()", quoted(&body)));
    }
    let mut fields = headers(example, ": ", "str(uuid.uuid4())");
    if let RequestBody::Multipart(_) = example.body {
        fields.push(multipart_header(": "));
    }
    if example.credentials.contains(&Credentials::Basic) {
        let encoded = r#"base64.b64encode(b"USER:PASSWORD").decode()"#;
        fields.push(format!(r#""Authorization": "Basic " + {encoded}"#));
    }
    if !fields.is_empty() {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| format!("        {field},\n"))
            .collect();
        arguments.push(format!("headers={{\n{}    }}", fields.concat()));
    }
    let timeout = match example.response {
        ResponseBody::Stream => "",
        _ => ", timeout=10",
    };
    let opened = format!("urllib.request.urlopen(request{timeout}) as response");
    let output = match example.response {
        ResponseBody::File => format!(
            "with {opened}, open({}, \"wb\") as file:\n    shutil.copyfileobj(response, file)\n",
            quoted_file()
        ),
        _ => format!(
            "with {opened}:\n    for line in response:\n        sys.stdout.buffer.write(line)\n"
        ),
    };
    let code = format!(
        "{}request = urllib.request.Request(\n    {},\n)\n{output}",
        multipart(&example.body),
        arguments.join(",\n    "),
    );
    let modules = ["base64", "shutil", "sys", "urllib.request", "uuid"].into_iter();
    let used = modules.filter(|module| code.contains(&format!("{module}.")));
    let imports: Vec<String> = used.map(|module| format!("import {module}\n")).collect();
    format!("{}\n{code}", imports.concat())
}

/// The statements that build a multipart body.
fn multipart(body: &RequestBody<'_>) -> String {
    let RequestBody::Multipart(fields) = body else {
        return String::new();
    };
    let texts = fields.iter().map(|(name, text)| {
        let part = quoted(&format!("{}{text}", field_head(name)));
        format!("    {part}.encode(),\n")
    });
    format!(
        "boundary = uuid.uuid4().hex\nwith open({}, \"rb\") as file:\n    content = file.read()\nparts = [\n{}    \
         {}.encode() + content,\n]\nstart = f\"--{{boundary}}\\r\\n\".encode()\n\
         body = b\"\".join(start + part + b\"\\r\\n\" for part in parts) + f\"--{{boundary}}--\\r\\n\".encode()\n",
        quoted_file(),
        texts.collect::<String>(),
        quoted(&file_head()),
    )
}
