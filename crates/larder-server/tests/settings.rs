//! Settings on the command line, in the environment and in the configuration file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

#[path = "settings/errors.rs"]
mod errors;
#[path = "settings/invocation.rs"]
mod invocation;
#[path = "settings/origins.rs"]
mod origins;
#[path = "settings/tls.rs"]
mod tls;

use std::time::Duration;

use invocation::{Invocation, larder};
use larder_core::near::Policy;
use larder_redis::Endpoint;
use larder_server::cli::Output;
use larder_server::config::{Config, StoreKind};
use larder_testkit::{CertificateAuthority, CertificateFiles};
use proptest::prelude::*;

#[test]
fn unset_settings_have_their_defaults() {
    let config = larder().config();
    assert_eq!(config.store.kind, StoreKind::Memory);
    assert_eq!(config.store.timeout, Duration::from_secs(5));
    assert_eq!(config.store.maxmemory, 1 << 30);
    assert_eq!(config.engine.staleness_bound, Duration::from_secs(1));
    assert_eq!(config.engine.near_ttl, Duration::from_mins(5));
    assert_eq!(config.engine.near.bytes_max, 256 << 20);
    assert_eq!(config.engine.near.entries_max, 0);
    assert_eq!(config.engine.near.value_bytes_max, 1 << 20);
    assert_eq!(config.engine.near.policy, Policy::ClockPro);
    assert_eq!(config.http.address, "127.0.0.1:8000".parse().ok());
    assert_eq!(config.resp.address, "127.0.0.1:6380".parse().ok());
    assert!(!config.resp.address_is_explicit);
    assert_eq!(config.resp.tls, None);
    assert_eq!(config.resp.unixsocket, None);
    assert_eq!(config.resp.requirepass, None);
    assert_eq!(config.resp.timeout, Duration::ZERO);
    assert!(config.resp.workers >= 1);
    assert_eq!(config.http.token, None);
    assert_eq!(config.http.allowed_hosts, [""; 0]);
    assert_eq!(config.http.max_body, 64 << 20);
    assert_eq!((config.http.concurrency, config.http.queue), (1024, 1024));
    assert_eq!(config.maxclients, 10_000);
    assert_eq!(config.drain_timeout, Duration::from_secs(8));
    assert_eq!(config.logs.filter, "info");
    assert!(config.origins.is_empty());
    assert!(config.notices[0].starts_with("no store is set"), "{:?}", config.notices);
}

#[test]
fn settings_of_the_resp_listener_have_no_prefix() {
    let invocation = larder()
        .config_text("[resp]\ntimeout = 300\nunixsocket = '/tmp/l.sock'")
        .args("--port 7000");
    let config = invocation.args("--io-threads 3 --requirepass secret").config();
    assert_eq!(config.resp.address, "127.0.0.1:7000".parse().ok());
    assert!(config.resp.address_is_explicit);
    assert_eq!(config.resp.unixsocket, Some("/tmp/l.sock".into()));
    assert_eq!(config.resp.timeout, Duration::from_mins(5));
    assert_eq!(config.resp.workers, 3);
    assert!(config.resp.requirepass.is_some_and(|secret| secret.matches(b"secret")));
    assert_eq!(larder().args("--port 0").config().resp.address, None);
    assert_eq!(larder().env("LARDER_PORT", "7001").config().resp.address.unwrap().port(), 7001);
}

#[test]
fn flags_override_variables_which_override_the_file() {
    let file = || larder().config_text("[http]\nport = 1");
    let variable = || file().env("LARDER_HTTP_PORT", "2");
    let port = |invocation: Invocation| invocation.config().http.address.unwrap().port();
    assert_eq!(port(larder()), 8000);
    assert_eq!(port(file()), 1);
    assert_eq!(port(variable()), 2);
    assert_eq!(port(variable().args("--http-port 3")), 3);
    assert_eq!(port(variable().args("serve --http-port 4")), 4);
}

