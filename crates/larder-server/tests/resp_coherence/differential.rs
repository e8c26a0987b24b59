//! Random sessions, in writes of random length, through Larder and on a reference Redis with the
//! same content: replies and pushes are the same, in the same order.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use larder_testkit::{Harness, LIMIT, RedisBuilder, RedisServer, eventually};

use crate::client::{Client, Reply, encode};
use crate::setup::{ClientHarness, start_harness};

const SPAN: Duration = Duration::from_secs(6);
const SESSION_COMMANDS: usize = 40;

const READS: &[&str] = &[
    "GET k0",
    "GET k0",
    "GET k1",
    "GET absent",
    "MGET k0 k1 l",
    "STRLEN k0",
    "EXISTS k1",
    "HGET h f",
    "HGETALL h",
    "LRANGE l 0 -1",
];

/// Other commands, each equally likely.
const COMMANDS: &[&str] = &[
    "GET k0",
    "GET k1",
    "MGET k0 k1 l",
    "HGETALL h",
    "SET k0 a",
    "SET k0 b",
    "SET k1 c",
    "APPEND k1 x",
    "DEL k0",
    "INCR n",
    "HSET h f 1 g 2",
    "HDEL h f",
    "RPUSH l message subscribe 1",
    "DEL l",
    "RENAME k0 k1",
    "EVAL 'return redis.call(\"SET\", \"k0\", \"by script\")' 0",
    "EVAL 'return redis.call(\"GET\", \"k0\")' 0",
    "EVAL 'redis.call(\"SET\", \"k1\", \"and failed\") error(\"no\")' 0",
    "MULTI",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH k0",
    "WATCH k1 absent",
    "UNWATCH",
    "SELECT 0",
    "SELECT 0",
    "SELECT 1",
    "SELECT 999",
    "HELLO 2",
    "HELLO 3",
    "HELLO 4",
    "AUTH default any",
    "AUTH nobody any",
    "AUTH any",
    "AUTH other",
    "AUTH pw",
    "AUTH pw",
    "AUTH default pw",
    "AUTH full word",
    "AUTH narrow word",
    "HELLO 2 AUTH default pw",
    "HELLO 3 AUTH default pw SETNAME me",
    "HELLO 3 AUTH narrow word",
    "HELLO 3 AUTH default any",
    "HELLO 9 AUTH default pw",
    "ACL WHOAMI",
    "ACL WHOAMI",
    "SUBSCRIBE a",
    "UNSUBSCRIBE",
    "UNSUBSCRIBE",
    "UNSUBSCRIBE a x",
    "PSUBSCRIBE a*",
    "PUNSUBSCRIBE",
    "PUNSUBSCRIBE",
    // A client that has just disconnected may still be counted as a subscriber, so the count is
    // left out.
    "EVAL 'redis.call(\"PUBLISH\", \"a\", \"hello\") return 1' 0",
    "CLIENT REPLY SKIP",
    "CLIENT REPLY OFF",
    "CLIENT REPLY ON",
    "CLIENT REPLY ON",
    "CLIENT REPLY NEITHER",
    "CLIENT TRACKING ON",
    "CLIENT TRACKING OFF",
    "CLIENT GETNAME",
    "CLIENT SETNAME me",
    "RESET",
    "PING",
    "ECHO text",
    "NOSUCH",
    "GET",
    "SET k0",
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "MOVE k0 1",
    "COPY k1 k0 REPLACE",
    "COPY k1 k0 DB 1 REPLACE",
    "EXPIRE k0 100",
    "PEXPIRE k1 0",
    "KEYS k0",
    "DBSIZE",
];

/// Users besides `default`: one who may do everything, and one who may not read every key.
const USERS: [&str; 2] =
    ["full on >word ~* &* +@all", "narrow on >word ~k* ~absent &* +@all -@dangerous"];

/// The password of Larder's listener and of the reference.
const PASSWORD: &str = "pw";

/// The password of the Redis behind Larder: no client may need it, and none may use it.
const STORES_PASSWORD: &str = "other";

/// How a session begins.
const LOGINS: &[&[&str]] = &[
    &["AUTH pw"],
    &["AUTH default pw", "GET k0"],
    &["HELLO 3 AUTH default pw"],
    &["AUTH full word"],
    &["AUTH narrow word", "GET k0", "HGETALL h"],
    &["GET k0", "NOSUCH", "MULTI", "EXEC", "AUTH pw"],
];

