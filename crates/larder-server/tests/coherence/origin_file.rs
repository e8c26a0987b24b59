//! The file of an origin changes while it is in use.

use std::{process::Command, time::Duration};

use larder_testkit::{LIMIT, eventually, http};

use crate::setup::{HttpHarness, start_with_config};
use crate::users::Users;

#[test]
fn a_changed_row_replaces_the_cached_one_and_a_broken_file_changes_nothing() {
    let users = Users::new(r#"{"1": {"v": 1}, "2": {"v": 1}}"#);
    let harness = start_with_config(&[], &users.config(""));
    let Some(harness) = harness else { return };
    let mut reader = harness.reader();
    let mut assert_hit = |id: &str, row: Option<&str>| {
        eventually(LIMIT, &format!("user {id} from memory as {row:?}"), || {
            let found = reader.get(&format!("/users/{id}"));
            found.is_hit() && found.value() == row
        });
    };
    assert_hit("1", Some(r#"{"v":1}"#));
    assert_hit("2", Some(r#"{"v":1}"#));
    assert_hit("3", None);

    users.replace(r#"{"1": {"v": 2}, "3": {"v": 2}}"#);
    let mut other = harness.reader();
    let new = || other.get("/users/1").value() == Some(r#"{"v":2}"#);
    eventually(Duration::from_secs(5), "the changed row", new);
    assert_hit("1", Some(r#"{"v":2}"#));
    assert_hit("2", None);
    assert_hit("3", Some(r#"{"v":2}"#));

    users.replace("{ broken");
    let ready = || http::get(&harness.larder.url("/readyz"), &[]);
    eventually(LIMIT, "health to report it", || ready().json()["status"] == "degraded");
    let problem = ready().json()["problems"][0].to_string();
    assert!(problem.contains("users.json"), "{problem}");
    assert_eq!(ready().status, 200);
    assert_hit("1", Some(r#"{"v":2}"#));
    // The rows come from the origin, not only from memory.
    harness.foreign(&["FLUSHALL"]);
    assert_hit("1", Some(r#"{"v":2}"#));

    users.replace(r#"{"1": {"v": 4}}"#);
    assert_hit("1", Some(r#"{"v":4}"#));
    assert_hit("3", None);
    eventually(LIMIT, "health to recover", || ready().json()["status"] == "ok");
}

#[test]
fn a_path_that_was_a_named_pipe_for_a_while_is_still_watched() {
    let users = Users::new(r#"{"1": {"v": 1}}"#);
    let harness = start_with_config(&[], &users.config(""));
    let Some(harness) = harness else { return };
    let ready = || http::get(&harness.larder.url("/readyz"), &[]).json();
    let mut reader = harness.reader();
    for version in ["2", "3"] {
        let aside = users.file().with_extension("aside");
        std::fs::rename(users.file(), &aside).unwrap();
        let made = Command::new("mkfifo").arg(users.file()).status().unwrap();
        assert!(made.success());
        eventually(LIMIT, "health to name the pipe", || {
            ready()["problems"][0].as_str().is_some_and(|text| text.contains("not a regular file"))
        });
        std::fs::remove_file(users.file()).unwrap();
        std::fs::rename(&aside, users.file()).unwrap();
        eventually(LIMIT, "health to recover", || ready()["status"] == "ok");

        users.replace(&format!(r#"{{"1": {{"v": {version}}}}}"#));
        let row = format!(r#"{{"v":{version}}}"#);
        eventually(LIMIT, "the changed row", || reader.get("/users/1").value() == Some(&row));
    }
}
