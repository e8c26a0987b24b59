//! The whole command table: replies through Larder are byte for byte those of Redis.
//!
//! Two Redis servers start empty and execute the same commands, one of them behind Larder. A reply
//! through Larder must equal that of the other server. If the command writes nothing and the order
//! of its reply may depend on the server's random seed, it must equal what the same server replies
//! directly.

mod newer;
mod script;
mod server;
mod types;

use std::collections::BTreeSet;

use larder_resp::Limits;
use larder_resp::command::{Class, SessionCommand, Spec, Table};
use larder_resp::reply::Frame;
use larder_resp::request::{Command, Decoder};
use larder_testkit::{Exception, Harness, LIMIT, RedisServer, eventually};

use crate::resp_client::{RespClient, written};
use crate::setup::{RespHarness, start};
use script::{CONNECTIONS, SCRIPT, UNEQUAL};

#[test]
fn every_reply_equals_that_of_redis_in_resp2() {
    compare_all("2");
}

#[test]
fn every_reply_equals_that_of_redis_in_resp3() {
    compare_all("3");
}

fn compare_all(version: &str) {
    let Some(harness) = start(&[]) else { return };
    let reference = RedisServer::start();
    let mut comparison = Comparison::new(&harness, &reference, version);
    for line in lines() {
        comparison.step(line);
    }
    for line in CONNECTIONS {
        compare_connections(&harness, &reference, version, line);
    }
    let table = Table::builtin();
    let cacheable = described(&mut harness.direct()).into_iter().map(|(name, _)| name);
    let cacheable = cacheable.filter(|name| table.find(name.as_bytes(), None).cacheable.is_some());
    assert_eq!(
        comparison.hit_commands,
        cacheable.collect(),
        "some command was never served from memory"
    );
}

#[test]
fn every_reply_in_a_pipeline_of_any_length_equals_that_of_redis() {
    let Some(harness) = start(&[]) else { return };
    let loses_replies = Exception::FailedAuthInPipeline.applies();
    let is_left_out =
        |line: &str| depends_on_seed(line) || (loses_replies && line.starts_with("AUTH "));
    let lines: Vec<_> = lines().filter(|line| !is_left_out(line)).collect();
    for version in ["2", "3"] {
        let reference = RedisServer::start();
        let mut through = harness.wire().speaking(version);
        let mut direct = RespClient::open(reference.port()).speaking(version);
        let mut lengths = [1, 2, 3, 5, 200, 17, 64, 100].into_iter().cycle();
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(lengths.next().unwrap().min(rest.len()));
            rest = after;
            let sent: Vec<u8> = batch.iter().flat_map(|line| written(line)).collect();
            through.send(&sent);
            direct.send(&sent);
            for line in batch {
                assert_same(line, &through.reply(), &direct.reply());
            }
        }
    }
}

#[test]
fn arity_errors_equal_those_of_redis() {
    let Some(harness) = start(&[]) else { return };
    let (mut through, mut direct) = (harness.wire(), harness.direct());
    let mut refused = 0;
    for (name, arity) in described(&mut direct) {
        let bare = name.replace('|', " ");
        let is_refused = usize::try_from(arity.abs()).unwrap() > bare.split(' ').count();
        // A command without required arguments would be executed, so it gets one argument too many.
        let line = match is_refused {
            true => bare,
            false if arity > 0 => bare + " x",
            false => continue,
        };
        let expected = direct.line(&line);
        assert!(expected.starts_with(b"-"), "{line}: {}", expected.escape_ascii());
        assert_same(&line, &through.line(&line), &expected);
        refused += 1;
    }
    assert!(refused > 250, "{refused}");
}