#[test]
fn every_setting_can_be_set_in_every_layer() {
    let table = [
        ("store", "redis://h:6379/1", "store.url"),
        ("store-timeout", "7s", "store.timeout"),
        ("store-maxmemory", "3mb", "store.maxmemory"),
        ("staleness-bound", "2s", "staleness-bound"),
        ("maxmemory", "300mb", "maxmemory"),
        ("near-max-entries", "77", "near.max-entries"),
        ("near-max-value", "3kb", "near.max-value"),
        ("near-ttl", "7m", "near.ttl"),
        ("near-policy", "lru", "near.policy"),
        ("near-allow", "a:,b:", "near.allow"),
        ("near-deny", "a:x:", "near.deny"),
        ("near-verify", "0.1%", "near.verify"),
        ("bind", "127.0.0.2", "resp.bind"),
        ("port", "7", "resp.port"),
        ("unixsocket", "/tmp/l.sock", "resp.unixsocket"),
        ("requirepass", "p", "resp.requirepass"),
        ("timeout", "7s", "resp.timeout"),
        ("proto-max-bulk-len", "7mb", "resp.proto-max-bulk-len"),
        ("proto-max-multibulk-len", "77", "resp.proto-max-multibulk-len"),
        ("proto-inline-max-size", "7kb", "resp.proto-inline-max-size"),
        ("client-query-buffer-limit", "7mb", "resp.client-query-buffer-limit"),
        ("io-threads", "7", "resp.io-threads"),
        ("tls-cert-file", "/l.pem", "resp.tls-cert-file"),
        ("tls-key-file", "/l.key", "resp.tls-key-file"),
        ("tls-ca-cert-file", "/ca.pem", "resp.tls-ca-cert-file"),
        ("http-bind", "127.0.0.2", "http.bind"),
        ("http-port", "7", "http.port"),
        ("http-token", "t", "http.token"),
        ("http-allowed-hosts", "a,b", "http.allowed-hosts"),
        ("http-max-body", "7mb", "http.max-body"),
        ("http-concurrency", "7", "http.concurrency"),
        ("http-queue", "7", "http.queue"),
        ("maxclients", "7", "maxclients"),
        ("protected-mode", "no", "protected-mode"),
        ("drain-timeout", "7s", "drain-timeout"),
    ];
    for (flag, text, key) in table {
        expect_settable_in_every_layer(flag, text, key, "");
    }
    // These are all settings: `config`, `url`, the rows above and the four of the next test.
    let lines = larder().args("check-config --store memory").output_lines();
    assert_eq!(lines.len(), 2 + table.len() + 4);
}

#[test]
fn settings_that_require_others_can_be_set_in_every_layer() {
    let authority = CertificateAuthority::new();
    let ca = authority.file().display().to_string();
    let CertificateFiles { certificate, key } = authority.sign(&["localhost"]);
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let listener = format!("--tls-cert-file {certificate} --tls-key-file {key}");
    expect_settable_in_every_layer("tls-port", "7", "resp.tls-port", &listener);
    let store = format!("--store rediss://h --store-ca-file {ca}");
    expect_settable_in_every_layer("store-ca-file", &ca, "store.ca-file", "--store rediss://h");
    let with_key = format!("{store} --store-key-file {key}");
    expect_settable_in_every_layer("store-cert-file", &certificate, "store.cert-file", &with_key);
    let with_certificate = format!("{store} --store-cert-file {certificate}");
    expect_settable_in_every_layer("store-key-file", &key, "store.key-file", &with_certificate);
}

/// Asserts that a setting can be set in every layer. `others` are the flags that it requires.
fn expect_settable_in_every_layer(flag: &str, text: &str, key: &str, others: &str) {
    let variable = format!("LARDER_{}", flag.replace('-', "_").to_uppercase());
    let layers = [
        (larder().args(&format!("--{flag} {text}")), format!("flag --{flag}")),
        (larder().env(&variable, text), format!("env {variable}")),
        (larder().config_text(&format!("\n{key} = '{text}'")), "larder.toml:2".to_owned()),
    ];
    for (invocation, source) in layers {
        let value = if ["http-token", "requirepass"].contains(&flag) { "***" } else { text };
        let expected = format!("{flag} {value} {source}");
        let lines = invocation.args(others).args("check-config").output_lines();
        assert!(lines.contains(&expected), "{expected} is not in {lines:#?}");
    }
}

