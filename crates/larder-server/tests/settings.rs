//! Settings from the command line, the environment and the file, seen from outside.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds something missing has failed"
)]

#[path = "settings/mistakes.rs"]
mod mistakes;
#[path = "settings/origins.rs"]
mod origins;
#[path = "settings/tls.rs"]
mod tls;
#[path = "settings/typed.rs"]
mod typed;

use std::time::Duration;

use larder_core::near::Policy;
use larder_redis::Endpoint;
use larder_server::cli::Output;
use larder_server::config::{Config, StoreKind};
use larder_testkit::{Authority, Signed};
use proptest::prelude::*;
use typed::{Typed, larder};

#[test]
fn with_nothing_typed_the_defaults_hold() {
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
    assert_eq!(config.drain_timeout, Duration::from_secs(10));
    assert_eq!(config.logs.filter, "info");
    assert!(config.origins.is_empty());
    assert!(config.notices[0].starts_with("no store is set"), "{:?}", config.notices);
}

#[test]
fn plain_names_are_those_of_the_resp_listener() {
    let typed =
        larder().file("[resp]\ntimeout = 300\nunixsocket = '/tmp/l.sock'").args("--port 7000");
    let config = typed.args("--io-threads 3 --requirepass secret").config();
    assert_eq!(config.resp.address, "127.0.0.1:7000".parse().ok());
    assert!(config.resp.address_is_explicit);
    assert_eq!(config.resp.unixsocket, Some("/tmp/l.sock".into()));
    assert_eq!(config.resp.timeout, Duration::from_mins(5));
    assert_eq!(config.resp.workers, 3);
    assert!(config.resp.requirepass.is_some_and(|secret| secret.matches(b"secret")));
    assert_eq!(larder().args("--port 0").config().resp.address, None);
    assert_eq!(
        larder().variable("LARDER_PORT", "7001").config().resp.address.unwrap().port(),
        7001
    );
}

#[test]
fn each_layer_stands_above_the_next() {
    let file = || larder().file("[http]\nport = 1");
    let variable = || file().variable("LARDER_HTTP_PORT", "2");
    let port = |typed: Typed| typed.config().http.address.unwrap().port();
    assert_eq!(port(larder()), 8000);
    assert_eq!(port(file()), 1);
    assert_eq!(port(variable()), 2);
    assert_eq!(port(variable().args("--http-port 3")), 3);
    assert_eq!(port(variable().args("serve --http-port 4")), 4);
}

#[test]
fn every_setting_comes_from_every_layer() {
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
        comes_from_every_layer(flag, text, key, "");
    }
    // `config`, `url`, the rows above and the four below are all there are.
    let shown = larder().args("check-config --store memory").shown();
    assert_eq!(shown.len(), 2 + table.len() + 4);
}

#[test]
fn settings_that_need_others_come_from_every_layer_too() {
    let authority = Authority::new();
    let ca = authority.file().display().to_string();
    let Signed { certificate, key } = authority.sign(&["localhost"]);
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let listener = format!("--tls-cert-file {certificate} --tls-key-file {key}");
    comes_from_every_layer("tls-port", "7", "resp.tls-port", &listener);
    let store = format!("--store rediss://h --store-ca-file {ca}");
    comes_from_every_layer("store-ca-file", &ca, "store.ca-file", "--store rediss://h");
    let with_key = format!("{store} --store-key-file {key}");
    comes_from_every_layer("store-cert-file", &certificate, "store.cert-file", &with_key);
    let with_certificate = format!("{store} --store-cert-file {certificate}");
    comes_from_every_layer("store-key-file", &key, "store.key-file", &with_certificate);
}

