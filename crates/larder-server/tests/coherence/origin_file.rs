//! The file of an origin changes while it is served.

use std::time::Duration;

use larder_testkit::{LIMIT, eventually, http};

use crate::setup::{HttpHarness, start_with_config};
use crate::users::Users;

#[test]
fn a_changed_row_is_served_though_it_was_cached_and_a_broken_file_changes_nothing() {
    let users = Users::new(r#"{"1": {"v": 1}, "2": {"v": 1}}"#);
    let harness = start_with_config(&[], &users.config(""));
    let Some(harness) = harness else { return };
    let mut reader = harness.reader();
    let mut hot = |id: &str, row: Option<&str>| {
        eventually(LIMIT, &format!("user {id} from memory as {row:?}"), || {
            let found = reader.get(&format!("/users/{id}"));
            found.is_hit() && found.value() == row
        });
    };
    hot("1", Some(r#"{"v":1}"#));
    hot("2", Some(r#"{"v":1}"#));
    hot("3", None);

    users.replace(r#"{"1": {"v": 2}, "3": {"v": 2}}"#);
    let mut other = harness.reader();
    let new = || other.get("/users/1").value() == Some(r#"{"v":2}"#);
    eventually(Duration::from_secs(5), "the changed row", new);
    hot("1", Some(r#"{"v":2}"#));
    hot("2", None);
    hot("3", Some(r#"{"v":2}"#));

    users.replace("{ broken");
    let ready = || http::get(&harness.larder.url("/readyz"), &[]);
    eventually(LIMIT, "health to say so", || ready().json()["status"] == "degraded");
    let problem = ready().json()["problems"][0].to_string();
    assert!(problem.contains("users.json"), "{problem}");
    assert_eq!(ready().status, 200);
    hot("1", Some(r#"{"v":2}"#));
    // Not only from memory.
    harness.foreign(&["FLUSHALL"]);
    hot("1", Some(r#"{"v":2}"#));

    users.replace(r#"{"1": {"v": 4}}"#);
    hot("1", Some(r#"{"v":4}"#));
    hot("3", None);
    eventually(LIMIT, "health to be good again", || ready().json()["status"] == "ok");
}