/// Regressions: sessions that once got different replies.
const REGRESSIONS: &[&[&[&str]]] = &[
    // In RESP2 a subscribed client is refused nearly every command, and with replies off it does
    // not get the error.
    &[
        &["HELLO 3", "SUBSCRIBE a", "CLIENT REPLY OFF"],
        &["HELLO 2"],
        &["CLIENT REPLY ON", "MULTI", "GET k1"],
        &["RESET", "GET k0"],
    ],
    &[
        &["HELLO 3", "SUBSCRIBE a", "CLIENT REPLY OFF", "HELLO 2", "CLIENT REPLY SKIP", "PING"],
        &["HELLO 3", "CLIENT REPLY ON", "PING", "RESET", "HELLO 3", "GET k0"],
    ],
    // After a transaction that may have turned replies on, only Redis knows whether it replies.
    &[
        &["CLIENT REPLY OFF"],
        &["MULTI", "CLIENT REPLY ON", "DEL k0"],
        &["EXEC"],
        &["CLIENT REPLY SKIP"],
        &["RESET"],
        &["GET k0", "PING", "PING"],
    ],
    &[
        &["CLIENT REPLY OFF"],
        &["MULTI", "CLIENT REPLY ON", "DEL k0"],
        &["EXEC", "MULTI", "GET k0"],
        &["RESET", "GET k0"],
    ],
    &[&["CLIENT REPLY OFF", "MULTI", "GET k0"], &["RESET", "GET k0", "PING"]],
    &[&["CLIENT REPLY SKIP", "RESET", "GET k0"], &["GET k0", "PING"]],
    // A nested MULTI is refused, in other words by other servers, and the transaction stays open.
    &[&["MULTI", "MULTI"], &["GET k0", "GET k0"], &["DISCARD", "GET k0"]],
    // Each of these passwords is checked in its turn.
    &[&["AUTH pw", "CLIENT REPLY SKIP", "AUTH pw", "PING"], &["GET k0"]],
    &[&["AUTH pw", "MULTI", "AUTH pw", "SET k0 2", "EXEC"], &["GET k0"]],
    &[&["AUTH narrow word", "AUTH pw", "ACL WHOAMI"], &["GET l", "GET k0"]],
    &[&["AUTH narrow word", "MULTI", "AUTH pw"], &["EXEC", "ACL WHOAMI"], &["LRANGE l 0 -1"]],
    &[&["NOSUCH", "GET", "MULTI", "EXEC"], &["AUTH pw", "GET k0"]],
    &[&["AUTH narrow word", "HELLO 9 AUTH default pw", "ACL WHOAMI", "LRANGE l 0 -1"]],
];

#[test]
fn regression_sessions_get_the_same_replies_as_from_redis() {
    let Some((harness, reference)) = start_twins() else { return };
    for session in REGRESSIONS {
        let mut playing = Session::start(&harness, &reference);
        if !session.concat().iter().any(|command| command.starts_with("AUTH")) {
            playing.write(vec!["AUTH pw"]);
        }
        let replies: usize = session.iter().map(|write| playing.write(write.to_vec())).sum();
        assert!(replies >= 2, "{session:?}");
    }
}

/// Starts a Larder with a password of its own, and a reference with that password. Both servers have
/// the same users.
///
/// They free memory in the background: otherwise FLUSHALL blocks its client in Redis since 8.0, and
/// the witness would be served before it.
fn start_twins() -> Option<(Harness, RedisServer)> {
    let with_users = |redis: RedisBuilder| {
        let redis = redis.arg("--lazyfree-lazy-user-flush", "yes");
        USERS.into_iter().fold(redis, RedisBuilder::user_acl)
    };
    let redis = with_users(RedisServer::builder().password(STORES_PASSWORD));
    let builder = Harness::builder(env!("CARGO_BIN_EXE_larder")).redis(redis);
    let harness = start_harness(builder, &["--requirepass", PASSWORD])?;
    let reference = with_users(RedisServer::builder().password(PASSWORD)).start();
    eventually(LIMIT, "larder to know which commands there are", || {
        harness.client().call("NOSUCH") == Client::connect(reference.port()).call("NOSUCH")
    });
    Some((harness, reference))
}

#[test]
fn random_sessions_get_the_same_replies_as_from_redis() {
    let Some((harness, reference)) = start_twins() else { return };
    let start = Instant::now();
    let (mut sessions, mut replies) = (0, 0);
    let is_enough =
        |sessions, replies| sessions > 20 && replies > 500 && harness.larder.resp_hits() > 50;
    // On a busy machine it takes longer.
    while start.elapsed() < SPAN || (start.elapsed() < LIMIT && !is_enough(sessions, replies)) {
        let mut rng = Rng::new();
        replies += Session::start(&harness, &reference).run(&mut rng);
        sessions += 1;
    }
    let hits = harness.larder.resp_hits();
    println!("{sessions} sessions, {replies} replies, {hits} hits");
    assert!(is_enough(sessions, replies), "{sessions} sessions, {replies} replies, {hits} hits");
}

#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, true or not")]
struct Session {
    ours: Client,
    theirs: Client,
    /// Tells when the reference server has executed everything.
    witness: Client,
    said: Vec<Vec<&'static str>>,
    in_multi: bool,
    does_without_replies: bool,
    tracks: bool,
    /// The reference has closed the connection.
    was_closed: bool,
}