/// `others` are flags without which the setting would be wrong.
fn comes_from_every_layer(flag: &str, text: &str, key: &str, others: &str) {
    let variable = format!("LARDER_{}", flag.replace('-', "_").to_uppercase());
    let layers = [
        (larder().args(&format!("--{flag} {text}")), format!("flag --{flag}")),
        (larder().variable(&variable, text), format!("env {variable}")),
        (larder().file(&format!("\n{key} = '{text}'")), "larder.toml:2".to_owned()),
    ];
    for (typed, source) in layers {
        let value = if ["http-token", "requirepass"].contains(&flag) { "***" } else { text };
        let expected = format!("{flag} {value} {source}");
        let shown = typed.args(others).args("check-config").shown();
        assert!(shown.contains(&expected), "{expected} not in {shown:#?}");
    }
}

#[test]
fn toml_has_its_own_types() {
    let config = larder()
        .file(
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
fn an_empty_list_takes_back_that_of_a_weaker_layer() {
    let typed = larder().file("http.allowed-hosts = ['a']").args("--http-allowed-hosts=");
    assert_eq!(typed.config().http.allowed_hosts, [""; 0]);
    assert_eq!(larder().file("http.allowed-hosts = []").config().http.allowed_hosts, [""; 0]);
    assert_eq!(larder().args("--http-allowed-hosts a,,b").mistakes().len(), 1);
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let typed = larder().variable("LARDER_HTTP_PORT", "").variable("REDIS_URL", "");
    let config = typed.variable("REDIS_PASSWORD", "").variable("REDIS_HOST", "").config();
    assert_eq!(config.http.address.unwrap().port(), 8000);
    assert_eq!(config.store.kind, StoreKind::Memory);
}

/// The store as `check-config` shows it.
fn store(typed: Typed) -> String {
    typed.args("check-config").shown().swap_remove(1)
}

#[test]
fn the_store_is_named_in_many_ways_and_one_wins() {
    let file = || larder().file("[store]\nurl = 'redis://file'");
    let host = || file().variable("REDIS_HOST", "host").variable("REDIS_DB", "3");
    let url = || host().variable("REDIS_URL", "redis://url");
    let larder_store = || url().variable("LARDER_STORE", "redis://larder");
    assert_eq!(store(file()), "store redis://file:6379/0 larder.toml:2");
    assert_eq!(store(host()), "store redis://host:6379/3 env REDIS_HOST");
    assert_eq!(store(url()), "store redis://url:6379/0 env REDIS_URL");
    assert_eq!(store(larder_store()), "store redis://larder:6379/0 env LARDER_STORE");
    assert_eq!(store(larder_store().args("--store memory")), "store memory flag --store");

    let warning = "REDIS_URL is set, so REDIS_HOST, REDIS_DB are ignored";
    assert_eq!(url().config().notices, [warning]);
    assert_eq!(larder_store().config().notices, [""; 0]);
    // What others wrote for themselves is no mistake of ours while it decides nothing.
    larder().args("--store memory").variable("REDIS_URL", "http://x").config();
}

fn redis(config: &Config) -> &larder_redis::RedisUrl {
    match &config.store.kind {
        StoreKind::Redis(url) => url,
        StoreKind::Memory => panic!("no Redis"),
    }
}

#[test]
fn redis_as_kubernetes_tells_it() {
    let linked = || larder().variable("REDIS_PORT", "tcp://10.0.0.1:6380");
    assert_eq!(store(linked()), "store redis://10.0.0.1:6380/0 env REDIS_PORT");
    let named = linked().variable("REDIS_HOST", "redis");
    assert_eq!(store(named), "store redis://redis:6380/0 env REDIS_HOST");
    let v6 = larder().variable("REDIS_PORT", "tcp://[fd00::1]:6379").config();
    assert_eq!(redis(&v6).endpoint, Endpoint::Tcp { host: "fd00::1".into(), port: 6379 });
    let bare_v6 = larder().variable("REDIS_HOST", "fd00::1").config();
    assert_eq!(redis(&bare_v6).endpoint, Endpoint::Tcp { host: "fd00::1".into(), port: 6379 });
    let port = larder().variable("REDIS_PORT", "7000");
    assert_eq!(store(port), "store redis://127.0.0.1:7000/0 env REDIS_PORT");
}

#[test]
fn the_parts_of_a_redis_address_are_taken_literally() {
    let config = larder()
        .variable("REDIS_HOST", "cache")
        .variable("REDIS_USERNAME", "app@home")
        .variable_to_file("REDIS_PASSWORD_FILE", "p:a/s#s%20\n")
        .config();
    let url = redis(&config);
    assert_eq!(url.username.as_deref(), Some("app@home"));
    assert_eq!(url.password.as_ref().unwrap().reveal(), "p:a/s#s%20");
}

#[test]
fn what_kubernetes_makes_for_a_service_of_our_name_is_no_setting() {
    let typed = larder()
        .variable("LARDER_PORT", "tcp://10.0.0.2:8000")
        .variable("LARDER_PORT_8000_TCP", "tcp://10.0.0.2:8000")
        .variable("LARDER_PORT_8000_TCP_ADDR", "10.0.0.2")
        .variable("LARDER_PORT_8000_TCP_PORT", "8000")
        .variable("LARDER_PORT_8000_TCP_PROTO", "tcp")
        .variable("LARDER_SERVICE_HOST", "10.0.0.2")
        .variable("LARDER_SERVICE_PORT", "8000")
        .variable("LARDER_SERVICE_PORT_WEB", "8000")
        .variable("LARDER_HTTP_PORT", "tcp://10.0.0.3:80");
    let config = typed.config();
    assert_eq!(config.http.address.unwrap().port(), 8000);
    assert!(config.notices.iter().any(|n| n.starts_with("LARDER_HTTP_PORT is ignored")));
    assert_eq!(config.resp.address.unwrap().port(), 6380);
    let typo = larder().variable("LARDER_PROT", "8000").mistakes();
    assert_eq!(typo.len(), 1, "{typo:?}");
}

#[test]
fn secrets_come_from_files_too() {
    let token = larder().variable_to_file("LARDER_HTTP_TOKEN_FILE", "s3cret\r\n").config();
    assert_eq!(token.http.token.unwrap().reveal(), "s3cret");
    for name in ["LARDER_STORE_FILE", "REDIS_URL_FILE"] {
        let config = larder().variable_to_file(name, "redis://:pw@cache\n").config();
        assert_eq!(redis(&config).password.as_ref().unwrap().reveal(), "pw");
    }
    // Only secrets do.
    assert_eq!(larder().variable("LARDER_HTTP_PORT_FILE", "/x").mistakes().len(), 1);
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "hunter2";
    let right = || {
        larder()
            .variable("REDIS_URL", "redis://app:hunter2@cache")
            .variable("LARDER_HTTP_TOKEN", secret)
    };
    let config = right().config();
    assert_eq!(config.http.token.as_ref().unwrap().reveal(), secret);
    assert!(!format!("{config:?} {config:#?}").contains(secret));
    let shown = right().args("check-config").shown().join("\n");
    assert!(!shown.contains(secret), "{shown}");
    assert!(shown.contains("store redis://app:***@cache:6379/0 env REDIS_URL"), "{shown}");
    assert!(shown.contains("http-token *** env LARDER_HTTP_TOKEN"), "{shown}");

    let wrong = [
        larder().args("--store redis://:hunter2@cache:port"),
        larder().args("--store hunter2"),
        larder().args("--http-token=hunter2é"),
        larder().variable("REDIS_URL", "redis://u:1/hunter2@cache"),
        larder().variable("REDIS_HOST", "u:hunter2@cache"),
        larder().file("[http]\ntoken = 'hunter2 '"),
        larder().file("[http]\ntoken = hunter2"),
        larder().file("[store]\nurl = \"redis://:hunter2@"),
        larder().variable_to_file("LARDER_HTTP_TOKEN_FILE", "hunter2\nx"),
    ];
    for typed in wrong {
        let report = typed.mistakes().join("\n");
        assert!(!report.contains(secret), "{report}");
        assert!(!format!("{:?}", typed.parse()).contains(secret));
    }
}

#[test]
fn check_config_says_where_origins_are_and_what_will_be_said() {
    let file = "[[origin]]\nname='u'\nkind='json'\nfile='u.json'\nkey='u:{id}'\npath='/u/{id}'";
    let shown = larder().with("u.json", "{}").file(file).args("check-config").shown();
    let [.., origin, notice] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(
        origin,
        "origin u json u.json, key u:{id}, path /u/{id}, ttl 5m, negative-ttl 30s larder.toml:1"
    );
    assert!(notice.starts_with("notice: no store is set"), "{notice}");
}

#[test]
fn check_config_ends_as_the_server_would() {
    let code = |typed: Typed| typed.parse().unwrap_err().code();
    assert_eq!(code(larder().args("check-config")), 0);
    assert_eq!(code(larder().args("check-config --http-port x")), 78);
    assert_eq!(code(larder().args("--http-port x")), 78);
    assert_eq!(code(larder().args("--htp-port 1")), 2);
    assert_eq!(code(larder().args("serv")), 2);
    assert_eq!(code(larder().args("--version")), 0);
}

#[test]
fn check_config_reads_the_files_of_origins() {
    let file = "[[origin]]\nname='u'\nkind='json'\nfile='u.json'\nkey='u:{id}'\npath='/u/{id}'";
    for (rows, reason) in [
        ("{ broken", "u.json: not a JSON object of rows by id"),
        ("\u{feff}{}", "u.json: not a JSON object of rows by id"),
        ("{\"7\": 1}", "u.json: the row with id \"7\" is a number, not an object"),
    ] {
        let typed = larder().with("u.json", rows).file(file).args("check-config");
        let reply = typed.parse().unwrap_err();
        assert_eq!(reply.code(), 78);
        let Output::InvalidOrigins(text) = reply else { panic!("{reply:?}") };
        assert!(text.starts_with("larder: origin u: ") && text.contains(reason), "{text}");
    }
}

#[test]
fn the_help_names_every_setting_its_variable_and_its_default() {
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
        assert!(help.contains(text), "{text} not in {help}");
    }
}

#[test]
fn logs_follow_the_usual_variables() {
    let logs = |name: &str, value: &str| larder().variable(name, value).config().logs;
    assert_eq!(logs("RUST_LOG", "larder_server=debug").filter, "larder_server=debug");
    assert!(logs("NO_COLOR", "").color);
    assert!(!logs("NO_COLOR", "1").color);
    let wrong = larder().variable("RUST_LOG", "a=b=c").config();
    assert_eq!(wrong.logs.filter, "info");
    assert!(wrong.notices.iter().any(|notice| notice.starts_with("RUST_LOG is ignored")));
}

/// Lines that are nearly right: known and unknown keys with values of every kind.
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

    /// No text makes it panic: every file is a configuration or a list of errors.
    #[test]
    fn any_file_is_a_configuration_or_errors(text in prop_oneof![any::<String>(), toml_like()]) {
        let typed = larder().file(&text);
        if let Err(reply) = typed.parse() {
            prop_assert_eq!(reply.code(), 78);
            prop_assert!(!typed.mistakes().is_empty());
        }
    }

    #[test]
    fn any_value_of_a_setting_is_taken_or_refused(
        flag in prop::sample::select(vec![
            "config", "store", "near-ttl", "near-deny", "near-verify", "url", "maxmemory", "near-policy", "http-bind", "http-port",
            "http-token", "http-allowed-hosts", "maxclients", "protected-mode",
        ]),
        text in any::<String>(),
    ) {
        if let Err(reply) = larder().args(&format!("--{flag}={text}")).parse() {
            prop_assert!([2, 78].contains(&reply.code()));
        }
    }
}
