//! Replies converted to RESP2 are byte for byte those of the server.

use crate::data_set::{READS, STRINGS, fill};
use crate::raw_client::RawClient;
use crate::table::described;
use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::command::{Cacheable, Class, Table, write_read_command};
use larder_resp::reply::{Resp2Layout, array, write_as_resp2};
use larder_resp::request::{Decoder, write_command};
use larder_testkit::{RedisServer, require_redis};
use std::collections::BTreeSet;

fn as_resp2(layout: Resp2Layout, resp3: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    write_as_resp2(&mut out, layout, resp3).unwrap();
    out.to_vec()
}

/// Returns the encoded read of a command, and how its reply may be cached.
fn read_of(table: &Table, args: &[&[u8]]) -> (Cacheable, Vec<u8>) {
    let mut bytes = BytesMut::new();
    write_command(&mut bytes, args);
    let mut decoder = Decoder::new(Limits::default());
    let command = decoder.decode(&bytes).unwrap().command.unwrap();
    let (spec, mut read) = (table.spec(&command), Vec::new());
    assert_eq!(spec.class, Class::Read);
    assert_eq!(spec.encode_read(&command, &mut read), Some(args[1]));
    (spec.cacheable.unwrap(), read)
}

/// Returns whether a reply contains a value.
fn has_value(reply: &[u8]) -> bool {
    !matches!(reply, b"_\r\n" | b":0\r\n" | b"*0\r\n" | b"$0\r\n\r\n") && !reply.starts_with(b"-")
}

#[test]
fn every_cacheable_read_has_the_bytes_of_both_versions() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let [mut resp2, mut resp3] = ["2", "3"].map(|version| RawClient::open(&server, version));
    let keys = fill(&mut resp3);
    let table = Table::builtin();
    let mut seen = BTreeSet::new();
    for (line, key) in READS.iter().flat_map(|line| keys.iter().map(move |key| (line, *key))) {
        let mut args: Vec<_> = line.split_whitespace().map(str::as_bytes).collect();
        args.insert(1, key);
        let context = format!("{line}, key {}", key.escape_ascii());
        let (cacheable, read) = read_of(&table, &args);
        let reply = resp3.call(&args);
        let expected = resp2.call(&args);
        assert_eq!(
            as_resp2(cacheable.resp2_layout, &reply).escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{context}"
        );

        let mut again = BytesMut::new();
        write_read_command(&mut again, &read, key);
        assert_eq!(resp3.send(&again), reply, "{context}, decoded from its read");
        if has_value(&reply) {
            seen.insert(args[0].to_vec());
        }
    }
    let commands = described(&mut resp3);
    let cacheable = commands
        .iter()
        .map(|command| command.spec(&table))
        .filter(|spec| spec.cacheable.is_some_and(|cacheable| !cacheable.is_multi_get));
    let cacheable: BTreeSet<_> = cacheable.map(|spec| spec.name.as_bytes().to_vec()).collect();
    assert_eq!(seen, cacheable, "every cacheable read was sent and returned a value");
}

#[test]
fn mget_is_assembled_from_replies_to_get() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let [mut resp2, mut resp3] = ["2", "3"].map(|version| RawClient::open(&server, version));
    fill(&mut resp3);
    let table = Table::builtin();
    let Some(Cacheable { resp2_layout: layout, is_multi_get: true, .. }) =
        table.find(b"MGET", None).cacheable
    else {
        panic!("MGET is cached as GETs")
    };
    let keys: Vec<_> = STRINGS.iter().map(|(key, _)| *key).chain([b"missing".as_slice()]).collect();
    let mut assembled = BytesMut::new();
    array(&mut assembled, keys.len());
    for key in &keys {
        assembled.extend_from_slice(&resp3.call(&[b"GET", key]));
    }
    let mget = [[b"MGET".as_slice()].as_slice(), &keys].concat();
    assert_eq!(resp3.call(&mget), assembled);
    assert_eq!(resp2.call(&mget), as_resp2(layout, &assembled));
}

#[test]
fn every_type_of_reply_is_converted_as_the_server_does() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let [mut resp2, mut resp3] = ["2", "3"].map(|version| RawClient::open(&server, version));
    for (kind, first) in [
        ("string", '$'),
        ("integer", ':'),
        ("double", ','),
        ("null", '_'),
        ("array", '*'),
        ("set", '~'),
        ("map", '%'),
        ("attrib", '|'),
        ("verbatim", '='),
        ("true", '#'),
        ("false", '#'),
        ("bignum", '('),
    ] {
        let line = format!("DEBUG PROTOCOL {kind}");
        let (reply, expected) = (resp3.line(&line), resp2.line(&line));
        assert_eq!(char::from(reply[0]), first, "{kind}");
        assert_eq!(as_resp2(Resp2Layout::Plain, &reply), expected, "{kind}");
    }
}
