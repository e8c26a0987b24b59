//! The table finds the same keys in a command as the server.

use crate::raw_client::RawClient;
use crate::samples::{DOCUMENTED, FENCED, WITH_KEYS};
use crate::table::{Described, described};
use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::command::{Class, CommandKeys, KeySpec, Spec, Table};
use larder_resp::reply::Frame;
use larder_resp::request::{Decoder, write_command};
use larder_testkit::{RedisServer, require_redis};
use std::collections::BTreeSet;

pub(crate) type Names = BTreeSet<Vec<u8>>;

/// Returns the spec of a command given as a line, and its keys; `None` if they are unknown.
pub(crate) fn found(table: &Table, line: &str) -> (Spec, Option<Names>) {
    let mut bytes = BytesMut::new();
    write_command(&mut bytes, &line.split_whitespace().map(str::as_bytes).collect::<Vec<_>>());
    let mut decoder = Decoder::new(Limits::default());
    let command = decoder.decode(&bytes).unwrap().command.unwrap();
    let spec = table.spec(&command);
    let keys = match spec.keys_of(&command) {
        CommandKeys::Known(keys) => Some(keys.map(<[u8]>::to_vec).collect()),
        CommandKeys::Unknown => None,
    };
    (*spec, keys)
}

/// Returns `None` if the server finds none.
pub(crate) fn found_by_server(client: &mut RawClient, line: &str) -> Option<Names> {
    let reply = client.line(&format!("COMMAND GETKEYS {line}"));
    let frame = Frame::parse(&reply).unwrap();
    Some(frame.items()?.map(|key| key.as_str_bytes().unwrap().to_vec()).collect())
}

#[test]
fn keys_are_those_of_the_server() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let mut client = RawClient::open(&server, "3");
    let table = Table::builtin();
    let known: Vec<_> = described(&mut client).into_iter().map(|command| command.name).collect();
    for line in WITH_KEYS {
        let (spec, keys) = found(&table, line);
        assert!(keys.as_ref().is_some_and(|keys| !keys.is_empty()), "{line}");
        // Other servers have it.
        if known.contains(&spec.name.to_string()) {
            assert_eq!(keys, found_by_server(&mut client, line), "{line}");
        }
    }
}

#[test]
fn keys_are_those_of_the_documentation() {
    let table = Table::builtin();
    for (line, expected) in DOCUMENTED {
        let expected = expected.split(' ').map(|key| key.as_bytes().to_vec()).collect();
        assert_eq!(found(&table, line).1, Some(expected), "{line}");
    }
}

/// Of commands with a single key at the first position, it is enough that they are in the table.
#[test]
fn every_other_arrangement_of_keys_has_a_sample() {
    let table = Table::builtin();
    let documented = DOCUMENTED.iter().map(|(line, _)| line);
    let sampled: BTreeSet<_> = WITH_KEYS
        .iter()
        .chain(FENCED)
        .chain(documented)
        .map(|line| found(&table, line).0.name.to_string())
        .collect();
    for spec in table.specs() {
        let is_plain = matches!(
            spec.keys,
            KeySpec::None | KeySpec::Unknown | KeySpec::Range { first: 1, last: 1, step: 1 }
        );
        assert!(is_plain || sampled.contains(&spec.name.to_string()), "{}", spec.name);
    }
}

#[test]
fn commands_with_unknown_keys_are_fenced() {
    let table = Table::builtin();
    for line in FENCED {
        let (spec, keys) = found(&table, line);
        assert_eq!(keys, None, "{line}");
        assert!(spec.class.may_write() || spec.class == Class::OtherRead, "{line}");
    }
}

#[test]
fn every_command_with_keys_has_a_sample() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let table = Table::builtin();
    let sampled: BTreeSet<_> =
        WITH_KEYS.iter().chain(FENCED).map(|line| found(&table, line).0.name.to_string()).collect();
    let lacks_a_sample = |command: &Described| {
        let has_keys = command.keys != [0; 3] || command.is("movablekeys");
        // The arguments of the others are channels, or keys to watch.
        let spec = command.spec(&table);
        let touches = matches!(
            spec.class,
            Class::Read | Class::OtherRead | Class::Write | Class::WriteUnknown
        ) && (spec.keys != KeySpec::Unknown || command.is("movablekeys"));
        has_keys && touches && !sampled.contains(&command.name)
    };
    let described = described(&mut RawClient::open(&server, "3"));
    let missing = described.iter().filter(|command| lacks_a_sample(command));
    assert_eq!(missing.map(|command| &command.name).collect::<Vec<_>>(), Vec::<&String>::new());
}
