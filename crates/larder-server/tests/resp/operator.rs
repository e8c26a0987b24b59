//! Operating a running server: reading its statistics, switching pass-through on and off.

use std::time::Duration;

use larder_testkit::{CommandOutput, Harness, LIMIT, Larder, LarderBuilder, eventually, http};

use crate::resp_client::written;
use crate::setup::{RespHarness, start};

fn program() -> LarderBuilder {
    Larder::builder(env!("CARGO_BIN_EXE_larder"))
}

fn larder(harness: &Harness, words: &[&str]) -> CommandOutput {
    program().env("LARDER_URL", harness.larder.url("")).args(words).run()
}

#[test]
fn pass_through_sends_every_read_to_redis_until_it_is_turned_off() {
    let Some(harness) = start(&[]) else { return };
    let (mut wire, mut direct) = (harness.wire(), harness.direct());
    direct.expect("SET k old", "+OK");
    harness.warm_up(&mut wire, "GET k", "$3 old");
    assert_eq!(larder(&harness, &["passthrough"]).stdout, "pass-through is off\n");

    assert_eq!(larder(&harness, &["passthrough", "on"]).stdout, "pass-through is on\n");
    assert_eq!(larder(&harness, &["passthrough"]).stdout, "pass-through is on\n");
    let (hits, gets) = (harness.larder.resp_hits(), harness.redis.command_calls("get"));
    for _ in 0..10 {
        wire.expect("GET k", "$3 old");
    }
    assert_eq!(harness.redis.command_calls("get"), gets + 10);
    assert_eq!(
        (harness.larder.resp_hits(), harness.larder.count("/near/items")),
        (hits, harness.larder.count("/near/items"))
    );
    assert!(harness.larder.count("/resp/requests/bypass/passthrough") >= 10);
    let reply = http::get(&harness.larder.url("/get/k"), &[]);
    assert_eq!(reply.cache_status(), "larder; fwd=bypass; detail=passthrough");
    let ready = http::get(&harness.larder.url("/readyz"), &[]);
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")));
    assert!(ready.text().contains("pass-through is on"), "{}", ready.text());
    direct.expect("SET k new", "+OK");

    assert_eq!(larder(&harness, &["passthrough", "off"]).stdout, "pass-through is off\n");
    harness.warm_up(&mut wire, "GET k", "$3 new");
    assert_eq!(harness.larder.stats()["status"], "ok");
}

#[test]
fn pass_through_releases_the_memory_of_cached_entries() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    harness.warm_up(&mut wire, "GET k", "$-1");
    larder(&harness, &["passthrough", "on"]);
    eventually(LIMIT, "the sweep", || harness.larder.count("/near/items") == 0);
}

#[test]
fn the_switch_rejects_cross_site_requests_and_unknown_values() {
    let server = program().args(&["--port", "0", "--http-token", "secret"]).start();
    let url = server.url("/v1/passthrough/on");
    assert_eq!(http::put(&url, &[], "").status, 401);
    let shown = [("authorization", "Bearer secret")];
    let foreign = [shown[0], ("origin", "http://evil.example")];
    assert_eq!(http::put(&url, &foreign, "").status, 403);
    let neither = server.url("/v1/passthrough/maybe");
    assert_eq!(http::put(&neither, &shown, "").status, 400);
    assert_eq!(http::get(&url, &shown).status, 405);
    assert_eq!(http::put(&url, &shown, "").json()["passthrough"], true);

    let off = ["passthrough", "off", "--url", &server.url("/")];
    let refused = program().args(&off).run();
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    let asked = program().args(&off).env("LARDER_HTTP_TOKEN", "secret").run();
    assert_eq!(asked.stdout, "pass-through is off\n");
}

#[test]
fn stats_start_with_the_most_important_values() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    harness.warm_up(&mut wire, "GET k", "$-1");
    wire.expect("SET k 1", "+OK");
    let shown = larder(&harness, &["stats"]).stdout;
    for part in
        ["status      ok, up ", "tracked, ", " entries, ", " hits (", " 1 writes", "1 connected"]
    {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let json = larder(&harness, &["stats", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["resp"]["forwarded"]["write"], 1);
}

#[test]
fn without_a_server_the_commands_name_the_address_they_tried() {
    let port = larder_testkit::free_port().to_string();
    let (code, text) = program().args(&["stats", "--http-port", &port]).fails_with();
    assert_eq!(code, 1);
    assert!(text.contains(&format!("http://127.0.0.1:{port}")), "{text}");
    let without_http = program().env("REDIS_URL", "redis://127.0.0.1:1");
    let (code, text) = without_http.args(&["stats", "--http-port", "0"]).fails_with();
    assert_eq!(code, 1);
    assert!(text.contains("LARDER_URL"), "{text}");
    let (code, _) = program().args(&["passthrough", "perhaps"]).fails_with();
    assert_eq!(code, 2);
    let (code, text) = program().args(&["stats", "--url", "nowhere"]).fails_with();
    assert_eq!(code, 78, "{text}");
}

#[test]
fn a_blocked_client_does_not_delay_shutdown() {
    let Some(harness) = start(&["--drain-timeout", "500ms"]) else { return };
    let mut waiting = harness.wire();
    waiting.send(&written("BLPOP nothing 0"));
    eventually(LIMIT, "redis to block the client", || {
        harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
    });
    let (status, after) = harness.larder.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(after < Duration::from_secs(5), "{after:?}");
}
