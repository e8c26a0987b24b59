//! Random commands on a few keys. Redis and Larder must send the same replies.

use larder_resp::reply::Frame;
use proptest::{prelude::*, sample::select};

use crate::setup::{ClientPair, Comparison, Servers};

/// Commands in one case, from both clients together.
const COMMANDS: std::ops::Range<usize> = 1..60;

#[test]
fn replies_to_random_commands_match_redis() {
    let Some(servers) = Servers::start() else { return };
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() };
    let commands = prop::collection::vec((0..2_usize, command()), COMMANDS);
    proptest!(config, |(commands in commands, version in select(vec!["2", "3"]))| {
        let mut clients = [Client::of(&servers, version), Client::of(&servers, version)];
        clients[0].expect_same_reply("FLUSHALL")?;
        for (client, line) in commands {
            clients[client].expect_same_reply(&line)?;
        }
        for client in &mut clients {
            for line in ["EXEC", "UNWATCH", "DBSIZE", "SELECT 0"] {
                client.expect_same_reply(line)?;
            }
        }
        // The remaining keys must be the same too.
        for db in ["0", "1"] {
            clients[0].expect_same_reply(&format!("SELECT {db}"))?;
            clients[0].expect_same_reply("KEYS *")?;
            for key in KEYS {
                clients[0].expect_same_reply(&format!("GET {key}"))?;
                clients[0].expect_same_reply(&format!("PTTL {key}"))?;
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

/// Generates a command whose arguments come from small sets of valid and invalid words.
fn command() -> impl Strategy<Value = String> {
    // Without the extra weight most transactions would be empty.
    let template =
        prop_oneof![12 => select(TEMPLATES.to_vec()), 1 => Just("MULTI"), 1 => Just("EXEC")];
    template.prop_flat_map(|template| {
        let words: Vec<_> = template.split(' ').map(word).collect();
        words.prop_map(|words| words.join(" "))
    })
}

/// Generates a replacement for a word of a template. No key expires while a case runs, and no time
/// to live is compared with an equal one set a moment before, because the reply would depend on the
/// clock.
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

/// A client of each server and the commands that they have queued with `MULTI`.
struct Client {
    pair: ClientPair,
    queued: Vec<String>,
}

impl Client {
    fn of(servers: &Servers, version: &str) -> Self {
        Self { pair: servers.clients(version), queued: Vec::new() }
    }

    fn expect_same_reply(&mut self, line: &str) -> Result<(), TestCaseError> {
        let [redis, larder] = [&mut self.pair.redis, &mut self.pair.larder].map(|client| {
            client.send(format!("{line}\r\n").as_bytes());
            client.reply()
        });
        let same = match line {
            "EXEC" => self.same_transaction(&redis, &larder),
            line => comparison(line).matches(&redis, &larder),
        };
        let (ours, theirs) = (larder.escape_ascii(), redis.escape_ascii());
        prop_assert!(same, "{line}\n   Redis:  {theirs}\n   Larder: {ours}");
        match line {
            "EXEC" | "DISCARD" => self.queued.clear(),
            line if redis == b"+QUEUED\r\n" => self.queued.push(line.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Compares each reply of a transaction as the reply to the same command outside of one.
    fn same_transaction(&self, redis: &[u8], larder: &[u8]) -> bool {
        let (Some(redis_items), Some(larder_items)) = (elements(redis), elements(larder)) else {
            return redis == larder;
        };
        redis_items.len() == self.queued.len()
            && larder_items.len() == self.queued.len()
            && (self.queued.iter().zip(redis_items).zip(larder_items))
                .all(|((line, redis), larder)| comparison(line).matches(&redis, &larder))
    }
}

/// Returns how the replies to a command are compared.
fn comparison(line: &str) -> Comparison {
    match line.split(' ').next().unwrap() {
        "TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME" => Comparison::Approximate,
        "KEYS" => Comparison::AnyOrder,
        _ => Comparison::Exact,
    }
}

/// Returns the elements of an array as text, with each element of an inner array on its own line.
/// Returns `None` if the reply is not an array.
fn elements(reply: &[u8]) -> Option<Vec<Vec<u8>>> {
    let Ok(Frame::Array(items)) = Frame::parse(reply) else { return None };
    let text = |frame: Frame<'_>| match (frame.as_integer(), frame.items()) {
        (Some(value), _) => format!(":{value}\r\n"),
        (_, Some(items)) => items.map(|item| format!("{item:?}")).collect::<Vec<_>>().join("\n"),
        _ => format!("{frame:?}"),
    };
    Some(items.map(|frame| text(frame).into_bytes()).collect())
}
