//! A headless Chromium, driven by its remote debugging protocol over a pair of pipes: one JSON object after
//! the other, each ended by a zero byte. When the pipes end, so does Chromium.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long Chromium may take for one answer, its start included.
const LIMIT: Duration = Duration::from_secs(30);
/// Time between two looks at a page, which needs the processor to get on.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Messages that may wait for the test to look at them.
const MESSAGES_MAX: usize = 10_000;

/// Reads commands from 3 and writes events to 4, as Chromium wants it.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// Without the network of its maker, which it would call at every start.
const FLAGS: [&str; 10] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page.
pub(crate) struct Chromium {
    process: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Value,
    commands_sent: u64,
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it; `None`, and a line that says so, where there is none.
    pub(crate) fn start() -> Option<Self> {
        let program = env::var_os("LARDER_TEST_CHROMIUM").unwrap_or_else(|| "chromium".into());
        if !is_there(&program) {
            return None;
        }
        let profile = TempDir::with_prefix("larder-chromium-").unwrap();
        let mut process = Command::new("/bin/sh")
            .args(["-c", START])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let messages = read(process.stdout.take().unwrap());
        let mut chromium = Self {
            process,
            commands,
            messages,
            session: Value::Null,
            commands_sent: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        chromium.attach();
        Some(chromium)
    }

    /// Goes to a page.
    pub(crate) fn open(&mut self, url: &str) {
        self.complaints.clear();
        self.call("Page.navigate", &json!({ "url": url }));
    }

    /// What a JavaScript expression gives.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.call("Runtime.evaluate", &parameters);
        let failure = answer.get("exceptionDetails");
        assert!(failure.is_none(), "{expression}: {}", failure.unwrap());
        answer["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true. What it asks for may not exist yet.
    pub(crate) fn until(&mut self, expression: &str) {
        let question = format!("(() => {{ try {{ return !!({expression}) }} catch {{}} }})()");
        let begun = Instant::now();
        while self.evaluate(&question) != true {
            if begun.elapsed() > LIMIT {
                let page = self.evaluate("document.body.innerText");
                panic!("not within {LIMIT:?}: {expression}\n{:?}\n{page}", self.complaints);
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Errors and warnings that the page has caused since it was opened.
    pub(crate) fn complaints(&mut self) -> &[String] {
        // What came before the answer has been read with it.
        self.evaluate("0");
        &self.complaints
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        self.session = self.call("Target.attachToTarget", &target)["sessionId"].take();
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.commands_sent += 1;
        let id = self.commands_sent;
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if self.session.is_string() {
            command["sessionId"] = self.session.clone();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let mut message = self.messages.recv_timeout(LIMIT).expect("chromium answers");
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{command}: {message}");
                return message["result"].take();
            }
            self.complaints.extend(complaint(&message));
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Whether there is a Chromium to test with.
///
/// In CI a skipped test is a failed one, unless it was said that this one may be skipped.
fn is_there(program: &OsString) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    let is_set = |name: &str| env::var(name).is_ok_and(|value| value == "1");
    let needed = is_set("LARDER_REQUIRE_ALL") && !is_set("LARDER_SKIP_BROWSER");
    assert!(found || !needed, "{} not found, and LARDER_REQUIRE_ALL=1", program.display());
    if !found {
        eprintln!("skipped: {} not found", program.display());
    }
    found
}

fn read(events: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = sync_channel(MESSAGES_MAX);
    thread::spawn(move || {
        for message in BufReader::new(events).split(0).map_while(Result::ok) {
            if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What an event complains of.
fn complaint(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    let bad = |level: &Value| level == "error" || level == "warning";
    let complains = match event["method"].as_str()? {
        "Runtime.exceptionThrown" => true,
        "Runtime.consoleAPICalled" => bad(&parameters["type"]),
        "Log.entryAdded" => bad(&parameters["entry"]["level"]),
        _ => false,
    };
    complains.then(|| parameters.to_string())
}
