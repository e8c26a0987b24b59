//! Scripts of commands, each a line as one would type it, with all the mistakes one can make.
//!
//! `@2` sends a line as a second client. `~` allows for the time between two clocks, `sort` for
//! another order. `#` is a comment.

use std::fmt::Write;

use crate::pair::{Alike, Both, Pair};

#[test]
fn strings_are_answered_as_redis_answers() {
    compare(include_str!("scripts/strings.txt"));
}

#[test]
fn numbers_are_answered_as_redis_answers() {
    compare(include_str!("scripts/numbers.txt"));
}

#[test]
fn lives_are_answered_as_redis_answers() {
    compare(include_str!("scripts/expiry.txt"));
}

#[test]
fn keys_are_answered_as_redis_answers() {
    compare(include_str!("scripts/keys.txt"));
}

#[test]
fn transactions_are_answered_as_redis_answers() {
    compare(include_str!("scripts/transactions.txt"));
}

#[test]
fn sessions_are_answered_as_redis_answers() {
    compare(include_str!("scripts/session.txt"));
}

/// Runs a script in both protocol versions, and shows all differences at once.
fn compare(script: &str) {
    let Some(pair) = Pair::start() else { return };
    let mut differences = String::new();
    for version in ["2", "3"] {
        let mut clients = [pair.both(version), pair.both(version)];
        for server in [&mut clients[0].redis, &mut clients[0].larder] {
            server.expect("FLUSHALL", "+OK");
        }
        for (at, line) in script.lines().enumerate() {
            let Some(step) = Step::parse(line) else { continue };
            let (redis, larder) = step.run(&mut clients[step.client]);
            if !step.alike.holds(&redis, &larder) {
                let (redis, larder) = (redis.escape_ascii(), larder.escape_ascii());
                let number = at + 1;
                write!(
                    differences,
                    "\nline {number}, RESP{version}: {line}\n   Redis:  {redis}\n   Larder: {larder}"
                )
                .unwrap();
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

struct Step<'s> {
    client: usize,
    alike: Alike,
    line: &'s str,
}

impl<'s> Step<'s> {
    fn parse(line: &'s str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (client, line) = match line.strip_prefix("@2 ") {
            Some(line) => (1, line),
            None => (0, line),
        };
        let (alike, line) = match (line.strip_prefix("~ "), line.strip_prefix("sort ")) {
            (Some(line), _) => (Alike::Nearly, line),
            (_, Some(line)) => (Alike::InAnyOrder, line),
            _ => (Alike::Exactly, line),
        };
        Some(Self { client, alike, line })
    }

    /// Sent as it is typed: both split it into words themselves.
    fn run(&self, both: &mut Both) -> (Vec<u8>, Vec<u8>) {
        let [redis, larder] = [&mut both.redis, &mut both.larder].map(|wire| {
            wire.send(format!("{}\r\n", self.line).as_bytes());
            wire.reply()
        });
        (redis, larder)
    }
}