#[test]
fn the_file_may_use_the_types_of_toml() {
    let config = larder()
        .config_text(
            "maxmemory = 16_777_216
            staleness-bound = 2
            protected-mode = false
            http = { port = 0x50, allowed-hosts = ['Cache.Example', '10.0.0.5'], bind = '0.0.0.0' }",
        )
        .config();
    assert_eq!(config.engine.near.bytes_max, 16 << 20);
    assert_eq!(config.engine.staleness_bound, Duration::from_secs(2));
    assert_eq!(config.http.address, "0.0.0.0:80".parse().ok());
    assert_eq!(config.http.allowed_hosts, ["cache.example", "10.0.0.5"]);
}

#[test]
fn an_empty_list_overrides_a_list_of_a_lower_layer() {
    let invocation =
        larder().config_text("http.allowed-hosts = ['a']").args("--http-allowed-hosts=");
    assert_eq!(invocation.config().http.allowed_hosts, [""; 0]);
    assert_eq!(
        larder().config_text("http.allowed-hosts = []").config().http.allowed_hosts,
        [""; 0]
    );
    assert_eq!(larder().args("--http-allowed-hosts a,,b").errors().len(), 1);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let invocation = larder().env("LARDER_HTTP_PORT", "").env("REDIS_URL", "");
    let config = invocation.env("REDIS_PASSWORD", "").env("REDIS_HOST", "").config();
    assert_eq!(config.http.address.unwrap().port(), 8000);
    assert_eq!(config.store.kind, StoreKind::Memory);
}

/// Returns the line of `check-config` about the store.
fn store(invocation: Invocation) -> String {
    invocation.args("check-config").output_lines().swap_remove(1)
}

#[test]
fn the_ways_to_name_the_store_have_an_order_of_precedence() {
    let file = || larder().config_text("[store]\nurl = 'redis://file'");
    let host = || file().env("REDIS_HOST", "host").env("REDIS_DB", "3");
    let url = || host().env("REDIS_URL", "redis://url");
    let larder_store = || url().env("LARDER_STORE", "redis://larder");
    assert_eq!(store(file()), "store redis://file:6379/0 larder.toml:2");
    assert_eq!(store(host()), "store redis://host:6379/3 env REDIS_HOST");
    assert_eq!(store(url()), "store redis://url:6379/0 env REDIS_URL");
    assert_eq!(store(larder_store()), "store redis://larder:6379/0 env LARDER_STORE");
    assert_eq!(store(larder_store().args("--store memory")), "store memory flag --store");

    let warning = "REDIS_URL is set, so REDIS_HOST, REDIS_DB are ignored";
    assert_eq!(url().config().notices, [warning]);
    assert_eq!(larder_store().config().notices, [""; 0]);
    // A variable that other programs use too is not checked if it has no effect.
    larder().args("--store memory").env("REDIS_URL", "http://x").config();
}

fn redis(config: &Config) -> &larder_redis::RedisUrl {
    match &config.store.kind {
        StoreKind::Redis(url) => url,
        StoreKind::Memory => panic!("no Redis"),
    }
}

#[test]
fn the_variables_of_kubernetes_name_the_redis_server() {
    let linked = || larder().env("REDIS_PORT", "tcp://10.0.0.1:6380");
    assert_eq!(store(linked()), "store redis://10.0.0.1:6380/0 env REDIS_PORT");
    let named = linked().env("REDIS_HOST", "redis");
    assert_eq!(store(named), "store redis://redis:6380/0 env REDIS_HOST");
    let v6 = larder().env("REDIS_PORT", "tcp://[fd00::1]:6379").config();
    assert_eq!(redis(&v6).endpoint, Endpoint::Tcp { host: "fd00::1".into(), port: 6379 });
    let bare_v6 = larder().env("REDIS_HOST", "fd00::1").config();
    assert_eq!(redis(&bare_v6).endpoint, Endpoint::Tcp { host: "fd00::1".into(), port: 6379 });
    let port = larder().env("REDIS_PORT", "7000");
    assert_eq!(store(port), "store redis://127.0.0.1:7000/0 env REDIS_PORT");
}

#[test]
fn the_parts_of_a_redis_address_are_taken_literally() {
    let config = larder()
        .env("REDIS_HOST", "cache")
        .env("REDIS_USERNAME", "app@home")
        .env_file("REDIS_PASSWORD_FILE", "p:a/s#s%20\n")
        .config();
    let url = redis(&config);
    assert_eq!(url.username.as_deref(), Some("app@home"));
    assert_eq!(url.password.as_ref().unwrap().reveal(), "p:a/s#s%20");
}

