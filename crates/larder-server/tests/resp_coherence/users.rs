//! Nobody is served from memory what Redis would refuse them (R12).

use std::time::Duration;

use larder_testkit::{RedisServer, eventually, require_redis};

use crate::client::{Answer, Client};
use crate::stand::{Door, Stand};

/// The staleness bound, and some time for a busy machine.
const BOUND: Duration = Duration::from_millis(1_500);
const LIMITED: &str = "limited on >word ~public:* +@all";

/// Before a Redis with a user who may not read everything.
fn stand(flags: &[&str]) -> Option<Stand> {
    Stand::start_before(RedisServer::builder().user_acl(LIMITED), flags, |redis| {
        redis.cmd(&["MSET", "secret", "s", "public:a", "p"]);
    })
}

fn is_refused(answer: &Answer) -> bool {
    matches!(answer, Answer::Error(text) if text.starts_with("NOPERM"))
}

#[test]
fn who_may_not_read_a_key_is_refused_though_it_is_in_memory() {
    let Some(stand) = stand(&[]) else { return };
    stand.heat(&mut stand.client(), "GET secret", "s");
    stand.heat(&mut stand.client(), "GET public:a", "p");
    // Ways to become that user; each read that follows is in one write with them, or not.
    for become_limited in [
        &["AUTH limited word"][..],
        &["HELLO 3 AUTH limited word"],
        &["HELLO 2 AUTH limited word SETNAME me"],
        &["AUTH default any", "AUTH limited word"],
        &["MULTI", "EXEC", "AUTH limited word"],
        &["MULTI", "AUTH limited word", "EXEC"],
        &["MULTI", "HELLO 3 AUTH limited word", "EXEC"],
        &["CLIENT REPLY ON", "AUTH limited word"],
    ] {
        let mut client = stand.client();
        client.pipeline(become_limited);
        refuses_for_good(&mut client, become_limited);
        let mut in_one = stand.client();
        let lines = [become_limited, &["GET secret"]].concat();
        assert!(is_refused(in_one.pipeline(&lines).last().unwrap()), "{lines:?}");
    }
    assert_eq!(stand.client().call("GET secret"), "s".into());
}

/// Tries everything that could make Larder take this client for another user.
fn refuses_for_good(client: &mut Client, who: &[&str]) {
    for attempt in [
        &[][..],
        &["AUTH default wrong word", "AUTH nobody x"],
        &["AUTH limited wrong"],
        &["HELLO 3 AUTH nobody x"],
        &["HELLO 9 AUTH default x"],
        &["MULTI", "AUTH default x", "DISCARD"],
        &["MULTI", "HELLO 3 AUTH default x", "DISCARD"],
        &["MULTI", "NOSUCH", "AUTH default x", "EXEC"],
        &["SELECT 0"],
        &["WATCH public:a", "UNWATCH"],
    ] {
        client.pipeline(attempt);
        for read in ["GET secret", "STRLEN secret", "MGET secret", "EXISTS secret"] {
            assert!(is_refused(&client.call(read)), "{who:?}, {attempt:?}, {read}");
        }
        assert!(is_refused(&client.call("MGET public:a secret")), "{who:?}, {attempt:?}");
        client.expect("GET public:a", "p");
    }
    client.expect("RESET", "RESET");
    client.expect("GET secret", "s");
}

/// A Redis with this user, and a Larder that acts as such.
fn door_as(user: &str) -> Option<(Door, RedisServer)> {
    if !require_redis() {
        return None;
    }
    let redis = RedisServer::builder().user_acl(&format!("app on >word {user}")).start();
    redis.cmd(&["MSET", "k", "v", "public:a", "p", "secret", "s"]);
    let door = Door::open(&redis.url_for("app", "word"), &[]);
    Some((door, redis))
}

#[test]
fn what_larders_own_user_may_not_read_is_refused_as_by_redis() {
    let Some((door, redis)) = door_as("~public:* ~no-such-key +@all") else { return };
    let mut direct = Client::connect(redis.port());
    direct.expect("AUTH app word", "OK");
    let mut client = door.client();
    door.heat(&mut client, "GET public:a", "p");
    for line in [
        "GET secret",
        "MGET secret",
        "MGET public:a secret",
        "MGET public:a public:b secret public:a",
        "MGET public:a public:b",
        "STRLEN secret",
        "SET secret x",
        "EVAL 'return redis.call(\"GET\", \"secret\")' 0",
    ] {
        let expected = direct.call(line);
        client.expect(line, expected.clone());
        let answers = client.pipeline(&["GET public:a", line, "GET public:a"]);
        assert_eq!(answers, ["p".into(), expected, "p".into()], "{line}");
    }
}

