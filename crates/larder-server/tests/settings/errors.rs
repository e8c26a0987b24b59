//! The exact text of each configuration error.

use crate::invocation::larder;

#[test]
fn an_invalid_value_is_reported_with_the_expected_kind() {
    let table = [
        ("--http-port abc", "\"abc\" is not a port: write a number from 0 to 65535"),
        ("--http-port 65536", "\"65536\" is not a port: write a number from 0 to 65535"),
        (
            "--maxmemory 1tb",
            "\"1tb\" is not a size: write for example 256mb, 64kb or a number of bytes",
        ),
        (
            "--near-ttl 1w",
            "\"1w\" is not a duration: write for example 1500ms, 5m, 24h, 2d or a number of seconds",
        ),
        ("--maxclients many", "\"many\" is not a whole number: write for example 1024"),
        ("--protected-mode maybe", "\"maybe\" is neither yes nor no"),
        (
            "--http-bind localhost",
            "\"localhost\" is not an IP address: write for example 127.0.0.1, or 0.0.0.0 for every \
             IPv4 address of this machine",
        ),
        (
            "--http-allowed-hosts cache.example,http://x",
            "\"http://x\" is not a host name: write names without scheme, port or path, with commas \
             between them",
        ),
        ("--near-policy lfu", "\"lfu\" is not a policy: write clock-pro or lru"),
        ("--near-deny a,,b", "\"a,,b\" contains an empty prefix, which matches every key"),
        ("--near-verify 0.1", "\"0.1\" is not a percentage: write for example 0.1%"),
        ("--near-verify 101%", "\"101%\" is not a percentage: write for example 0.1%"),
        (
            "--url localhost:8000",
            "\"localhost:8000\" is not an http:// URL: write for example http://127.0.0.1:8000",
        ),
        ("--http-token=", "the token is empty"),
        ("--http-token=sécret", "the token has characters other than visible ASCII"),
        ("--config=", "the path is empty"),
    ];
    for (args, text) in table {
        let flag = args.split([' ', '=']).next().unwrap();
        assert_eq!(larder().args(args).errors(), [format!("{flag}: {text}")]);
    }
}

#[test]
fn a_value_out_of_range_is_reported_with_the_limit() {
    let table = [
        ("--staleness-bound 49ms", "49ms is too small: the minimum is 50ms"),
        ("--staleness-bound 61s", "61s is too large: the maximum is 1m"),
        ("--maxmemory 1023kb", "1023kb is too small: the minimum is 1mb"),
        ("--http-max-body 513mb", "513mb is too large: the maximum is 512mb"),
        ("--http-concurrency 0", "0 is too small: the minimum is 1"),
        ("--near-ttl 0", "0 is too small: the minimum is 1ms"),
    ];
    for (args, text) in table {
        let flag = args.split(' ').next().unwrap();
        assert_eq!(larder().args(args).errors(), [format!("{flag}: {text}")]);
    }
    larder().args("--staleness-bound 50ms --http-max-body 512mb").config();
    larder().args("--staleness-bound 60s --near-max-value 128kb --maxmemory 1mb").config();
}

#[test]
fn an_unknown_store_is_reported() {
    let table = [
        ("embedded:/var/x", "the durable embedded store is not available yet: write memory"),
        (
            "mysql://h",
            "a store is memory or a URL that starts with redis://, rediss://, valkey://, valkeys://",
        ),
        ("redis://h:port", "the URL's port is not a number from 1 to 65535"),
    ];
    for (url, text) in table {
        for (invocation, name) in [
            (larder().args("--store").args(url), "--store"),
            (larder().env("LARDER_STORE", url), "LARDER_STORE"),
            (larder().config_text(&format!("store.url = '{url}'")), "larder.toml:1: [store] url"),
        ] {
            let errors = invocation.errors();
            assert_eq!(errors.len(), 1);
            assert!(errors[0].starts_with(&format!("{name}: {text}")), "{errors:?}");
        }
    }
}

