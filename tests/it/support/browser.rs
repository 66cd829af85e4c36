//! A real browser, driven as somebody who sits before it would: by what is written on labels, buttons and
//! links.

use std::{
    env,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
};
use serde_json::{Value, json};

use super::eventually;

/// Everything a page is looked at for: see `looked_at.js`.
const INSPECT_SCRIPT: &str = include_str!("browser/looked_at.js");

/// Highest picture of a page.
const MAX_HEIGHT: u32 = 2_000;

/// Chromium, without a screen. Dropped, it is killed.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

struct Driver {
    child: Child,
    port: u16,
    /// What the browser keeps; gone with it.
    _folder: tempfile::TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is in the driver's process group.
        let group = format!("-{}", self.child.id());
        let kill = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(kill.unwrap().success(), "the browser goes on");
        drop(self.child.wait());
    }
}

impl Driver {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let port = port.unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).process_group(0);
        command
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        Self {
            child,
            port,
            _folder: folder,
        }
    }
}

impl Browser {
    /// One that has been nowhere yet.
    pub(crate) async fn open() -> Self {
        let driver = Driver::start();
        let options = json!({
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900",
                    // A name of no loopback address: browsers trust plain HTTP there with less.
                    "--host-resolver-rules=MAP switchboard.test 127.0.0.1"],
            },
        });
        let Value::Object(options) = options else {
            unreachable!("an object")
        };
        let url = format!("http://127.0.0.1:{}", driver.port);
        let client = eventually("a browser opens", async || {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(options.clone());
            builder.connect(&url).await.ok()
        });
        let client = client.await;
        Self { client, driver }
    }

    /// Goes where the address line says.
    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Where it is, without host.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.path().to_owned()
    }

    async fn visible_element(&self, what: &str, xpath: &str) -> Element {
        eventually(what, async || {
            let found = self.client.find_all(Locator::XPath(xpath)).await.ok()?;
            for element in found {
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        })
        .await
    }

    /// The field that a label names.
    pub(crate) async fn field(&self, label: &str) -> Element {
        let named = format!(
            "//label[starts-with(normalize-space(), {})]",
            xpath_literal(label)
        );
        let label = self.visible_element(label, &named).await;
        let id = label.attr("for").await.unwrap().unwrap();
        self.client.find(Locator::Id(&id)).await.unwrap()
    }

    /// Writes into the field, in place of what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses what is written so.
    pub(crate) async fn choose(&self, label: &str, choice: &str) {
        let field = self.field(label).await;
        field.select_by_label(choice).await.unwrap();
    }

    /// Chooses what a label of its own names, of some of which one counts.
    pub(crate) async fn check(&self, label: &str) {
        let named = format!("//label[normalize-space()={}]", xpath_literal(label));
        self.visible_element(label, &named)
            .await
            .click()
            .await
            .unwrap();
    }

    /// Presses the button that is called so.
    pub(crate) async fn press(&self, button: &str) {
        let named = format!("//button[normalize-space()={}]", xpath_literal(button));
        self.visible_element(button, &named)
            .await
            .click()
            .await
            .unwrap();
    }

    /// Follows the link that is called so.
    pub(crate) async fn follow(&self, link: &str) {
        let named = format!("//a[normalize-space()={}]", xpath_literal(link));
        self.visible_element(link, &named)
            .await
            .click()
            .await
            .unwrap();
    }

    /// Unfolds what is summed up so.
    pub(crate) async fn expand(&self, summary: &str) {
        let named = format!(
            "//summary[starts-with(normalize-space(), {})]",
            xpath_literal(summary)
        );
        self.visible_element(summary, &named)
            .await
            .click()
            .await
            .unwrap();
    }

    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";

    /// Types, wherever the keyboard is.
    pub(crate) async fn keys(&self, keys: &[&str]) {
        for keys in keys {
            let mut typing = KeyActions::new("keyboard".to_owned());
            for key in keys.chars() {
                typing = typing.then(KeyAction::Down { value: key });
                typing = typing.then(KeyAction::Up { value: key });
            }
            self.client.perform_actions(typing).await.unwrap();
        }
    }

    /// What is written on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }

    /// Waits until this is written on the page.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        eventually(text, async || {
            self.text().await.contains(text).then_some(())
        })
        .await;
    }

    /// Has the page run this, as a function's body.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let run = self.client.execute(script, Vec::new()).await;
        // A page that is just being left has nothing to say.
        run.unwrap_or(Value::String(String::new()))
    }

    /// Asks the browser itself.
    async fn execute_cdp(&self, command: &str, parameters: Value) {
        let session = self.client.session_id().await.unwrap().unwrap();
        let port = self.driver.port;
        let url = format!("http://127.0.0.1:{port}/session/{session}/goog/cdp/execute");
        let body = json!({"cmd": command, "params": parameters}).to_string();
        let request = reqwest::Client::new().post(url).body(body);
        assert_eq!(request.send().await.unwrap().status(), 200, "{command}");
    }

    /// The reader wants dark pages, or light ones.
    pub(crate) async fn set_color_scheme(&self, scheme: &str) {
        // Colours that are on their way to others are none to look at.
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.execute_cdp("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// The window has these measures.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let measures =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.execute_cdp("Emulation.setDeviceMetricsOverride", measures)
            .await;
    }

    /// Looks at the page as it is: fields have labels, text stands out from its ground, nothing is wider
    /// than the window, and nothing has run that is not ours.
    pub(crate) async fn inspect(&self, page: &str) {
        let found = self.run(INSPECT_SCRIPT).await;
        assert_eq!(found, json!([]), "{page}");
    }

    /// A picture of the page; kept in `docs/pages` where the documents are written (`make pictures`).
    pub(crate) async fn screenshot(&self, name: &str) {
        let height = self
            .run("return document.documentElement.scrollHeight")
            .await;
        let height = u32::try_from(height.as_u64().unwrap()).unwrap();
        self.resize(1280, height.clamp(600, MAX_HEIGHT)).await;
        let picture = self.client.screenshot().await.unwrap();
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        if writes_docs() {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/pages");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        }
    }
}

fn writes_docs() -> bool {
    env::var_os("SWITCHBOARD_WRITE_DOCS").is_some()
}

fn xpath_literal(text: &str) -> String {
    assert!(!text.contains('"'), "{text}");
    format!("\"{text}\"")
}