#[test]
fn the_variables_of_a_kubernetes_service_named_larder_are_ignored() {
    let invocation = larder()
        .env("LARDER_PORT", "tcp://10.0.0.2:8000")
        .env("LARDER_PORT_8000_TCP", "tcp://10.0.0.2:8000")
        .env("LARDER_PORT_8000_TCP_ADDR", "10.0.0.2")
        .env("LARDER_PORT_8000_TCP_PORT", "8000")
        .env("LARDER_PORT_8000_TCP_PROTO", "tcp")
        .env("LARDER_SERVICE_HOST", "10.0.0.2")
        .env("LARDER_SERVICE_PORT", "8000")
        .env("LARDER_SERVICE_PORT_WEB", "8000")
        .env("LARDER_HTTP_PORT", "tcp://10.0.0.3:80");
    let config = invocation.config();
    assert_eq!(config.http.address.unwrap().port(), 8000);
    assert!(config.notices.iter().any(|n| n.starts_with("LARDER_HTTP_PORT is ignored")));
    assert_eq!(config.resp.address.unwrap().port(), 6380);
    let typo = larder().env("LARDER_PROT", "8000").errors();
    assert_eq!(typo.len(), 1, "{typo:?}");
}

#[test]
fn a_secret_can_be_read_from_a_file() {
    let token = larder().env_file("LARDER_HTTP_TOKEN_FILE", "s3cret\r\n").config();
    assert_eq!(token.http.token.unwrap().reveal(), "s3cret");
    for name in ["LARDER_STORE_FILE", "REDIS_URL_FILE"] {
        let config = larder().env_file(name, "redis://:pw@cache\n").config();
        assert_eq!(redis(&config).password.as_ref().unwrap().reveal(), "pw");
    }
    // Other settings cannot.
    assert_eq!(larder().env("LARDER_HTTP_PORT_FILE", "/x").errors().len(), 1);
}

#[test]
fn a_secret_is_never_printed() {
    let secret = "hunter2";
    let valid =
        || larder().env("REDIS_URL", "redis://app:hunter2@cache").env("LARDER_HTTP_TOKEN", secret);
    let config = valid().config();
    assert_eq!(config.http.token.as_ref().unwrap().reveal(), secret);
    assert!(!format!("{config:?} {config:#?}").contains(secret));
    let output = valid().args("check-config").output_lines().join("\n");
    assert!(!output.contains(secret), "{output}");
    assert!(output.contains("store redis://app:***@cache:6379/0 env REDIS_URL"), "{output}");
    assert!(output.contains("http-token *** env LARDER_HTTP_TOKEN"), "{output}");

    let invalid = [
        larder().args("--store redis://:hunter2@cache:port"),
        larder().args("--store hunter2"),
        larder().args("--http-token=hunter2é"),
        larder().env("REDIS_URL", "redis://u:1/hunter2@cache"),
        larder().env("REDIS_HOST", "u:hunter2@cache"),
        larder().config_text("[http]\ntoken = 'hunter2 '"),
        larder().config_text("[http]\ntoken = hunter2"),
        larder().config_text("[store]\nurl = \"redis://:hunter2@"),
        larder().env_file("LARDER_HTTP_TOKEN_FILE", "hunter2\nx"),
    ];
    for invocation in invalid {
        let report = invocation.errors().join("\n");
        assert!(!report.contains(secret), "{report}");
        assert!(!format!("{:?}", invocation.parse()).contains(secret));
    }
}

#[test]
fn check_config_lists_origins_and_notices() {
    let file = "[[origin]]\nname='u'\nkind='json'\nfile='u.json'\nkey='u:{id}'\npath='/u/{id}'";
    let lines =
        larder().with_file("u.json", "{}").config_text(file).args("check-config").output_lines();
    let [.., origin, notice] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        origin,
        "origin u json u.json, key u:{id}, path /u/{id}, ttl 5m, negative-ttl 30s larder.toml:1"
    );
    assert!(notice.starts_with("notice: no store is set"), "{notice}");
}