#[test]
fn an_unknown_name_is_reported_with_the_nearest_known_one() {
    let file = "
maxmemry = 1
http-port = 80
port = 80
[near]
maxentries = 5
colour = 'red'
[htttp]
port = 80
[store]
[elsewhere]
['']
maxclients = 1
";
    let invocation = larder().config_text(file).env("LARDER_HTP_PORT", "80").env("LARDER_X", "1");
    assert_eq!(
        invocation.errors(),
        [
            "LARDER_HTP_PORT: unknown setting; did you mean LARDER_HTTP_PORT?",
            "LARDER_X: unknown setting",
            "larder.toml:2: maxmemry: unknown setting; did you mean maxmemory?",
            "larder.toml:3: http-port: unknown setting; did you mean [http] port?",
            "larder.toml:4: port: unknown setting; did you mean [resp] port?",
            "larder.toml:6: [near] maxentries: unknown setting; did you mean max-entries?",
            "larder.toml:7: [near] colour: unknown setting",
            "larder.toml:8: unknown section [htttp]; did you mean [http]?",
            "larder.toml:11: unknown section [elsewhere]",
            "larder.toml:12: unknown section []",
        ]
    );
}

#[test]
fn a_suggestion_names_the_section_of_the_key() {
    let table = [
        (
            "[http]\nmaxmemory = 1",
            "larder.toml:2: [http] maxmemory: unknown setting; did you mean maxmemory, above the \
             first [section]?",
        ),
        ("http_port = 1", "larder.toml:1: http_port: unknown setting; did you mean [http] port?"),
        ("redis_url = 'x'", "larder.toml:1: redis_url: unknown setting; did you mean [store] url?"),
        (
            "[near]\nmax_entries = 1",
            "larder.toml:2: [near] max_entries: unknown setting; did you mean max-entries?",
        ),
        (
            "[[origins]]\nname = 'u'",
            "larder.toml:1: unknown section [[origins]]; did you mean [[origin]]?",
        ),
    ];
    for (file, error) in table {
        assert_eq!(larder().config_text(file).errors(), [error]);
    }
}

#[test]
fn two_listeners_on_one_port_are_reported() {
    let same = |http: &str, resp: &str| {
        format!(
            "http-port ({http}) and port ({resp}) are the same: choose another port for one of \
             them, or set it to 0 to turn that listener off"
        )
    };
    let flags = same("24020, --http-port", "24020, --port");
    for args in [
        "--http-port 24020 --port 24020",
        "--http-port 24020 --port 24020 --bind ::ffff:127.0.0.1",
        "--http-port 24020 --port 24020 --http-bind :: --http-token t",
        "--http-port 24020 --port 24020 --bind 0.0.0.0 --requirepass p",
    ] {
        assert_eq!(larder().args(args).errors(), [format!("--port: {flags}")], "{args}");
    }
    let resp = larder().args("--port 8000").errors();
    assert_eq!(resp, [format!("--port: {}", same("8000, default", "8000, --port"))]);
    let http = larder().args("--http-port 6380").errors();
    assert_eq!(http, [format!("--http-port: {}", same("6380, --http-port", "6380, default"))]);
    for args in [
        "--http-port 24020 --port 24020 --bind ::1",
        "--http-port 24020 --port 24020 --bind 127.0.0.2",
        "--http-port 24020 --port 24020 --bind 0.0.0.0 --requirepass p --http-bind ::1",
        "--http-port 0 --port 0 --unixsocket /tmp/l.sock",
    ] {
        larder().args(args).config();
    }
}

#[test]
fn a_command_to_a_running_server_ignores_its_own_listeners() {
    for command in ["stats", "passthrough"] {
        // The server itself was started with another --port.
        let output = larder().args(command).args("--http-port 6380 --url http://127.0.0.1:1");
        let output = output.parse().unwrap_err();
        assert!(matches!(output, larder_server::cli::Output::Failed(_)), "{output:?}");
    }
}

#[test]
fn a_password_may_have_characters_that_a_token_may_not() {
    assert_eq!(larder().args("--requirepass=").errors(), ["--requirepass: the password is empty"]);
    let config = larder().args("--requirepass=pässword").config();
    assert!(config.resp.requirepass.is_some_and(|secret| secret.matches("pässword".as_bytes())));
}

#[test]
fn a_wrong_toml_type_is_reported_with_the_expected_type() {
    let file = "
staleness-bound = 1.5
maxmemory = true
protected-mode = 1
http = 8000
[near]
policy = 1
[http]
";
    assert_eq!(
        larder().config_text(&file.replace("http = 8000\n", "")).errors(),
        [
            "larder.toml:2: staleness-bound: expected a whole number or a string, found a float",
            "larder.toml:3: maxmemory: expected a whole number or a string, found a boolean",
            "larder.toml:4: protected-mode: expected true, false or a string, found an integer",
            "larder.toml:6: [near] policy: expected a string, found an integer",
        ]
    );
    assert_eq!(
        larder().config_text("http = 8000\nmaxclients = [1]").errors(),
        [
            "larder.toml:1: http is a section: write [http] on a line of its own",
            "larder.toml:2: maxclients: expected a whole number or a string, found an array",
        ]
    );
    assert_eq!(
        larder().config_text("http.allowed-hosts = ['a', 3]").errors(),
        ["larder.toml:1: [http] allowed-hosts: expected a string, found an integer"]
    );
}

