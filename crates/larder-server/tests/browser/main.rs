//! Tests `/docs` in a real browser: the listed operations and "Try it out".

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic or print that it is skipped; its timeouts are in real time"
)]

mod chromium;

use chromium::Chromium;
use larder_testkit::{Larder, LarderBuilder};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

const ROWS: &str = r#"{"7": {"name": "Ada"}, "12": {"name": "Grace"}}"#;

/// Every operation of the page and the status it returns, in an order in which each succeeds.
const OPERATIONS: [(&str, &str); 14] = [
    ("origins-read_users", "200"),
    ("origins-forget_users", "204"),
    ("keys-set", "200"),
    ("keys-set_by_post", "200"),
    ("keys-get", "200"),
    ("keys-write", "204"),
    ("keys-read", "200"),
    ("keys-delete", "204"),
    ("server-stats", "200"),
    ("server-passthrough", "200"),
    ("server-switch", "200"),
    ("server-metrics", "200"),
    ("server-livez", "200"),
    ("server-readyz", "200"),
];

#[test]
fn every_operation_is_listed_and_can_be_tried() {
    let Some(mut page) = Chromium::start() else { return };
    let (larder, _folder) = start(|larder| larder);
    open_docs(&mut page, &larder);
    let listed =
        page.evaluate("[...document.querySelectorAll('.opblock')].map(it => it.id).sort()");
    let mut expected: Vec<_> =
        OPERATIONS.iter().map(|(name, _)| format!("operations-{name}")).collect();
    expected.push("operations-keys-set_by_get".into());
    expected.sort();
    assert_eq!(listed, json!(expected));

    for (operation, status) in OPERATIONS {
        let shown = execute(&mut page, operation, status);
        if operation == "origins-read_users" {
            assert!(shown.contains("Ada"), "the first row should be the example: {shown}");
            assert!(shown.contains("fwd=uri-miss; stored"), "headers should be shown: {shown}");
        }
    }
    assert_eq!(page.problems(), [""; 0]);

    // The browser logs the 405 and nothing else.
    execute(&mut page, "keys-set_by_get", "405");
    let problems = page.problems();
    assert!(matches!(problems, [one] if one.contains("405")), "{problems:?}");
}

#[test]
fn the_token_can_be_entered() {
    let Some(mut page) = Chromium::start() else { return };
    let (larder, _folder) = start(|larder| larder.env("LARDER_HTTP_TOKEN", "open-sesame"));
    open_docs(&mut page, &larder);
    execute(&mut page, "server-livez", "200");
    execute(&mut page, "server-stats", "401");
    assert_eq!(page.evaluate("!!document.querySelector('.btn.authorize')"), true);
    page.evaluate("ui.preauthorizeApiKey('http-token', 'open-sesame') && 0");
    execute(&mut page, "server-stats", "200");
    assert!(!larder.log().contains("open-sesame"));
}

fn start(set: impl FnOnce(LarderBuilder) -> LarderBuilder) -> (Larder, TempDir) {
    let folder = TempDir::with_prefix("larder-rows-").unwrap();
    let file = folder.path().join("users.json");
    fs::write(&file, ROWS).unwrap();
    let config = format!(
        "[[origin]]\nname = 'users'\nkind = 'json'\nfile = '{}'\nkey = 'users:{{id}}'\n\
         path = '/users/{{id}}'\n",
        file.display()
    );
    let larder = Larder::builder(env!("CARGO_BIN_EXE_larder")).config_text(config);
    (set(larder.args(&["--port", "0"])).start(), folder)
}

fn open_docs(page: &mut Chromium, larder: &Larder) {
    // The path without the final slash, as most people type it.
    page.open(&larder.url("/docs"));
    page.until(&format!("document.querySelectorAll('.opblock').length > {}", OPERATIONS.len()));
}

/// Opens an operation, clicks "Execute", waits for the status and returns the text of the response.
/// Closes the operation again, because the page is slow with many open operations.
fn execute(page: &mut Chromium, operation: &str, status: &str) -> String {
    let all = |part: &str| format!("document.querySelectorAll('#operations-{operation} {part}')");
    let one = |part: &str| format!("document.querySelector('#operations-{operation} {part}')");
    let click = |part: &str| format!("{}.click()", one(part));
    page.evaluate(&click(".opblock-summary-control"));
    // The page renders the operation first and its examples later. It cannot execute before that.
    page.until(&one(".responses-inner .response"));
    let examples = all("[data-param-in=path] input");
    page.until(&format!("[...{examples}].every(example => example.value)"));
    page.evaluate(&click(".btn.execute"));
    let shown = format!("{}.innerText", one(".live-responses-table .response"));
    page.until(&format!("{shown}.startsWith('{status}')"));
    let shown = page.evaluate(&shown).to_string();
    page.evaluate(&click(".opblock-summary-control"));
    page.until(&format!("!{}", one(".responses-inner")));
    shown
}