impl Session {
    fn start(harness: &Harness, reference: &RedisServer) -> Self {
        let direct = || Client::connect(reference.port());
        let (ours, theirs, mut witness) = (harness.client(), direct(), direct());
        witness.expect(&format!("AUTH {PASSWORD}"), "OK");
        let said = Vec::new();
        Self {
            ours,
            theirs,
            witness,
            said,
            in_multi: false,
            does_without_replies: false,
            tracks: false,
            was_closed: false,
        }
    }

    /// Runs the session. Returns the number of replies.
    fn run(mut self, rng: &mut Rng) -> usize {
        let mut replies = self.write(LOGINS[rng.below(LOGINS.len())].to_vec());
        while !self.was_closed && self.said.iter().map(Vec::len).sum::<usize>() < SESSION_COMMANDS {
            let length = 1 + rng.below(8);
            // Writes that contain only reads, which the near cache serves.
            let only_reads = rng.below(3) == 0;
            let choose =
                |_| if only_reads { READS[rng.below(READS.len())] } else { self.choose(rng) };
            let write: Vec<_> = (0..length).map(choose).collect();
            // Redis 8 does not answer a failed AUTH behind replies that it has not sent.
            for write in write.split_inclusive(|command| is_refused_login(command)) {
                let Some((last, before)) = write.split_last() else { continue };
                match is_refused_login(last) {
                    true => replies += self.write(before.to_vec()) + self.write(vec![*last]),
                    false => replies += self.write(write.to_vec()),
                }
            }
        }
        // A miscounted reply would make this wait, or return too early.
        replies += self.write(vec!["RESET"]) + self.write(vec!["AUTH pw"]);
        replies + self.write(vec!["GET k0", "DEBUG DIGEST", "QUIT"])
    }

    fn choose(&mut self, rng: &mut Rng) -> &'static str {
        loop {
            let command = COMMANDS[rng.below(COMMANDS.len())];
            let pushes = command.contains("SUBSCRIBE") || command.contains("PUBLISH");
            match command {
                // Redis itself would then send half a list, or a push in the middle of one.
                "CLIENT REPLY SKIP" | "CLIENT REPLY OFF" if self.in_multi => continue,
                // Whether it takes effect depends on EXEC.
                "CLIENT REPLY ON" if self.in_multi && self.does_without_replies => continue,
                // After that, only EXEC knows the protocol version, or only Redis.
                _ if command.starts_with("HELLO") && self.in_multi => continue,
                _ if command.starts_with("HELLO")
                    && command.contains("AUTH")
                    && self.does_without_replies =>
                {
                    continue;
                }
                // Redis 8 leaves the refusal out of the array that EXEC returns.
                _ if is_refused_login(command) && self.in_multi => continue,
                _ if pushes && (self.in_multi || self.does_without_replies) => continue,
                // A Redis connection remembers what was tracked before a RESET.
                "RESET" if self.tracks => continue,
                "CLIENT TRACKING ON" => self.tracks = true,
                "MULTI" => self.in_multi = true,
                "EXEC" | "DISCARD" => self.in_multi = false,
                "CLIENT REPLY SKIP" | "CLIENT REPLY OFF" => self.does_without_replies = true,
                "CLIENT REPLY ON" => self.does_without_replies = false,
                "RESET" => (self.in_multi, self.does_without_replies) = (false, false),
                _ => {}
            }
            return command;
        }
    }

    fn write(&mut self, write: Vec<&'static str>) -> usize {
        // Redis closes a client that is not authenticated while it owes it more than 1 KiB.
        if self.theirs.send(&encode(&write)).is_err() {
            assert!(self.said.concat().contains(&"RESET"), "closed after {:?}", self.said);
            self.was_closed = true;
            return 0;
        }
        self.ours.send_commands(&write);
        self.said.push(write);
        // Once it replies to this, it has replied to everything before.
        (0..2).for_each(|_| self.witness.expect("PING", "PONG"));
        let expected = self.theirs.available_replies();
        for expected in &expected {
            let reply = self.ours.next().unwrap_or_else(|error| {
                panic!("{error} instead of {expected:?}\nafter {:?}", self.said)
            });
            assert_eq!(plain(&reply), plain(expected), "after {:?}", self.said);
        }
        expected.len()
    }
}

/// Returns whether a command logs in with a wrong password.
fn is_refused_login(command: &str) -> bool {
    command.contains("AUTH") && (command.ends_with("any") || command.ends_with("other"))
}

/// Removes the connection id from replies to HELLO, and wording that Redis 7.2 changed.
fn plain(reply: &Reply) -> Reply {
    match reply {
        Reply::Error(text) if text.starts_with("NOAUTH HELLO") => "no hello".into(),
        Reply::List(items) if items.first() == Some(&"server".into()) => "hello".into(),
        Reply::List(items) => Reply::List(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// Random numbers from the standard library, which seeds its hashers from the system.
struct Rng(RandomState, u64);

impl Rng {
    fn new() -> Self {
        Self(RandomState::new(), 0)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.1 += 1;
        usize::try_from(self.0.hash_one(self.1) % bound as u64).unwrap()
    }
}
