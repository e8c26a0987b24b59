//! Checks the documentation against the program: the README's tour runs as written, the tables of
//! settings match `larder check-config`, and every file and command that is named exists.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic or print that it is skipped; its timeouts are in real time"
)]

#[path = "readme/comparison.rs"]
mod comparison;
#[path = "readme/tour.rs"]
mod tour;

use larder_testkit::{Larder, LarderBuilder, RedisServer, eventually, http, require_redis};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_larder");
/// Maximum time to wait for a condition.
const LIMIT: Duration = Duration::from_secs(20);

const DOCUMENTS: [&str; 13] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/settings.md",
    "docs/benchmarking.md",
    "docs/benchmarks.md",
    "docs/coherence.md",
    "docs/differences-from-redis.md",
    "docs/library.md",
    "docs/metrics.md",
    "examples/README.md",
];

#[test]
fn the_documented_defaults_are_those_of_the_program() {
    let effective = effective_settings(Larder::builder(PROGRAM));
    let rows = rows(&document("docs/settings.md"));
    let documented: Vec<_> = rows.iter().map(|row| (flag(row), code(&row[2]))).collect();
    let defaults: Vec<_> = effective.iter().map(|(name, [value, _])| (&**name, &**value)).collect();
    assert_eq!(sorted(documented), sorted(defaults), "docs/settings.md");

    for row in self::rows(&document("README.md")) {
        assert_eq!(effective[flag(&row)][0], code(&row[1]), "README.md, --{}", flag(&row));
    }
}

#[test]
fn the_documented_keys_of_the_configuration_file_work() {
    let rows = rows(&document("docs/settings.md"));
    let mut file: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let settable = || rows.iter().filter(|row| !row[1].is_empty() && code(&row[2]) != "none");
    for row in settable() {
        let (section, key) = code(&row[1]).rsplit_once(' ').unwrap_or(("", code(&row[1])));
        file.entry(section).or_default().push(format!("{key} = {:?}", code(&row[2])));
    }
    let sections = file.iter().map(|(section, keys)| format!("{section}\n{}", keys.join("\n")));
    let toml = sections.collect::<Vec<_>>().join("\n");
    let effective = effective_settings(Larder::builder(PROGRAM).config_text(toml));
    for row in settable() {
        let source = &effective[flag(row)][1];
        assert!(source.contains("larder.toml:"), "--{}: the value comes from {source}", flag(row));
    }
}

#[test]
fn the_documented_redis_user_has_all_needed_permissions() {
    if !require_redis() {
        return;
    }
    let text = document("SECURITY.md");
    let rules = text.lines().find_map(|line| line.strip_prefix("ACL SETUSER ")).unwrap();
    let redis = RedisServer::builder().user_acl(rules).start();
    let config = root().join("examples/larder.toml").display().to_string();
    let larder = Larder::builder(PROGRAM)
        .resp()
        .args(&["--config", &config])
        .env("REDIS_URL", redis.url_for("larder", "secret") + "/1")
        .start();
    eventually(LIMIT, "Larder to be coherent", || {
        http::get(&larder.url("/readyz"), &[]).text().contains("\"ok\"")
    });

    let status = |path: &str| http::get(&larder.url(path), &[]).cache_status().to_owned();
    assert_eq!(status("/users/123"), "larder; fwd=uri-miss; stored");
    assert!(status("/users/123").starts_with("larder; hit"));
    assert_eq!(http::put(&larder.url("/v1/keys/k"), &[], "v").status, 204);
    let no_cache = [("cache-control", "no-cache")];
    assert_eq!(http::get(&larder.url("/v1/keys/k"), &no_cache).text(), "v");
    assert_eq!(http::delete(&larder.url("/v1/keys/k"), &[]).status, 204);
    redis.cmd(&["ACL", "SETUSER", "trusted", "on", ">word", "~*", "+@all"]);
    let mut client = TcpStream::connect(("127.0.0.1", larder.resp_port())).unwrap();
    client.write_all(b"GET users:123\r\nSET k v\r\nAUTH trusted word\r\n").unwrap();
    eventually(LIMIT, "a hit for the trusted user", || {
        client.write_all(b"GET users:123\r\n").unwrap();
        http::get(&larder.url("/v1/stats"), &[]).json()["resp"]["requests"]["hit"] != 0
    });
    let denied = redis.cmd(&["ACL", "LOG"]);
    assert_eq!(format!("{denied:?}"), "array([])", "Redis denied a command");
}

#[test]
fn every_file_and_command_that_is_named_exists() {
    let commands = recipe("help");
    assert!(!commands.is_empty());
    for name in DOCUMENTS {
        let text = document(name);
        let folder = root().join(name).parent().unwrap().to_owned();
        for link in between(&text, "](", ")").filter(|link| !link.starts_with("http")) {
            let path = link.split('#').next().unwrap();
            assert!(folder.join(path).exists(), "{name} links to {link}");
        }
        for quoted in between(&text, "`", "`") {
            if let Some(path) = path_in_the_repository(quoted) {
                assert!(path.exists(), "{name} names {quoted}");
            }
            if let Some(target) = quoted.strip_prefix("make ") {
                recipe(target.split(' ').next().unwrap());
            }
        }
    }
}

/// Returns each setting's value and source as `larder check-config` prints them.
fn effective_settings(larder: LarderBuilder) -> BTreeMap<String, [String; 2]> {
    let shown = larder.arg("check-config").run();
    assert!(shown.status.success(), "{}", shown.stderr);
    let lines = shown.stdout.lines().filter(|line| !line.starts_with("notice:"));
    let columns = lines.map(|line| line.split_whitespace().map(str::to_owned));
    columns
        .map(|mut columns| {
            let mut next = || columns.next().unwrap();
            (next(), [next(), next()])
        })
        .collect()
}

/// Returns the table rows that begin with a flag.
fn rows(markdown: &str) -> Vec<Vec<String>> {
    let rows = markdown.lines().filter(|line| line.starts_with("| `--"));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|it| it.trim().into()).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "the document contains no table of settings");
    rows
}

fn flag(row: &[String]) -> &str {
    code(&row[0]).trim_start_matches("--")
}

fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// Returns the path that a quoted text such as `larder-core/src/near.rs` or `scripts/setup` names,
/// or `None` if the text is not such a path.
fn path_in_the_repository(quoted: &str) -> Option<PathBuf> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| quoted.starts_with(prefix));
    let is_path = quoted.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    match () {
        () if !is_path || !quoted.contains('/') => None,
        () if starts(&["larder-"]) => Some(root().join("crates").join(quoted)),
        () if starts(&["scripts/", "examples/", "mutations", "docs/", "fuzz/", ".ci/"]) => {
            Some(root().join(quoted))
        }
        () => None,
    }
}

/// Returns the texts between two marks on the same line, outside of code blocks.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let outside = text.split("```").step_by(2).flat_map(str::lines);
    outside.flat_map(move |line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            let (found, after) = rest.split_once(open)?.1.split_once(close)?;
            rest = after;
            Some(found)
        })
    })
}

/// Returns the commands that `make` would run for a target.
fn recipe(target: &str) -> String {
    let mut make = Command::new("make");
    // This test may itself run under `make`.
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
    let output = make.args(["--dry-run", target]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "make {target}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
