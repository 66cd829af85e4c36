//! The page *API reference*: search, and client code that runs.

use std::process::Command;

use tokio::task::spawn_blocking;

use super::fixture::{AdminSession, between, unescaped};
use crate::{
    api::admin::fixture::{ADMIN_SETTINGS, PASSWORD},
    support::{TestApp, TestResponse, random_prefix},
};

/// The programs that run client code, with the argument before it.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("curl", &["bash", "-c"]),
    ("python", &["python3", "-c"]),
    ("javascript", &["node", "--input-type=module", "-e"]),
];

/// The client code of an operation.
fn code(page: &str, language: &str, operation: &str) -> String {
    let start = format!("<pre id=\"code-{language}-{operation}\">");
    unescaped(between(page, &start, "</pre>"))
}

/// Runs client code, and returns its output.
async fn run(program: &[&str], code: &str) -> String {
    let mut command = Command::new("timeout");
    command.arg("30").args(program).arg(code);
    let output = spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{code}\n{text}\n{error}");
    text
}

#[tokio::test]
async fn client_code_runs_in_every_language() {
    let settings = [ADMIN_SETTINGS[0], ("auth.api_keys", "k")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    for (language, program) in PROGRAMS {
        let snippet = |operation: &str| {
            let code = code(&page, language, operation);
            code.replace("API_KEY", "k")
                .replace("USER:PASSWORD", &format!("admin:{PASSWORD}"))
        };
        let created = run(program, &snippet("createService")).await;
        let id = between(&created, "\"_id\":\"", "\"").to_owned();
        let listed = run(program, &snippet("listActiveServices")).await;
        assert!(listed.contains(&id), "{language}: {listed}");

        // The path of the example has an id of no service.
        let with_id = |operation: &str| {
            let code = snippet(operation);
            let path = between(&code, "/genesys/1/service/", "/storage");
            code.replace(path, &id)
        };
        run(program, &with_id("writeStorage")).await;
        let read = run(program, &with_id("readStorage")).await;
        let stored = app.get(&format!("/genesys/1/service/{id}/storage"));
        let stored = TestResponse::send(stored.header("x-api-key", "k")).await;
        assert_eq!(read.trim(), stored.text(), "{language}");
        assert_ne!(read.trim(), "{}", "{language}");
        run(program, &with_id("clearStorage")).await;
        let read = run(program, &with_id("readStorage")).await;
        assert_eq!(read.trim(), "{}", "{language}");
    }
}

#[tokio::test]
async fn every_operation_has_client_code() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    let document = TestResponse::send(app.get("/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap();
        for language in ["curl", "python", "javascript", "java"] {
            let code = code(&page, language, id);
            assert!(code.contains(&app.url("/")), "{id}: {code}");
        }
    }
    let create = code(&page, "curl", "createService");
    assert!(create.contains("/service/store"), "{create}");
    assert!(
        create.contains("\"_ttl\": 3600"),
        "the example of the service: {create}"
    );
    let head = code(&page, "curl", "headBinary");
    assert!(head.starts_with("curl -I "), "{head}");
    let stream = code(&page, "curl", "streamChat");
    assert!(stream.starts_with("curl -N -X GET "), "{stream}");
}

#[tokio::test]
async fn search_finds_operations_by_all_words() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let session = AdminSession::sign_in(&app).await;
    let found = session.page("/api?q=storage+CLEAR").await;
    assert!(found.contains("id=\"clearStorage\" open"), "{found}");
    assert!(!found.contains("id=\"createService\""));
    assert!(!found.contains("<h2>Schemas</h2>"));
    let none = session.page("/api?q=%3Cscript%3E").await;
    assert!(none.contains("0 operations found."), "{none}");
    assert!(!none.contains("value=\"<script>"), "{none}");
    let all = session.page("/api").await;
    assert!(!all.contains("operations found"), "{all}");
    assert!(all.contains("<h2>Schemas</h2>"));
}
