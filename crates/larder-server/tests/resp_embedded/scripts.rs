//! Scripts of commands, one inline command per line, including invalid ones. Redis and Larder must
//! send the same replies.
//!
//! `@2` sends a line from a second client. `~` allows times to differ a little, `sort` allows any
//! order. `#` starts a comment.

use std::fmt::Write;

use crate::setup::{ClientPair, Comparison, Servers};

#[test]
fn string_replies_match_redis() {
    compare(include_str!("scripts/strings.txt"));
}

#[test]
fn number_replies_match_redis() {
    compare(include_str!("scripts/numbers.txt"));
}

#[test]
fn expiry_replies_match_redis() {
    compare(include_str!("scripts/expiry.txt"));
}

#[test]
fn key_replies_match_redis() {
    compare(include_str!("scripts/keys.txt"));
}

#[test]
fn transaction_replies_match_redis() {
    compare(include_str!("scripts/transactions.txt"));
}

#[test]
fn session_replies_match_redis() {
    compare(include_str!("scripts/session.txt"));
}

/// Runs a script with both versions of RESP and reports all differences at once.
fn compare(script: &str) {
    let Some(servers) = Servers::start() else { return };
    let mut differences = String::new();
    for version in ["2", "3"] {
        let mut clients = [servers.clients(version), servers.clients(version)];
        for server in [&mut clients[0].redis, &mut clients[0].larder] {
            server.expect("FLUSHALL", "+OK");
        }
        for (at, line) in script.lines().enumerate() {
            let Some(step) = Step::parse(line) else { continue };
            let (redis, larder) = step.run(&mut clients[step.client]);
            if !step.comparison.matches(&redis, &larder) {
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
    comparison: Comparison,
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
        let (comparison, line) = match (line.strip_prefix("~ "), line.strip_prefix("sort ")) {
            (Some(line), _) => (Comparison::Approximate, line),
            (_, Some(line)) => (Comparison::AnyOrder, line),
            _ => (Comparison::Exact, line),
        };
        Some(Self { client, comparison, line })
    }

    /// Sends the line as an inline command, which each server splits into words, and returns the
    /// replies of Redis and Larder.
    fn run(&self, clients: &mut ClientPair) -> (Vec<u8>, Vec<u8>) {
        let [redis, larder] = [&mut clients.redis, &mut clients.larder].map(|client| {
            client.send(format!("{}\r\n", self.line).as_bytes());
            client.reply()
        });
        (redis, larder)
    }
}
