//! The `[[origin]]` tables.

use std::time::Duration;

use larder_server::config::OriginKind;

use crate::invocation::larder;

const USERS: &str = "
[[origin]]
name = 'users'
kind = 'json'
file = 'users.json'
key = 'users:{id}'
path = '/users/{id}'
";

#[test]
fn unset_keys_of_an_origin_have_their_defaults() {
    let invocation = larder().with_file("users.json", "[]").config_text(USERS);
    let [origin] = invocation.config().origins.try_into().unwrap();
    assert_eq!(origin.name, "users");
    assert_eq!(origin.kind, OriginKind::Json { file: invocation.folder().join("users.json") });
    assert_eq!(origin.key.key("7"), "users:7");
    assert_eq!(origin.path.as_str(), "/users/{id}");
    assert_eq!(origin.ttl, Duration::from_mins(5));
    assert_eq!(origin.negative_ttl, Duration::from_secs(30));
}

#[test]
fn origins_keep_their_order_and_their_own_ttls() {
    let pages = USERS.replace("users", "a-pages").replace("a-pages.json", "users.json");
    let file = format!("{USERS}ttl = '1h'\n{pages}ttl = 90\nnegative-ttl = '1500ms'\n");
    let config = larder().with_file("users.json", "[]").config_text(&file).config();
    let ttls: Vec<_> =
        config.origins.iter().map(|o| (o.name.as_str(), o.ttl, o.negative_ttl)).collect();
    let secs = Duration::from_secs;
    assert_eq!(
        ttls,
        [("users", secs(3600), secs(30)), ("a-pages", secs(90), Duration::from_millis(1500))]
    );
}

#[test]
fn every_key_of_an_origin_is_checked() {
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
    for (right, wrong, error) in table {
        let invocation =
            larder().with_file("users.json", "[]").config_text(&USERS.replace(right, wrong));
        assert_eq!(invocation.errors(), [error]);
    }
}

#[test]
fn a_path_must_end_with_the_id_and_not_collide_with_a_built_in_route() {
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
        let invocation = larder().with_file("users.json", "[]").config_text(&file);
        assert_eq!(
            invocation.errors(),
            [format!("larder.toml:7: [[origin]] path: {path:?} {why}")]
        );
    }
}

#[test]
fn two_origins_may_not_share_a_name_a_key_or_a_path() {
    let invocation = larder().with_file("users.json", "[]").config_text(&format!("{USERS}{USERS}"));
    assert_eq!(
        invocation.errors(),
        [
            "larder.toml:9: [[origin]] name: \"users\" is already used by larder.toml:2",
            "larder.toml:9: [[origin]] key: \"users:{id}\" is already used by larder.toml:2",
            "larder.toml:9: [[origin]] path: \"/users/{id}\" is already used by larder.toml:2",
        ]
    );
}

#[test]
fn the_file_of_an_origin_must_be_a_regular_file() {
    let invocation = larder().config_text(&USERS.replace("users.json", "."));
    assert_eq!(
        invocation.errors(),
        ["larder.toml:5: [[origin]] file: cannot read .: it is not a regular file"]
    );
}

#[test]
fn an_origin_that_is_not_a_table_is_reported() {
    let text = "larder.toml:1: an origin is a table: write [[origin]] above the keys of each";
    for file in ["origin = 1", "[origin]\nname = 'x'", "origin = [1]"] {
        assert_eq!(larder().config_text(file).errors(), [text]);
    }
}
