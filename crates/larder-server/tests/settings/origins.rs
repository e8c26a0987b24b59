//! The `[[origin]]` tables.

use std::time::Duration;

use larder_server::config::OriginKind;

use crate::typed::larder;

const USERS: &str = "
[[origin]]
name = 'users'
kind = 'json'
file = 'users.json'
key = 'users:{id}'
path = '/users/{id}'
";

#[test]
fn an_origin_with_its_defaults() {
    let typed = larder().with("users.json", "[]").file(USERS);
    let [origin] = typed.config().origins.try_into().unwrap();
    assert_eq!(origin.name, "users");
    assert_eq!(origin.kind, OriginKind::Json { file: typed.folder().join("users.json") });
    assert_eq!(origin.key.key("7"), "users:7");
    assert_eq!(origin.path.as_str(), "/users/{id}");
    assert_eq!(origin.ttl, Duration::from_mins(5));
    assert_eq!(origin.negative_ttl, Duration::from_secs(30));
}

#[test]
fn origins_keep_their_order_and_their_own_times() {
    let pages = USERS.replace("users", "a-pages").replace("a-pages.json", "users.json");
    let file = format!("{USERS}ttl = '1h'\n{pages}ttl = 90\nnegative-ttl = '1500ms'\n");
    let config = larder().with("users.json", "[]").file(&file).config();
    let times: Vec<_> =
        config.origins.iter().map(|o| (o.name.as_str(), o.ttl, o.negative_ttl)).collect();
    let secs = Duration::from_secs;
    assert_eq!(
        times,
        [("users", secs(3600), secs(30)), ("a-pages", secs(90), Duration::from_millis(1500))]
    );
}

#[test]
fn every_field_is_checked() {
    let table = [
        ("name = 'users'", "", "larder.toml:2: [[origin]]: name is missing"),
        (
            "name = 'users'",
            "name = 'u s'",
            "larder.toml:3: [[origin]] name: \"u s\" is not a name: use letters, digits, - and _",
        ),
        (
            "kind = 'json'",
            "kind = 'sql'",
            "larder.toml:4: [[origin]] kind: \"sql\" is not a kind of origin: write json",
        ),
        (
            "file = 'users.json'",
            "file = 'nope.json'",
            "larder.toml:5: [[origin]] file: cannot read nope.json: No such file or directory (os \
             error 2)",
        ),
        (
            "file = 'users.json'",
            "file = 3",
            "larder.toml:5: [[origin]] file: expected a string, found an integer",
        ),
        (
            "users:{id}",
            "users",
            "larder.toml:6: [[origin]] key: \"users\" must contain {id} exactly once: write for example users:{id}",
        ),
        (
            "users:{id}",
            "{id}:{id}",
            "larder.toml:6: [[origin]] key: \"{id}:{id}\" must contain {id} exactly once: write for example \
             users:{id}",
        ),
        (
            "path = ",
            "ttl = '-1'\npath = ",
            "larder.toml:7: [[origin]] ttl: \"-1\" is not a duration: write for example 1500ms, 5m, \
             24h, 2d or a number of seconds",
        ),
        (
            "path = ",
            "negativ-ttl = 1\npath = ",
            "larder.toml:7: [[origin]] negativ-ttl: unknown key; did you mean negative-ttl?",
        ),
    ];
    for (right, wrong, mistake) in table {
        let typed = larder().with("users.json", "[]").file(&USERS.replace(right, wrong));
        assert_eq!(typed.mistakes(), [mistake]);
    }
}

#[test]
fn paths_end_with_the_id_and_leave_the_built_in_routes_alone() {
    let shape = "must start with / and end with the segment {id}: write for example /users/{id}";
    let table = [
        ("users/{id}", shape.to_owned()),
        ("/users", shape.to_owned()),
        ("/users/{id}/x", shape.to_owned()),
        ("/users/u{id}", shape.to_owned()),
        ("/{id}", shape.to_owned()),
        (
            "/{id}/{id}",
            "has the segment \"{id}\": use letters, digits, - _ . ~ between slashes".to_owned(),
        ),
        (
            "/a//{id}",
            "has the segment \"\": use letters, digits, - _ . ~ between slashes".to_owned(),
        ),
        (
            "/../{id}",
            "has the segment \"..\": use letters, digits, - _ . ~ between slashes".to_owned(),
        ),
        ("/v1/x/{id}", "collides with the built-in route /v1".to_owned()),
        ("/get/{id}", "collides with the built-in route /get".to_owned()),
        ("/openapi.json/{id}", "collides with the built-in route /openapi.json".to_owned()),
    ];
    for (path, why) in table {
        let file = USERS.replace("/users/{id}", path);
        let typed = larder().with("users.json", "[]").file(&file);
        assert_eq!(typed.mistakes(), [format!("larder.toml:7: [[origin]] path: {path:?} {why}")]);
    }
}

#[test]
fn two_origins_share_nothing() {
    let typed = larder().with("users.json", "[]").file(&format!("{USERS}{USERS}"));
    assert_eq!(
        typed.mistakes(),
        [
            "larder.toml:9: [[origin]] name: \"users\" is already used by larder.toml:2",
            "larder.toml:9: [[origin]] key: \"users:{id}\" is already used by larder.toml:2",
            "larder.toml:9: [[origin]] path: \"/users/{id}\" is already used by larder.toml:2",
        ]
    );
}

#[test]
fn an_origin_reads_a_file_and_not_a_folder() {
    let typed = larder().file(&USERS.replace("users.json", "."));
    assert_eq!(
        typed.mistakes(),
        ["larder.toml:5: [[origin]] file: cannot read .: it is not a regular file"]
    );
}

#[test]
fn origins_are_written_as_tables() {
    let text = "larder.toml:1: an origin is a table: write [[origin]] above the keys of each";
    for file in ["origin = 1", "[origin]\nname = 'x'", "origin = [1]"] {
        assert_eq!(larder().file(file).mistakes(), [text]);
    }
}
