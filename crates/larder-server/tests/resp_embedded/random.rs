//! Random commands over a few keys, to a Redis and to a Larder without one.

use larder_resp::reply::Frame;
use proptest::{prelude::*, sample::select};

use crate::pair::{Alike, Both, Pair};

/// Commands in a case, of both clients together.
const COMMANDS: std::ops::Range<usize> = 1..60;

#[test]
fn whatever_is_done_the_replies_are_those_of_redis() {
    let Some(pair) = Pair::start() else { return };
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() };
    let commands = prop::collection::vec((0..2_usize, command()), COMMANDS);
    proptest!(config, |(commands in commands, version in select(vec!["2", "3"]))| {
        let mut clients = [Client::of(&pair, version), Client::of(&pair, version)];
        clients[0].same("FLUSHALL")?;
        for (client, line) in commands {
            clients[client].same(&line)?;
        }
        for client in &mut clients {
            for line in ["EXEC", "UNWATCH", "DBSIZE", "SELECT 0"] {
                client.same(line)?;
            }
        }
        // What is left behind is the same too.
        for db in ["0", "1"] {
            clients[0].same(&format!("SELECT {db}"))?;
            clients[0].same("KEYS *")?;
            for key in KEYS {
                clients[0].same(&format!("GET {key}"))?;
                clients[0].same(&format!("PTTL {key}"))?;
            }
        }
    });
}

const KEYS: [&str; 4] = ["a", "b", "ab", "c"];

const TEMPLATES: [&str; 66] = [
    "GET k",
    "SET k v",
    "SET k v o",
    "SET k v o o",
    "SET k v o o o",
    "SETEX k t v",
    "PSETEX k t v",
    "SETNX k v",
    "GETSET k v",
    "GETDEL k",
    "GETEX k",
    "GETEX k o",
    "GETEX k o o",
    "MGET k k",
    "MGET k k k",
    "MSET k v k v",
    "MSET k v k",
    "MSETNX k v k v",
    "INCR k",
    "DECR k",
    "INCRBY k v",
    "DECRBY k v",
    "INCRBY k i",
    "INCRBYFLOAT k v",
    "INCRBYFLOAT k f",
    "INCRBYFLOAT k f",
    "APPEND k v",
    "APPEND k v",
    "STRLEN k",
    "SETRANGE k i v",
    "GETRANGE k i i",
    "SUBSTR k i i",
    "DEL k",
    "DEL k k",
    "UNLINK k",
    "EXISTS k k",
    "TOUCH k k",
    "TYPE k",
    "RENAME k k",
    "RENAME k",
    "RENAMENX k k",
    "COPY k k",
    "COPY k k REPLACE",
    "COPY k k DB d REPLACE",
    "MOVE k d",
    "EXPIRE k t",
    "EXPIRE k t nx",
    "PEXPIRE k t",
    "PEXPIRE k t xx",
    "EXPIREAT k date w",
    "PEXPIREAT k date w",
    "PEXPIREAT k date",
    "TTL k",
    "PTTL k",
    "EXPIRETIME k",
    "PEXPIRETIME k",
    "PERSIST k",
    "KEYS p",
    "DBSIZE",
    "FLUSHDB",
    "SELECT d",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH k k",
    "UNWATCH",
];

/// A command with arguments from small sets, right and wrong ones.
fn command() -> impl Strategy<Value = String> {
    // Else most transactions would hold nothing.
    let template =
        prop_oneof![12 => select(TEMPLATES.to_vec()), 1 => Just("MULTI"), 1 => Just("EXEC")];
    template.prop_flat_map(|template| {
        let words: Vec<_> = template.split(' ').map(word).collect();
        words.prop_map(|words| words.join(" "))
    })
}

/// What a word of a template may stand for. No life ends while a case runs, and none is compared
/// with one that was begun a moment before: what comes of that depends on the clock.
fn word(word: &'static str) -> BoxedStrategy<String> {
    let words: Vec<&str> = match word {
        "k" => KEYS.to_vec(),
        "v" => vec!["1", "-7", "text", "\"\"", "9223372036854775807", "10.5", "\"two words\"", "3"],
        "i" => vec!["0", "1", "2", "5", "-1", "-3", "100", "x"],
        "f" => vec!["0.1", "-2.5e3", "1e17", "3.00000000000000007", "0x1p-4", "inf", "1e400"],
        "t" => vec!["200000", "300000", "-1", "0", "33177117420", "x", "9223372036854775807"],
        "date" => vec!["33177117420", "33177117420001", "99", "-1", "x", "9223372036854775"],
        "w" => vec!["NX", "XX", "GT", "LT"],
        "o" => vec!["NX", "XX", "GET", "KEEPTTL", "EX 100", "PX 200000", "PERSIST", "EX", "EX x"],
        "p" => vec!["*", "a*", "?", "[^a]*", "*b"],
        "d" => vec!["0", "1", "1", "99"],
        word => vec![word],
    };
    select(words).prop_map(str::to_owned).boxed()
}

/// The same client at both, and the commands that it has queued.
struct Client {
    both: Both,
    queued: Vec<String>,
}

impl Client {
    fn of(pair: &Pair, version: &str) -> Self {
        Self { both: pair.both(version), queued: Vec::new() }
    }

    fn same(&mut self, line: &str) -> Result<(), TestCaseError> {
        let [redis, larder] = [&mut self.both.redis, &mut self.both.larder].map(|wire| {
            wire.send(format!("{line}\r\n").as_bytes());
            wire.reply()
        });
        let same = match line {
            "EXEC" => self.same_transaction(&redis, &larder),
            line => alike(line).holds(&redis, &larder),
        };
        let (here, there) = (larder.escape_ascii(), redis.escape_ascii());
        prop_assert!(same, "{line}\n   Redis:  {there}\n   Larder: {here}");
        match line {
            "EXEC" | "DISCARD" => self.queued.clear(),
            line if redis == b"+QUEUED\r\n" => self.queued.push(line.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Each reply as like as it would be alone.
    fn same_transaction(&self, redis: &[u8], larder: &[u8]) -> bool {
        let (Some(theirs), Some(ours)) = (elements(redis), elements(larder)) else {
            return redis == larder;
        };
        theirs.len() == self.queued.len()
            && ours.len() == self.queued.len()
            && (self.queued.iter().zip(theirs).zip(ours))
                .all(|((line, theirs), ours)| alike(line).holds(&theirs, &ours))
    }
}

fn alike(line: &str) -> Alike {
    match line.split(' ').next().unwrap() {
        "TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME" => Alike::Nearly,
        "KEYS" => Alike::InAnyOrder,
        _ => Alike::Exactly,
    }
}

/// The elements of an array, each as text, those of an inner array on lines of their own; `None` if
/// it is none.
fn elements(reply: &[u8]) -> Option<Vec<Vec<u8>>> {
    let Ok(Frame::Array(items)) = Frame::parse(reply) else { return None };
    let text = |frame: Frame<'_>| match (frame.as_integer(), frame.items()) {
        (Some(value), _) => format!(":{value}\r\n"),
        (_, Some(items)) => items.map(|item| format!("{item:?}")).collect::<Vec<_>>().join("\n"),
        _ => format!("{frame:?}"),
    };
    Some(items.map(|frame| text(frame).into_bytes()).collect())
}