#[test]
fn a_right_that_is_taken_away_through_larder_is_gone_at_once() {
    let Some((door, _redis)) = door_as("~* +@all") else { return };
    let (mut admin, mut client) = (door.client(), door.client());
    admin.expect("AUTH default any", "OK");
    client.call("PING");
    for round in 0..30 {
        door.heat(&mut client, "GET k", "v");
        match round % 3 {
            0 => admin.expect("ACL SETUSER app resetkeys ~other", "OK"),
            1 => admin.expect("ACL SETUSER app -get", "OK"),
            _ => {
                let done = admin.pipeline(&["MULTI", "ACL SETUSER app -@read", "EXEC"]);
                assert_eq!(done[2], Answer::texts(["OK"]));
            }
        }
        assert!(is_refused(&client.call("GET k")), "round {round}");
        assert!(is_refused(&door.client().call("GET k")), "round {round}");
        admin.expect("ACL SETUSER app resetkeys ~* +@all", "OK");
        client.expect("GET k", "v");
    }
}

#[test]
fn the_listeners_own_password_and_those_of_redis_both_open_it() {
    let Some(stand) = stand(&["--requirepass", "larders"]) else { return };
    let big = format!("MSET {}", "public:x y ".repeat(20));
    let mut stranger = stand.client();
    for line in ["GET public:a", "PING", "HELLO 3", "MULTI", "SUBSCRIBE x", "AUTH wrong"] {
        let error = stranger.call(line);
        assert!(error.error().starts_with("NOAUTH") || error.error().starts_with("WRONGPASS"));
    }
    for open in [
        "AUTH larders",
        "AUTH default larders",
        "HELLO 2 AUTH default larders",
        "HELLO 3 AUTH default larders SETNAME me",
    ] {
        let mut client = stand.client();
        assert!(client.call("GET public:a").error().starts_with("NOAUTH"));
        assert!(!client.call(open).is_error(), "{open}");
        // More than a stranger may send.
        client.expect(&big, "OK");
        stand.heat(&mut client, "GET secret", "s");
        assert!(client.call("AUTH wrong").error().starts_with("WRONGPASS"));
    }
    for open in ["AUTH limited word", "HELLO 3 AUTH limited word"] {
        let mut client = stand.client();
        assert!(!client.call(open).is_error(), "{open}");
        client.expect(&big, "OK");
        client.expect("GET public:a", "p");
        assert!(is_refused(&client.call("GET secret")), "{open}");
        let mut in_one = stand.client();
        let answers = in_one.pipeline(&[open, "GET public:a", "GET secret"]);
        assert_eq!(answers[1], "p".into(), "{open}");
        assert!(is_refused(&answers[2]), "{open}");
        // A stranger again.
        client.expect("RESET", "RESET");
        assert!(client.call("GET public:a").error().starts_with("NOAUTH"));
    }
}

const TRUSTED: &str = "trusted on >word ~* &* +@all -@dangerous";

fn as_trusted(stand: &Stand) -> Client {
    let mut client = stand.client();
    client.expect("AUTH trusted word", "OK");
    client
}

#[test]
fn who_may_read_everything_shares_what_is_in_memory() {
    let redis = || RedisServer::builder().user_acl(TRUSTED);
    let Some(stand) = Stand::start_before(redis(), &[], |_| {}) else { return };
    stand.foreign().expect("SET k v", "OK");
    stand.heat(&mut as_trusted(&stand), "GET k", "v");
    // What one has read, the other finds.
    let mut own = stand.client();
    stand.heat(&mut own, "STRLEN k", 1);
    let mut trusted = as_trusted(&stand);
    stand.heat(&mut trusted, "STRLEN k", 1);

    // Taken away through Larder: at once. Elsewhere: within a staleness bound.
    for round in 0..6 {
        stand.heat(&mut trusted, "GET k", "v");
        let revoke = ["ACL SETUSER trusted -get", "ACL SETUSER trusted resetkeys ~other"];
        let mut admin = if round % 2 == 0 { stand.client() } else { stand.foreign() };
        admin.expect(revoke[round / 2 % 2], "OK");
        if round % 2 == 1 {
            eventually(BOUND, "a right taken elsewhere to be gone", || {
                is_refused(&trusted.call("GET k"))
            });
        }
        for _ in 0..20 {
            assert!(is_refused(&trusted.call("GET k")), "round {round}");
        }
        own.expect("GET k", "v");
        admin.expect("ACL SETUSER trusted reset on >word ~* &* +@all -@dangerous", "OK");
        trusted.expect("GET k", "v");
    }
}

#[test]
fn nobody_shares_what_larders_own_user_may_not_read() {
    let Some((door, redis)) = door_as("~public:* ~no-such-key +@all") else { return };
    redis.cmd(&["ACL", "SETUSER", "trusted", "on", ">word", "~*", "+@all"]);
    let mut trusted = door.client();
    trusted.expect("AUTH trusted word", "OK");
    for _ in 0..50 {
        trusted.expect("GET secret", "s");
        trusted.expect("MGET public:a secret", Answer::texts(["p", "s"]));
    }
}
