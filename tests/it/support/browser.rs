//! A real browser, driven like a user would: by the texts of labels, buttons and links.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
};
use serde_json::{Value, json};

use super::{eventually, ports::free_port};

/// Checks of each page: see `inspect.js`.
const INSPECT_SCRIPT: &str = include_str!("browser/inspect.js");

/// The accessibility rules of axe-core, a script.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let install = Command::new(".ci/clients/install")
        .args(["axe", "axe"])
        .status();
    assert!(install.unwrap().success(), "axe-core is not installed");
    fs::read_to_string("target/axe/node/node_modules/axe-core/axe.min.js").unwrap()
});

/// Maximum height of a screenshot.
const MAX_HEIGHT: u32 = 2_000;

/// Headless Chromium; killed on drop.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

struct Driver {
    child: Child,
    port: u16,
    /// The profile of the browser, deleted on drop.
    _folder: tempfile::TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is in the driver's process group.
        let group = format!("-{}", self.child.id());
        let kill = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(kill.unwrap().success(), "the browser cannot be killed");
        drop(self.child.wait());
    }
}

impl Driver {
    fn start() -> Self {
        let port = free_port();
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
    /// A new browser with an empty page.
    pub(crate) async fn open() -> Self {
        let driver = Driver::start();
        let options = json!({
            // axe-core takes longer than the default of 30 s for a long page on a busy machine.
            "timeouts": {"script": 120_000},
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900",
                    // A host name that is not a loopback address: browsers trust plain HTTP there less.
                    "--host-resolver-rules=MAP switchboard.test 127.0.0.1"],
            },
        });
        let Value::Object(options) = options else {
            unreachable!("an object")
        };
        let url = format!("http://127.0.0.1:{}", driver.port);
        let client = eventually("the browser starts", async || {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(options.clone());
            builder.connect(&url).await.ok()
        });
        let client = client.await;
        Self { client, driver }
    }

    /// Navigates to a URL.
    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The path of the current URL.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.path().to_owned()
    }

    /// The first element that is displayed; `None` also if the page is replaced meanwhile.
    async fn visible_element(&self, xpath: &str) -> Option<Element> {
        let found = self.client.find_all(Locator::XPath(xpath)).await.ok()?;
        for element in found {
            if element.is_displayed().await.unwrap_or(false) {
                return Some(element);
            }
        }
        None
    }

    /// Clicks an element. A page that is updated may replace it before the click: then it is found again.
    async fn click(&self, what: &str, xpath: &str) {
        eventually(what, async || {
            let element = self.visible_element(xpath).await?;
            element.click().await.ok()
        })
        .await;
    }

    async fn visible_field(&self, label: &str) -> Option<Element> {
        let named = format!(
            "//label[starts-with(normalize-space(), {})]",
            xpath_literal(label)
        );
        let label = self.visible_element(&named).await?;
        let id = label.attr("for").await.ok()??;
        self.client.find(Locator::Id(&id)).await.ok()
    }

    /// The field with this label.
    pub(crate) async fn field(&self, label: &str) -> Element {
        eventually(label, async || self.visible_field(label).await).await
    }

    /// Replaces the text of a field.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        eventually(label, async || {
            let field = self.visible_field(label).await?;
            field.clear().await.ok()?;
            field.send_keys(text).await.ok()
        })
        .await;
    }

    /// Selects an option by its text.
    pub(crate) async fn choose(&self, label: &str, choice: &str) {
        let field = self.field(label).await;
        field.select_by_label(choice).await.unwrap();
    }

    /// Selects a radio button by its label.
    pub(crate) async fn check(&self, label: &str) {
        let named = format!("//label[normalize-space()={}]", xpath_literal(label));
        self.click(label, &named).await;
    }

    /// Clicks the button with this text.
    pub(crate) async fn press(&self, button: &str) {
        let named = format!("//button[normalize-space()={}]", xpath_literal(button));
        self.click(button, &named).await;
    }

    /// Clicks the link with this text.
    pub(crate) async fn follow(&self, link: &str) {
        let named = format!("//a[normalize-space()={}]", xpath_literal(link));
        self.click(link, &named).await;
    }

    /// Opens the details element with this summary.
    pub(crate) async fn expand(&self, summary: &str) {
        let named = format!(
            "//summary[starts-with(normalize-space(), {})]",
            xpath_literal(summary)
        );
        self.click(summary, &named).await;
    }

    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";
    const SHIFT: char = '\u{e008}';

    /// Types keys into the focused element.
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

    /// Types text and then a key with Shift into the focused element.
    pub(crate) async fn keys_with_shift(&self, text: &str, key: &str) {
        self.keys(&[text]).await;
        let mut typing = KeyActions::new("keyboard".to_owned());
        typing = typing.then(KeyAction::Down { value: Self::SHIFT });
        for key in key.chars() {
            typing = typing.then(KeyAction::Down { value: key });
            typing = typing.then(KeyAction::Up { value: key });
        }
        typing = typing.then(KeyAction::Up { value: Self::SHIFT });
        self.client.perform_actions(typing).await.unwrap();
    }

    /// The visible text of the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the page contains this text.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        eventually(text, async || {
            self.text().await.contains(text).then_some(())
        })
        .await;
    }

    /// Runs a script in the page, as the body of a function.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let run = self.client.execute(script, Vec::new()).await;
        // During navigation the script fails.
        run.unwrap_or(Value::String(String::new()))
    }

    /// Runs a command of the Chrome `DevTools` Protocol.
    async fn execute_cdp(&self, command: &str, parameters: Value) {
        let session = self.client.session_id().await.unwrap().unwrap();
        let port = self.driver.port;
        let url = format!("http://127.0.0.1:{port}/session/{session}/goog/cdp/execute");
        let body = json!({"cmd": command, "params": parameters}).to_string();
        let request = reqwest::Client::new().post(url).body(body);
        assert_eq!(request.send().await.unwrap().status(), 200, "{command}");
    }

    /// Sets the preferred color scheme.
    pub(crate) async fn set_color_scheme(&self, scheme: &str) {
        // Without reduced motion, colors in transition would be inspected.
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.execute_cdp("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// Sets the time zone of the browser.
    pub(crate) async fn set_time_zone(&self, zone: &str) {
        self.execute_cdp("Emulation.setTimezoneOverride", json!({"timezoneId": zone}))
            .await;
    }

    /// Sets the size of the window.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.execute_cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Inspects the page: no rule of axe-core is violated, with all folds open, nothing is wider than the window, and
    /// no injected code has run.
    pub(crate) async fn inspect(&self, page: &str) {
        let mut problems = Value::Null;
        // The script fails without a result if the page is updated meanwhile.
        for _ in 0..3 {
            self.run(&AXE).await;
            problems = self.run(INSPECT_SCRIPT).await;
            if problems.is_array() {
                break;
            }
        }
        assert_eq!(problems, json!([]), "{page}");
    }

    /// Takes a screenshot; stored in `docs/pages` if documents are written (`make pictures`).
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
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{name}.png")), picture).unwrap();
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
