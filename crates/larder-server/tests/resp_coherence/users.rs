//! No user is served from memory what Redis would refuse (R12).

use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_testkit::{
    Harness, LIMIT, RedisServer, TestServer, eventually, require_redis, require_server,
};

use crate::client::{Client, Reply};
use crate::setup::{self, ClientHarness, RedisHarness, Standalone, start_harness};

/// The staleness bound, with a margin for a busy machine.
const BOUND: Duration = Duration::from_millis(1_500);
const LIMITED: &str = "limited on >word ~public:* +@all";

/// Starts a Larder in front of a Redis with a user who may not read everything.
fn harness(flags: &[&str]) -> Option<Harness> {
    let builder = setup::harness()
        .redis(RedisServer::builder().user_acl(LIMITED))
        .prepare(|redis| drop(redis.cmd(&["MSET", "secret", "s", "public:a", "p"])));
    start_harness(builder, flags)
}

fn is_refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with("NOPERM"))
}

#[test]
fn a_user_without_permission_is_refused_a_cached_key() {
    let Some(harness) = harness(&[]) else { return };
    harness.warm_up(&mut harness.client(), "GET secret", "s");
    harness.warm_up(&mut harness.client(), "GET public:a", "p");
    // Commands that switch to that user. Each following read is sent in the same write or
    // separately.
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
        let mut client = harness.client();
        client.pipeline(become_limited);
        assert_stays_refused(&mut client, become_limited);
        let mut in_one = harness.client();
        let lines = [become_limited, &["GET secret"]].concat();
        assert!(is_refused(in_one.pipeline(&lines).last().unwrap()), "{lines:?}");
    }
    assert_eq!(harness.client().call("GET secret"), "s".into());
}

/// Asserts that no command makes Larder take this client for another user.
fn assert_stays_refused(client: &mut Client, user: &[&str]) {
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
            assert!(is_refused(&client.call(read)), "{user:?}, {attempt:?}, {read}");
        }
        assert!(is_refused(&client.call("MGET public:a secret")), "{user:?}, {attempt:?}");
        client.expect("GET public:a", "p");
    }
    client.expect("RESET", "RESET");
    client.expect("GET secret", "s");
}

/// Starts a Redis with this user, and a Larder that connects as this user.
fn larder_as(user: &str) -> Option<(Standalone, RedisServer)> {
    if !require_redis() {
        return None;
    }
    let redis = RedisServer::builder().user_acl(&format!("app on >word {user}")).start();
    redis.cmd(&["MSET", "k", "v", "public:a", "p", "secret", "s"]);
    let larder = Standalone::start(&redis.url_for("app", "word"), &[]);
    Some((larder, redis))
}

#[test]
fn keys_forbidden_to_larders_own_user_are_refused_as_by_redis() {
    let Some((larder, redis)) = larder_as("~public:* ~no-such-key +@all") else { return };
    let mut direct = Client::connect(redis.port());
    direct.expect("AUTH app word", "OK");
    let mut client = larder.client();
    larder.warm_up(&mut client, "GET public:a", "p");
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
        let replies = client.pipeline(&["GET public:a", line, "GET public:a"]);
        assert_eq!(replies, ["p".into(), expected, "p".into()], "{line}");
    }
}

#[test]
fn a_permission_revoked_through_larder_ends_at_once() {
    let Some((larder, _redis)) = larder_as("~* +@all") else { return };
    let (mut admin, mut client) = (larder.client(), larder.client());
    admin.expect("AUTH default any", "OK");
    client.call("PING");
    for round in 0..30 {
        larder.warm_up(&mut client, "GET k", "v");
        match round % 3 {
            0 => admin.expect("ACL SETUSER app resetkeys ~other", "OK"),
            1 => admin.expect("ACL SETUSER app -get", "OK"),
            _ => {
                let done = admin.pipeline(&["MULTI", "ACL SETUSER app -@read", "EXEC"]);
                assert_eq!(done[2], Reply::texts(["OK"]));
            }
        }
        assert!(is_refused(&client.call("GET k")), "round {round}");
        assert!(is_refused(&larder.client().call("GET k")), "round {round}");
        admin.expect("ACL SETUSER app resetkeys ~* +@all", "OK");
        client.expect("GET k", "v");
    }
}