#[test]
fn every_broken_line_of_a_file_is_reported_without_follow_up_errors() {
    // The broken lines lose the token. The missing token must not be reported as another error.
    let file = "[http]\nbind = 0.0.0.0\ntoken = hunter2\nport =\n";
    let invocation = larder().config_text(file).env("LARDER_MAXMEMORY", "x");
    let errors = invocation.env("LARDER_HTTP_BIND", "0.0.0.0").errors();
    assert!(errors[0].starts_with("LARDER_MAXMEMORY: "));
    for line in 2..=4 {
        let start = format!("larder.toml:{line}: invalid TOML: ");
        assert!(errors.iter().any(|error| error.starts_with(&start)), "{errors:?}");
    }
    assert!(!errors.concat().contains("http-token"), "{errors:?}");
    assert!(!errors.concat().contains("hunter2"), "{errors:?}");
}

#[test]
fn an_unreadable_file_is_reported() {
    let missing = "No such file or directory (os error 2)";
    assert_eq!(
        larder().args("--config /nowhere/larder.toml").errors(),
        [format!("--config: cannot read /nowhere/larder.toml: {missing}")]
    );
    assert_eq!(
        larder().env("LARDER_HTTP_TOKEN_FILE", "/nowhere/token").errors(),
        [format!("LARDER_HTTP_TOKEN_FILE: cannot read /nowhere/token: {missing}")]
    );
    assert_eq!(
        larder().env_file("REDIS_URL_FILE", &"x".repeat(70_000)).errors(),
        ["REDIS_URL_FILE: cannot read REDIS_URL_FILE: it is larger than 65536 bytes"]
    );
}

#[test]
fn a_secret_given_directly_and_as_a_file_is_reported() {
    for name in ["LARDER_HTTP_TOKEN", "LARDER_STORE", "REDIS_URL", "REDIS_PASSWORD"] {
        let file = format!("{name}_FILE");
        let invocation = larder().env(name, "redis://one").env_file(&file, "redis://two");
        let invocation =
            if name == "REDIS_PASSWORD" { invocation.env("REDIS_HOST", "h") } else { invocation };
        assert_eq!(
            invocation.errors(),
            [format!("{name}: {name}_FILE is also set: keep only one of them")]
        );
    }
}

#[test]
fn an_invalid_part_of_a_redis_address_is_reported() {
    let invocation = larder().env("REDIS_PORT", "tcp://10.0.0.1:x").env("REDIS_DB", "two");
    assert_eq!(
        invocation.errors(),
        [
            "REDIS_DB: \"two\" is not a database number: write for example 0",
            "REDIS_PORT: \"tcp://10.0.0.1:x\" is not a port: write a number from 1 to 65535, or \
             tcp://host:port",
        ]
    );
    assert_eq!(
        larder().env("REDIS_HOST", "redis://cache").errors(),
        ["REDIS_HOST: this is not a host name or an IP address"]
    );
    assert_eq!(
        larder().env("REDIS_PASSWORD", "hunter2").errors(),
        ["REDIS_PASSWORD: neither REDIS_HOST nor REDIS_URL is set"]
    );
    let memory = larder().env("REDIS_URL", "memory").errors();
    assert!(memory[0].starts_with("REDIS_URL: the URL must start with redis://"), "{memory:?}");
}

#[test]
fn a_contradiction_is_reported_with_both_settings() {
    assert_eq!(
        larder().args("--maxmemory 4mb").config_text("[near]\nmax-value = '1mb'").errors(),
        ["larder.toml:2: near-max-value (1mb, larder.toml:2) is more than an eighth of maxmemory \
          (4mb, --maxmemory): set near-max-value to 512kb or less, or maxmemory to 8mb or more"]
    );
    assert_eq!(
        larder().args("--maxmemory 4mb").errors(),
        ["--maxmemory: near-max-value (1mb, default) is more than an eighth of maxmemory (4mb, \
          --maxmemory): set near-max-value to 512kb or less, or maxmemory to 8mb or more"]
    );
    larder().args("--maxmemory 8mb").config();
    assert_eq!(
        larder().args("--http-port 0 --port 0").errors(),
        ["--http-port: every listener is off: set http-port, port, tls-port or unixsocket"]
    );
}

