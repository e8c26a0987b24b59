//! A headless Chromium, controlled with its remote debugging protocol over two pipes. Each message
//! is a JSON object that ends with a zero byte. Chromium exits when the pipes close.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Maximum time for Chromium to respond, including its start.
const LIMIT: Duration = Duration::from_secs(30);
/// Time between two evaluations of a condition. The page needs the CPU in between.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Maximum number of messages that the test has not read yet.
const MESSAGES_MAX: usize = 10_000;

/// Connects stdin and stdout to file descriptors 3 and 4, where Chromium reads commands and writes
/// events.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// The last flags keep Chromium from calling its vendor's servers at every start.
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
    problems: Vec<String>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts Chromium. Prints that the test is skipped and returns `None` if it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let program = env::var_os("LARDER_TEST_CHROMIUM").unwrap_or_else(|| "chromium".into());
        if !is_installed(&program) {
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
            problems: Vec::new(),
            _profile: profile,
        };
        chromium.attach();
        Some(chromium)
    }

    /// Opens a page and forgets the problems of the previous one.
    pub(crate) fn open(&mut self, url: &str) {
        self.problems.clear();
        self.call("Page.navigate", &json!({ "url": url }));
    }

    /// Returns the value of a JavaScript expression.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let result = self.call("Runtime.evaluate", &parameters);
        let failure = result.get("exceptionDetails");
        assert!(failure.is_none(), "{expression}: {}", failure.unwrap());
        result["result"]["value"].clone()
    }

    /// Blocks until a JavaScript expression is true. An exception counts as false, because elements
    /// may not exist yet.
    pub(crate) fn until(&mut self, expression: &str) {
        let condition = format!("(() => {{ try {{ return !!({expression}) }} catch {{}} }})()");
        let start = Instant::now();
        while self.evaluate(&condition) != true {
            if start.elapsed() > LIMIT {
                let page = self.evaluate("document.body.innerText");
                panic!("not within {LIMIT:?}: {expression}\n{:?}\n{page}", self.problems);
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// Returns the errors and warnings that the page has logged since it was opened.
    pub(crate) fn problems(&mut self) -> &[String] {
        // This reads all events that arrived before the reply.
        self.evaluate("0");
        &self.problems
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        self.session = self.call("Target.attachToTarget", &target)["sessionId"].take();
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Sends a command and returns its result. Collects the problems in events that arrive
    /// meanwhile.
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.commands_sent += 1;
        let id = self.commands_sent;
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if self.session.is_string() {
            command["sessionId"] = self.session.clone();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let mut message = self.messages.recv_timeout(LIMIT).expect("a reply from Chromium");
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{command}: {message}");
                return message["result"].take();
            }
            self.problems.extend(problem(&message));
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Returns whether Chromium is installed.
///
/// Panics if it is not and `LARDER_REQUIRE_ALL=1`, unless `LARDER_SKIP_BROWSER=1`.
fn is_installed(program: &OsString) -> bool {
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

/// Returns the parameters of an event that reports an error or a warning.
fn problem(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    let bad = |level: &Value| level == "error" || level == "warning";
    let is_problem = match event["method"].as_str()? {
        "Runtime.exceptionThrown" => true,
        "Runtime.consoleAPICalled" => bad(&parameters["type"]),
        "Log.entryAdded" => bad(&parameters["entry"]["level"]),
        _ => false,
    };
    is_problem.then(|| parameters.to_string())
}