#[test]
fn the_listener_accepts_its_own_password_and_those_of_redis() {
    let Some(harness) = harness(&["--requirepass", "larders"]) else { return };
    let big = format!("MSET {}", "public:x y ".repeat(20));
    let mut anonymous = harness.client();
    for line in ["GET public:a", "PING", "HELLO 3", "MULTI", "SUBSCRIBE x", "AUTH wrong"] {
        let error = anonymous.call(line);
        assert!(error.error().starts_with("NOAUTH") || error.error().starts_with("WRONGPASS"));
    }
    for open in [
        "AUTH larders",
        "AUTH default larders",
        "HELLO 2 AUTH default larders",
        "HELLO 3 AUTH default larders SETNAME me",
    ] {
        let mut client = harness.client();
        assert!(client.call("GET public:a").error().starts_with("NOAUTH"));
        assert!(!client.call(open).is_error(), "{open}");
        // More than an unauthenticated client may send.
        client.expect(&big, "OK");
        harness.warm_up(&mut client, "GET secret", "s");
        assert!(client.call("AUTH wrong").error().starts_with("WRONGPASS"));
    }
    for open in ["AUTH limited word", "HELLO 3 AUTH limited word"] {
        let mut client = harness.client();
        assert!(!client.call(open).is_error(), "{open}");
        client.expect(&big, "OK");
        client.expect("GET public:a", "p");
        assert!(is_refused(&client.call("GET secret")), "{open}");
        let mut in_one = harness.client();
        let replies = in_one.pipeline(&[open, "GET public:a", "GET secret"]);
        assert_eq!(replies[1], "p".into(), "{open}");
        assert!(is_refused(&replies[2]), "{open}");
        // Unauthenticated again.
        client.expect("RESET", "RESET");
        assert!(client.call("GET public:a").error().starts_with("NOAUTH"));
    }
}

const TRUSTED: &str = "trusted on >word ~* &* +@all -@dangerous";

fn as_trusted(harness: &Harness) -> Client {
    let mut client = harness.client();
    client.expect("AUTH trusted word", "OK");
    client
}