#[test]
fn a_store_that_is_a_listener_of_this_server_is_reported() {
    for args in [
        "--store redis://127.0.0.1:7777 --port 7777",
        "--store redis://localhost:6380",
        "--store redis://[::1]:6380/1",
        "--store redis://10.0.0.1:6380 --bind 10.0.0.1 --requirepass p",
        "--store unix:///tmp/l.sock --unixsocket /tmp/l.sock",
    ] {
        let errors = larder().args(args).errors();
        assert!(
            errors.len() == 1 && errors[0].contains("this Larder listens"),
            "{args}: {errors:?}"
        );
    }
    for args in ["--store redis://127.0.0.1:6379", "--store redis://localhost:6380 --port 0"] {
        larder().args(args).config();
    }
}

#[test]
fn an_exposed_listener_requires_a_secret_or_protected_mode_off() {
    let reason = "is reachable from other machines and http-token is not set, so anyone could read and \
                write all data: set http-token, set http-bind to 127.0.0.1, or set protected-mode to \
                no";
    for address in ["0.0.0.0", "::", "10.0.0.5"] {
        let exposed = larder().args("--http-bind").args(address);
        assert_eq!(exposed.errors(), [format!("--http-bind: http-bind {address} {reason}")]);
    }
    let resp = larder().args("--bind 0.0.0.0").errors();
    assert!(
        resp[0].starts_with("--bind: bind 0.0.0.0 is reachable from other machines"),
        "{resp:?}"
    );
    assert!(resp[0].contains("requirepass is not set"), "{resp:?}");
    larder().args("--bind 0.0.0.0 --requirepass p").config();
    larder().args("--bind 0.0.0.0 --port 0").config();
    larder().args("--http-bind 0.0.0.0 --http-token t").config();
    larder().args("--http-bind ::1").config();
    larder().args("--http-bind ::ffff:127.0.0.1").config();
    let consent = larder().args("--http-bind 0.0.0.0 --protected-mode no").config();
    assert!(consent.notices.iter().any(|notice| notice.starts_with("protected-mode is off")));
}

#[test]
fn an_invalid_value_is_not_also_reported_as_a_contradiction() {
    let token = larder().args("--http-bind 0.0.0.0 --http-token=").errors();
    assert_eq!(token, ["--http-token: the token is empty"]);
    let value = larder().args("--near-max-value 2mb --maxmemory 9x").errors();
    assert_eq!(value.len(), 1, "{value:?}");
}

#[test]
fn an_overridden_invalid_value_is_reported() {
    let invocation = larder().args("--http-port 1").env("LARDER_HTTP_PORT", "x");
    let invocation = invocation.config_text("[http]\nport = -1");
    let sources: Vec<_> = invocation
        .errors()
        .iter()
        .map(|line| line.split(": ").next().unwrap().to_owned())
        .collect();
    assert_eq!(sources, ["LARDER_HTTP_PORT", "larder.toml:2"]);
}

#[test]
fn all_errors_are_reported_at_once() {
    let invocation = larder()
        .args("--maxclients x --http-bind y")
        .env("LARDER_NEAR_TTL", "z")
        .env("LARDER_NOPE", "1")
        .config_text("maxmemory = '1kb'\nnope = 1\n[[origin]]\nname = 'a b'\n");
    let Err(output) = invocation.parse() else { panic!("no errors") };
    assert_eq!(output.code(), 78);
    let sources: Vec<_> = invocation
        .errors()
        .iter()
        .map(|line| line.split(": ").next().unwrap().to_owned())
        .collect();
    let mut expected = vec!["--http-bind", "--maxclients", "LARDER_NEAR_TTL", "LARDER_NOPE"];
    expected.extend(["larder.toml:1", "larder.toml:2"]);
    expected.extend(["larder.toml:3"; 3]);
    expected.push("larder.toml:4");
    assert_eq!(sources, expected);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_reported() {
    use std::os::unix::ffi::OsStringExt;
    let value = std::ffi::OsString::from_vec(vec![0xff]);
    let environment = [("LARDER_MAXMEMORY".to_owned(), value)].into();
    let output = larder_server::cli::parse(["larder".into()], &environment).unwrap_err();
    let larder_server::cli::Output::InvalidConfig(errors) = output else { panic!("{output:?}") };
    assert!(errors.to_string().ends_with("\n  LARDER_MAXMEMORY: its value is not UTF-8"));
}
