//! Client code that runs.

use super::*;
use crate::{
    api::webhooks::fixture::{
        ENDPOINT, LOCAL_RECEIVERS, create_webhook, receiver, send_test_event,
    },
    support::eventually,
};

/// The programs that run client code, with the arguments before it.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("curl", &["bash", "-c"]),
    ("python", &["python3", "-c"]),
    ("javascript", &["node", "--input-type=module", "-e"]),
];
/// The service id in the examples.
const EXAMPLE_ID: &str = "39a98e24-b03b-4191-b756-1efe8f3b16b8";
/// The content of the file that is uploaded: not text, and with line breaks of all kinds.
const FILE: &[u8] = b"\x89PNG\r\n\x1a\n\xff\xfe\0\r\n--\n";

/// Runs client code in a folder that has the file of the examples.
struct Runner<'a> {
    page: &'a str,
    language: &'static str,
    program: &'static [&'static str],
    folder: TempDir,
}

impl<'a> Runner<'a> {
    fn new(page: &'a str, language: &'static str, program: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("MyPic.png"), FILE).unwrap();
        Self {
            page,
            language,
            program,
            folder,
        }
    }

    /// The code of an operation, with credentials.
    fn code(&self, operation: &str, suffix: &str) -> String {
        let key = format!("{}{suffix}", self.language);
        let text = code(self.page, &key, operation).unwrap();
        let text = text.replace("API_KEY", "k");
        text.replace("USER:PASSWORD", &format!("admin:{PASSWORD}"))
    }

    /// Runs code, and returns its output. Errors of the API are failures.
    async fn run(&self, code: String) -> String {
        let code = match self.language {
            "curl" if !code.contains("--fail ") => format!("{code} --fail-with-body"),
            _ => code,
        };
        let mut command = Command::new("timeout");
        command.arg("30").args(self.program).arg(&code);
        command.current_dir(self.folder.path());
        let output = spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{code}\n{text}\n{error}");
        text
    }

    async fn run_operation(&self, operation: &str) -> String {
        self.run(self.code(operation, "")).await
    }

    /// Runs the code of an operation for the service `id`.
    async fn run_for(&self, id: &str, operation: &str, suffix: &str) -> String {
        let code = self.code(operation, suffix);
        assert!(code.contains(EXAMPLE_ID), "{code}");
        self.run(code.replace(EXAMPLE_ID, id)).await
    }
}

#[tokio::test]
async fn the_life_of_a_service() {
    let settings = [ADMIN_SETTINGS[0], ("auth.api_keys", "k")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    for (language, program) in PROGRAMS {
        let runner = Runner::new(&page, language, program);
        let created = runner.run_operation("createService").await;
        let id = between(&created, "\"_id\":\"", "\"").to_owned();
        let listed = runner.run_operation("listActiveServices").await;
        assert!(listed.contains(&id), "{language}: {listed}");
        runner.run_for(&id, "writeStorage", "").await;
        let read = runner.run_for(&id, "readStorage", "").await;
        assert!(
            read.contains("\"language\":\"french\""),
            "{language}: {read}"
        );

        runner.run_for(&id, "writeStorage", "-file").await;
        let path = runner.folder.path().join("MyPic.png");
        std::fs::remove_file(&path).unwrap();
        runner.run_for(&id, "readBinary", "").await;
        assert_eq!(std::fs::read(&path).unwrap(), FILE, "{language}");
        let created = runner.run(runner.code("createService", "-file")).await;
        assert!(created.contains("\"_id\""), "{language}: {created}");

        runner.run_for(&id, "setExpiration", "").await;
        let described = runner.run_for(&id, "getActiveService", "").await;
        let described: Value = serde_json::from_str(&described).unwrap();
        let ttl = described["ttl"].as_u64().unwrap();
        assert!((3500..=3600).contains(&ttl), "{language}: {described}");
        runner.run_for(&id, "clearStorage", "").await;
        let read = runner.run_for(&id, "readStorage", "").await;
        assert_eq!(read.trim(), "{}", "{language}");
        runner.run_for(&id, "deleteService", "").await;
        let gone = app.get(&format!("/genesys/1/service/{id}/storage"));
        let gone = TestResponse::send(gone.header("x-api-key", "k")).await;
        assert_eq!(gone.status, 404, "{language}");
    }
}

#[tokio::test]
async fn a_quarantined_number_of_a_group() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    for (language, program) in PROGRAMS {
        let runner = Runner::new(&page, language, program);
        runner.run_operation("putGroup").await;
        runner.run_operation("quarantineNumber").await;
        let listed = runner.run_operation("listQuarantinedNumbers").await;
        assert!(listed.contains("8005550201"), "{language}: {listed}");
        runner.run_operation("endQuarantine").await;
        let listed = runner.run_operation("listQuarantinedNumbers").await;
        assert!(!listed.contains("8005550201"), "{language}: {listed}");
        runner.run_operation("mergeCatalog").await;
        runner.run_operation("deleteGroup").await;
    }
}

#[tokio::test]
async fn a_webhook() {
    let settings = [&ADMIN_SETTINGS[..], &LOCAL_RECEIVERS].concat();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    // The receiver wants no more events.
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &serde_json::json!({})).await;
    for (language, program) in PROGRAMS {
        let runner = Runner::new(&page, language, program);
        let sent = runner.run_operation("sendTestEvent").await;
        assert!(sent.contains("evt_"), "{language}: {sent}");
        eventually("the webhook has stopped", async || {
            let listed = runner.run_operation("listWebhooks").await;
            let listed: Value = serde_json::from_str(&listed).unwrap();
            listed["webhooks"][0]["stopped_since"]
                .is_string()
                .then_some(())
        })
        .await;
        runner.run_operation("resumeWebhook").await;
        let dead = runner.run_operation("listDeadLetters").await;
        assert!(dead.contains("dead_letters"), "{language}: {dead}");
        let example = "evt_e8fea63b9371dede29621043fe88103eab3f3f59";
        let event = send_test_event(&app, ENDPOINT).await;
        let code = runner.code("resendDeadLetters", "");
        assert!(code.contains(example), "{code}");
        // It is pending, so it is not sent again.
        let resent = runner.run(code.replace(example, &event)).await;
        assert!(resent.contains("\"resent\":0"), "{language}: {resent}");
        runner.run_operation("deleteWebhookEvents").await;
    }
}