#[test]
fn users_with_full_read_access_share_entries() {
    let builder = setup::harness().redis(RedisServer::builder().user_acl(TRUSTED));
    let Some(harness) = start_harness(builder, &[]) else { return };
    harness.foreign_client().expect("SET k v", "OK");
    harness.warm_up(&mut as_trusted(&harness), "GET k", "v");
    // A value cached by one user is a hit for the other.
    let mut own = harness.client();
    harness.warm_up(&mut own, "STRLEN k", 1);
    let mut trusted = as_trusted(&harness);
    harness.warm_up(&mut trusted, "STRLEN k", 1);

    // Revoked through Larder: at once. Revoked elsewhere: within the staleness bound.
    for round in 0..6 {
        harness.warm_up(&mut trusted, "GET k", "v");
        let revoke = ["ACL SETUSER trusted -get", "ACL SETUSER trusted resetkeys ~other"];
        let mut admin = if round % 2 == 0 { harness.client() } else { harness.foreign_client() };
        admin.expect(revoke[round / 2 % 2], "OK");
        if round % 2 == 1 {
            eventually(BOUND, "a permission revoked elsewhere to end", || {
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
fn keys_forbidden_to_larders_own_user_are_not_shared() {
    let Some((larder, redis)) = larder_as("~public:* ~no-such-key +@all") else { return };
    redis.cmd(&["ACL", "SETUSER", "trusted", "on", ">word", "~*", "+@all"]);
    let mut trusted = larder.client();
    trusted.expect("AUTH trusted word", "OK");
    for _ in 0..50 {
        trusted.expect("GET secret", "s");
        trusted.expect("MGET public:a secret", Reply::texts(["p", "s"]));
    }
}

#[test]
fn a_failed_or_ambiguous_hello_does_not_change_the_user() {
    let Some(harness) = harness(&[]) else { return };
    harness.warm_up(&mut harness.client(), "GET secret", "s");
    for odd in [
        "HELLO 2 AUTH limited word BADOPT",
        "HELLO 2 AUTH default x AUTH limited word",
        "HELLO 2 AUTH limited word AUTH default x",
        "HELLO 3 SETNAME me AUTH limited",
    ] {
        let mut client = harness.client();
        assert!(client.call(odd).error().starts_with("ERR Syntax error in HELLO option"), "{odd}");
        client.expect("ACL WHOAMI", "default");
    }
    // Rejected, before 7.2 only after the user had changed.
    let (mut client, mut direct) = (harness.client(), harness.foreign_client());
    for client in [&mut client, &mut direct] {
        assert!(client.call("HELLO 3 AUTH limited word SETNAME 'bad name'").is_error());
    }
    for line in ["ACL WHOAMI", "GET secret", "GET secret", "GET secret"] {
        client.expect(line, direct.call(line));
    }
}

#[test]
fn the_listener_password_is_that_of_larders_own_user_alone() {
    let Some(harness) = harness(&["--requirepass", "larders"]) else { return };
    let mut anonymous = harness.client();
    let both = "HELLO 2 AUTH limited word AUTH default whatever";
    assert!(anonymous.call(both).error().starts_with("ERR Syntax error in HELLO option"));
    assert!(anonymous.call("GET public:a").error().starts_with("NOAUTH"));
    anonymous.expect("AUTH limited word", "OK");
    for wrong in ["AUTH word", "AUTH default word", "HELLO 3 AUTH default ''"] {
        assert!(anonymous.call(wrong).error().starts_with("WRONGPASS"), "{wrong}");
        anonymous.expect("ACL WHOAMI", "limited");
        assert!(is_refused(&anonymous.call("GET secret")), "{wrong}");
    }
    for back in ["AUTH larders", "AUTH default larders"] {
        anonymous.expect("AUTH limited word", "OK");
        anonymous.expect(back, "OK");
        anonymous.expect("ACL WHOAMI", "default");
        harness.warm_up(&mut anonymous, "GET secret", "s");
    }
    anonymous.expect("AUTH limited word", "OK");
    assert!(!anonymous.call("HELLO 3 AUTH default larders").is_error());
    harness.warm_up(&mut anonymous, "GET secret", "s");
    let mut named = harness.client();
    named.call("HELLO 2 SETNAME AUTH AUTH default larders");
    named.expect("CLIENT GETNAME", "AUTH");
}

#[test]
fn a_user_without_permission_to_flush_invalidates_nothing() {
    let Some(harness) = harness(&[]) else { return };
    harness.redis.cmd(&["ACL", "SETUSER", "weak", "on", ">word", "~*", "+get"]);
    let (mut weak, mut own) = (harness.client(), harness.client());
    weak.expect("AUTH weak word", "OK");
    harness.warm_up(&mut own, "GET secret", "s");
    for line in ["FLUSHALL", "SWAPDB 0 1", "ACL SETUSER x"] {
        assert!(is_refused(&weak.call(line)), "{line}");
        let hits = harness.larder.resp_hits();
        own.expect("GET secret", "s");
        assert_eq!(harness.larder.resp_hits(), hits + 1, "{line}");
    }
}

/// Redis since 7.2 drops the error of a failed AUTH behind replies that it has not sent yet
/// (redis/redis#15640). If Larder took the next reply for that of the AUTH, a write would log the
/// client in.
#[test]
fn a_failed_auth_in_a_pipeline_is_answered_and_changes_no_user() {
    if !require_server(&TestServer::Redis8) {
        return;
    }
    let redis = RedisServer::builder().server(TestServer::Redis8).user_acl(LIMITED);
    let builder = setup::harness().redis(redis).prepare(|redis| {
        redis.cmd(&["ACL", "SETUSER", "full", "on", ">word", "~*", "+@all"]);
        redis.cmd(&["SET", "secret", "s"]);
    });
    let Some(harness) = start_harness(builder, &[]) else { return };
    harness.warm_up(&mut harness.client(), "GET secret", "s");
    for failing in ["AUTH full wrong", "HELLO 2 AUTH full wrong", "HELLO 3 AUTH full wrong"] {
        let mut limited = harness.client();
        limited.expect("AUTH limited word", "OK");
        let replies = limited.pipeline(&["PING", failing, "SET public:a p", "PING"]);
        assert_eq!(replies[0], "PONG".into(), "{failing}");
        assert!(replies[1].error().starts_with("WRONGPASS"), "{failing}: {replies:?}");
        assert_eq!(replies[2..], ["OK".into(), "PONG".into()], "{failing}");
        assert!(is_refused(&limited.call("GET secret")), "{failing}");
    }
}

/// A user of Valkey 9.1 may be restricted to databases, which no other field of `ACL GETUSER` shows.
#[test]
fn a_user_restricted_to_databases_is_refused_in_the_others() {
    if !require_server(&TestServer::Valkey9) {
        return;
    }
    let builder = setup::harness()
        .redis(RedisServer::builder().server(TestServer::Valkey9))
        .prepare(|redis| {
            redis.cmd(&["ACL", "SETUSER", "alice", "on", ">word", "+@all", "~*", "db=2,3"]);
            redis.cmd(&["SET", "hot", "value"]);
        });
    let Some(harness) = builder.start() else { return };
    let mut own = harness.client();
    harness.warm_up(&mut own, "GET hot", "value");
    let mut alice = harness.client();
    alice.expect("AUTH alice word", "OK");
    // Long enough for Larder to ask several times what she may read.
    let (end, mut rounds) = (Instant::now() + 2 * BOUND, 0);
    while Instant::now() < end || rounds < 1_000 {
        own.expect("GET hot", "value");
        for line in ["GET hot".to_owned(), format!("GET cold:{rounds}")] {
            let reply = alice.call(&line);
            assert!(is_refused(&reply), "{line}: {reply:?}");
        }
        rounds += 1;
    }
}

/// A read that waits for its turn, and then has to be sent again, is sent as the user of the URL.
#[test]
fn a_user_whose_rights_have_ended_reads_nothing_newer() {
    const LARGE: usize = 20;
    let builder = setup::harness()
        .redis(RedisServer::builder().user_acl("leaving on >word ~* &* +@all"))
        .prepare(|redis| {
            let value = "x".repeat(900_000);
            (0..LARGE).for_each(|at| drop(redis.cmd(&["SET", &format!("large:{at}"), &value])));
            redis.cmd(&["SET", "secret", "old"]);
        });
    let Some(harness) = start_harness(builder, &[]) else { return };
    let mut client = harness.client();
    client.expect("AUTH leaving word", "OK");
    harness.warm_up(&mut client, "GET warm", Reply::Nil);
    let large: Vec<_> = (0..LARGE).map(|at| format!("GET large:{at}")).collect();
    let mut lines = vec!["SET unrelated 1"];
    lines.extend(large.iter().map(String::as_str));
    lines.extend(["GET secret"; 6]);
    client.send_commands(&lines);
    eventually(LIMIT, "the reads to be sent", || harness.redis.command_calls("get") > 20);
    harness.redis.cmd(&["ACL", "DELUSER", "leaving"]);
    // Until the last answer about the user's rights has lost its force.
    sleep(BOUND * 2);
    harness.redis.cmd(&["SET", "secret", "new"]);
    for line in lines {
        let Ok(reply) = client.next() else { break };
        assert_ne!(reply, "new".into(), "{line}");
    }
}
