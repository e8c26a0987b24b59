//! The file of an origin changes while it is in use.

use std::time::Duration;

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