#[test]
fn the_script_covers_every_command_of_the_server() {
    let Some(harness) = start(&[]) else { return };
    let mut walked: BTreeSet<String> = UNEQUAL.iter().map(|(name, _)| (*name).into()).collect();
    let connections = CONNECTIONS.iter().flat_map(|line| line.split(" ; "));
    for line in lines().chain(connections) {
        with_spec(line, |spec, _| walked.insert(spec.name.to_string()));
    }
    let all = described(&mut harness.direct()).into_iter().map(|(name, _)| name);
    let missing: Vec<_> = all.filter(|name| !walked.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

const NULLS: [&[u8]; 3] = [b"_\r\n", b"$-1\r\n", b"*-1\r\n"];

/// Sends the same commands to both servers, and reads that can be cached once more.
struct Comparison<'a> {
    harness: &'a Harness,
    through: RespClient,
    /// Connected directly to the server behind Larder.
    direct: RespClient,
    reference: RespClient,
    /// In a transaction or with a WATCH: nothing is served from memory.
    is_private: bool,
    /// Commands whose replies came from memory.
    hit_commands: BTreeSet<String>,
}

impl<'a> Comparison<'a> {
    fn new(harness: &'a Harness, reference: &RedisServer, version: &str) -> Self {
        Self {
            harness,
            through: harness.wire().speaking(version),
            direct: harness.direct().speaking(version),
            reference: RespClient::open(reference.port()).speaking(version),
            is_private: false,
            hit_commands: BTreeSet::new(),
        }
    }

    fn step(&mut self, line: &str) {
        let reference = self.reference.line(line);
        let class = with_spec(line, |spec, _| spec.class);
        let is_read = matches!(class, Class::Read | Class::OtherRead) && !self.is_private;
        let expected = match class {
            Class::Read | Class::OtherRead | Class::Neutral if !self.is_private => {
                self.direct.line(line)
            }
            _ => reference,
        };
        assert_same(line, &self.through.line(line), &expected);
        match class {
            Class::Session(SessionCommand::Select) => drop(self.direct.line(line)),
            Class::Session(SessionCommand::Multi | SessionCommand::Watch) => self.is_private = true,
            Class::Session(
                SessionCommand::Exec | SessionCommand::Discard | SessionCommand::Unwatch,
            ) => self.is_private = false,
            _ => {}
        }
        if is_read && is_cacheable(line) && self.can_be_cached(line, &expected) {
            self.warm_up(line, &expected);
        }
    }

    /// Returns whether the reply can be cached. Errors are not cached; of a missing key only its
    /// absence is.
    fn can_be_cached(&mut self, line: &str, expected: &[u8]) -> bool {
        let key = line.split(' ').nth(1).unwrap();
        let is_null = NULLS.contains(&expected) || line.starts_with("MGET");
        let exists = self.direct.line(&format!("EXISTS {key}")) == b":1\r\n";
        !expected.starts_with(b"-") && (is_null || exists)
    }

    /// Repeats the command until the same reply comes from memory.
    fn warm_up(&mut self, line: &str, expected: &[u8]) {
        eventually(LIMIT, &format!("{line} to be served from memory"), || {
            let before = self.harness.larder.resp_hits();
            assert_same(line, &self.through.line(line), expected);
            self.harness.larder.resp_hits() > before
        });
        self.hit_commands.insert(with_spec(line, |spec, _| spec.name.to_string()));
    }
}

/// Sends these commands on new connections, and compares everything up to the end of each
/// connection.
fn compare_connections(harness: &Harness, reference: &RedisServer, version: &str, line: &str) {
    let mut sent: Vec<u8> = line.split(" ; ").flat_map(written).collect();
    sent.extend(written("QUIT"));
    let mut through = harness.wire().speaking(version);
    let mut direct = RespClient::open(reference.port()).speaking(version);
    through.send(&sent);
    direct.send(&sent);
    let [through, direct] = [through.rest(), direct.rest()].map(|reply| without_ids(&reply));
    assert_same(line, &through, &direct);
}

/// Removes the connection id from replies to HELLO.
fn without_ids(reply: &[u8]) -> Vec<u8> {
    const ID: &[u8] = b"$2\r\nid\r\n:";
    let Some(at) = reply.windows(ID.len()).position(|window| window == ID) else {
        return reply.to_vec();
    };
    let (before, after) = reply.split_at(at + ID.len());
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    [before, &without_ids(&after[digits..])].concat()
}

#[track_caller]
fn assert_same(line: &str, through: &[u8], direct: &[u8]) {
    let part = |reply: &[u8]| {
        let same = through.iter().zip(direct).take_while(|(one, other)| one == other).count();
        let (from, to) = (same.saturating_sub(60), reply.len().min(same + 200));
        reply[from..to].escape_ascii().to_string()
    };
    assert!(
        through == direct,
        "{line}\nthrough Larder: {}\nfrom Redis:     {}",
        part(through),
        part(direct)
    );
}

fn lines() -> impl Iterator<Item = &'static str> {
    SCRIPT.iter().flat_map(|group| group.lines()).filter(|line| !line.is_empty())
}

/// Returns whether two servers with the same data may reply in different order.
fn depends_on_seed(line: &str) -> bool {
    const NAMES: &[&str] = &[
        "ACL CAT", "COMMAND", "FUNCTION", "KEYS", "SCAN", "SDIFF ", "SINTER ", "SMEMBERS",
        "SUNION ", "VINFO", "VLINKS",
    ];
    NAMES.iter().any(|name| line.starts_with(name))
}

/// Returns whether replies to this command may be cached.
fn is_cacheable(line: &str) -> bool {
    with_spec(line, |spec, command| {
        let keys = command.args().len() - 1;
        spec.cacheable.is_some_and(|near| near.is_multi_get && keys > 0)
            || spec.encode_read(command, &mut Vec::new()).is_some()
    })
}

fn with_spec<T>(line: &str, look: impl FnOnce(&Spec, &Command<'_>) -> T) -> T {
    let sent = written(line);
    let mut decoder = Decoder::new(Limits::default());
    let command = decoder.decode(&sent).unwrap().command.unwrap();
    look(Table::builtin().spec(&command), &command)
}

/// Returns every command and subcommand of a server that can be executed, with its arity.
fn described(wire: &mut RespClient) -> Vec<(String, i64)> {
    let reply = wire.line("COMMAND");
    let mut all = Vec::new();
    Frame::parse(&reply).unwrap().items().unwrap().for_each(|entry| describe(&entry, &mut all));
    assert!(all.len() > 300, "too few commands");
    all
}

fn describe(entry: &Frame<'_>, all: &mut Vec<(String, i64)>) {
    let fields: Vec<_> = entry.items().unwrap().collect();
    let name = str::from_utf8(fields[0].as_str_bytes().unwrap()).unwrap().to_uppercase();
    let subcommands: Vec<_> = fields[9].items().into_iter().flatten().collect();
    if subcommands.is_empty() || name == "COMMAND" {
        all.push((name, fields[1].as_integer().unwrap()));
    }
    for entry in &subcommands {
        describe(entry, all);
    }
}