#[test]
fn check_config_exits_with_the_code_of_the_server() {
    let code = |invocation: Invocation| invocation.parse().unwrap_err().code();
    assert_eq!(code(larder().args("check-config")), 0);
    assert_eq!(code(larder().args("check-config --http-port x")), 78);
    assert_eq!(code(larder().args("--http-port x")), 78);
    assert_eq!(code(larder().args("--htp-port 1")), 2);
    assert_eq!(code(larder().args("serv")), 2);
    assert_eq!(code(larder().args("--version")), 0);
}

#[test]
fn check_config_checks_the_files_of_origins() {
    let file = "[[origin]]\nname='u'\nkind='json'\nfile='u.json'\nkey='u:{id}'\npath='/u/{id}'";
    for (rows, reason) in [
        ("{ broken", "u.json: not a JSON object of rows by id"),
        ("\u{feff}{}", "u.json: not a JSON object of rows by id"),
        ("{\"7\": 1}", "u.json: the row with id \"7\" is a number, not an object"),
    ] {
        let invocation = larder().with_file("u.json", rows).config_text(file).args("check-config");
        let output = invocation.parse().unwrap_err();
        assert_eq!(output.code(), 78);
        let Output::InvalidOrigins(text) = output else { panic!("{output:?}") };
        assert!(text.starts_with("larder: origin u: ") && text.contains(reason), "{text}");
    }
}

#[test]
fn the_help_lists_each_setting_with_its_variable_and_default() {
    let Err(Output::Usage(help)) = larder().args("--help").parse() else { panic!("no help") };
    let help = help.to_string();
    for text in [
        "--store <URL|memory>",
        "default memory; LARDER_STORE (or ..._FILE)]",
        "[default 1s; 50ms to 1m; LARDER_STALENESS_BOUND]",
        "Near cache:",
        "negative-ttl = \"30s\"",
        "path = \"/users/{id}\"",
        "Exit codes:",
    ] {
        assert!(help.contains(text), "{text} is not in {help}");
    }
}

#[test]
fn rust_log_and_no_color_configure_the_logs() {
    let logs = |name: &str, value: &str| larder().env(name, value).config().logs;
    assert_eq!(logs("RUST_LOG", "larder_server=debug").filter, "larder_server=debug");
    assert!(logs("NO_COLOR", "").color);
    assert!(!logs("NO_COLOR", "1").color);
    let invalid = larder().env("RUST_LOG", "a=b=c").config();
    assert_eq!(invalid.logs.filter, "info");
    assert!(invalid.notices.iter().any(|notice| notice.starts_with("RUST_LOG is ignored")));
}

/// Generates almost valid files: known and unknown keys with values of every kind.
fn toml_like() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "maxmemory",
        "near",
        "near.ttl",
        "http.port",
        "store.url",
        "origin",
        "[near]",
        "[[origin]]",
        "[http]",
        "name",
        "key",
        "path",
        "ttl",
        "file",
        "http.allowed-hosts",
        "x y",
        "'é'",
    ]);
    let value = prop::sample::select(vec![
        "",
        "=",
        "= 1",
        "= -1",
        "= 1e400",
        "= 99999999999999999999",
        "= 'x'",
        "= '{id}'",
        "= [",
        "= [[1], 'a']",
        "= {a = {}}",
        "= true",
        "= 1979-05-27",
        "= \"\\u00e9\"",
        "= '''",
        "= '/{id}'",
    ]);
    prop::collection::vec((key, value).prop_map(|(key, value)| format!("{key} {value}")), 0..8)
        .prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    /// No text may make the parser panic. Every invalid file must produce at least one error.
    #[test]
    fn every_file_is_valid_or_reported(text in prop_oneof![any::<String>(), toml_like()]) {
        let invocation = larder().config_text(&text);
        if let Err(output) = invocation.parse() {
            prop_assert_eq!(output.code(), 78);
            prop_assert!(!invocation.errors().is_empty());
        }
    }

    #[test]
    fn every_value_of_a_setting_is_valid_or_reported(
        flag in prop::sample::select(vec![
            "config", "store", "near-ttl", "near-deny", "near-verify", "url", "maxmemory", "near-policy", "http-bind", "http-port",
            "http-token", "http-allowed-hosts", "maxclients", "protected-mode",
        ]),
        text in any::<String>(),
    ) {
        if let Err(output) = larder().args(&format!("--{flag}={text}")).parse() {
            prop_assert!([2, 78].contains(&output.code()));
        }
    }
}
