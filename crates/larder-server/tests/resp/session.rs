//! Commands about the connection itself.

use larder_testkit::{LIMIT, eventually};

use crate::resp_client::{readable, written};
use crate::setup::{RespHarness, start};

#[test]
fn clients_have_their_own_names_and_ids() {
    let Some(harness) = start(&[]) else { return };
    let mut clients = ["ann", "bob"].map(|name| (name, harness.wire()));
    let ids = clients.each_mut().map(|(name, wire)| {
        wire.expect(&format!("CLIENT SETNAME {name}"), "+OK");
        let id = wire.line("CLIENT ID");
        assert_eq!(wire.line("CLIENT ID"), id);
        readable(&id).strip_prefix(':').unwrap().to_owned()
    });
    assert_ne!(ids[0], ids[1]);
    for ((name, wire), id) in clients.iter_mut().zip(&ids) {
        wire.expect("CLIENT GETNAME", &format!("$3 {name}"));
        let info = readable(&wire.line("CLIENT INFO"));
        assert!(
            info.contains(&format!("id={id} ")) && info.contains(&format!("name={name} ")),
            "{info}"
        );
    }
    let list = readable(&clients[0].1.line("CLIENT LIST"));
    for id in &ids {
        assert!(list.contains(&format!("id={id} ")), "{list}");
    }
}

#[test]
fn a_client_can_kill_or_unblock_another() {
    let Some(harness) = start(&[]) else { return };
    let (mut operator, mut other) = (harness.wire(), harness.wire());
    for command in ["CLIENT KILL ID", "CLIENT UNBLOCK"] {
        let mut target = harness.wire();
        let id = readable(&target.line("CLIENT ID")).replace(':', "");
        target.send(&written("BLPOP nothing 0"));
        eventually(LIMIT, "the target to be blocked", || {
            harness.redis.info("clients", "blocked_clients").as_deref() == Some("1")
        });
        operator.expect(&format!("{command} {id}"), ":1");
        match command {
            "CLIENT UNBLOCK" => target.expect_next("*-1"),
            _ => assert_eq!(target.rest(), b"", "{command}"),
        }
        other.expect("PING", "+PONG");
    }
}

#[test]
fn commands_are_executed_with_replies_off() {
    let Some(harness) = start(&[]) else { return };
    let (mut silent, mut other) = (harness.wire(), harness.wire());
    for n in 0..100 {
        other.line("GET k");
        silent.send(&written("CLIENT REPLY OFF"));
        silent.send(&written(&format!("SET k {n}")));
        silent.expect("CLIENT REPLY ON", "+OK");
        let value = format!("${} {n}", n.to_string().len());
        silent.expect("GET k", &value);
        eventually(LIMIT, "the other client to see it", || readable(&other.line("GET k")) == value);
        silent.send(&written("CLIENT REPLY SKIP"));
        silent.send(&written(&format!("SET k {n}")));
        silent.expect("GET k", &value);
    }
}

#[test]
fn monitor_shows_commands_that_reach_redis() {
    let Some(harness) = start(&[]) else { return };
    let (mut monitor, mut other) = (harness.wire(), harness.wire());
    monitor.expect("MONITOR", "+OK");
    let mut seen = Vec::new();
    for n in 0..20 {
        other.expect(&format!("SET k {n}"), "+OK");
        let expected = format!("\"SET\" \"k\" \"{n}\"\r\n");
        loop {
            let line = String::from_utf8(monitor.reply()).unwrap();
            let found = line.ends_with(&expected);
            seen.push(line);
            if found {
                break;
            }
        }
    }
    assert!(seen.iter().all(|line| line.starts_with('+')), "{seen:?}");
    monitor.send(&written("QUIT"));
    assert!(monitor.rest().ends_with(b"+OK\r\n"));
}

#[test]
fn a_tracking_client_receives_invalidations() {
    let Some(harness) = start(&[]) else { return };
    let mut warm = harness.wire();
    warm.expect("SET k 0", "+OK");
    harness.warm_up(&mut warm, "GET k", "$1 0");
    let mut wire = harness.wire().speaking("3");
    wire.expect("CLIENT TRACKING ON", "+OK");
    for n in 1..20 {
        wire.line("GET k");
        match n % 2 {
            0 => harness.direct().expect(&format!("SET k {n}"), "+OK"),
            _ => warm.expect(&format!("SET k {n}"), "+OK"),
        }
        wire.expect_next(">2 $10 invalidate *1 $1 k");
        wire.expect("GET k", &format!("${} {n}", n.to_string().len()));
    }
    wire.expect("CLIENT TRACKING OFF", "+OK");
    warm.expect("SET k end", "+OK");
    wire.expect("GET k", "$3 end");
}

#[test]
fn a_resp2_client_redirects_its_invalidations() {
    let Some(harness) = start(&[]) else { return };
    let (mut heard, mut wire) = (harness.wire(), harness.wire());
    let id = readable(&heard.line("CLIENT ID")).replace(':', "");
    heard.expect("SUBSCRIBE __redis__:invalidate", "*3 $9 subscribe $20 __redis__:invalidate :1");
    wire.expect(&format!("CLIENT TRACKING ON REDIRECT {id}"), "+OK");
    wire.expect("GET k", "$-1");
    harness.wire().expect("SET k v", "+OK");
    heard.expect_next("*3 $7 message $20 __redis__:invalidate *1 $1 k");
    wire.expect("GET k", "$1 v");
}

#[test]
fn the_protocol_version_can_change_between_two_reads() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    wire.expect("HSET h f v", ":1");
    harness.warm_up(&mut wire, "HGETALL h", "*2 $1 f $1 v");
    let sent: Vec<u8> = ["HGETALL h", "HELLO 3", "HGETALL h", "HELLO 2", "HGETALL h"]
        .iter()
        .flat_map(|line| written(line))
        .collect();
    for _ in 0..200 {
        wire.send(&sent);
        wire.expect_next("*2 $1 f $1 v");
        assert!(wire.reply().starts_with(b"%7\r\n"), "HELLO 3");
        wire.expect_next("%1 $1 f $1 v");
        assert!(wire.reply().starts_with(b"*14\r\n"), "HELLO 2");
        wire.expect_next("*2 $1 f $1 v");
    }
    wire.line("HELLO 3");
    harness.warm_up(&mut wire, "HGETALL h", "%1 $1 f $1 v");
}

#[test]
fn the_database_can_change_between_two_reads() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    for db in 0..3 {
        wire.expect(&format!("SELECT {db}"), "+OK");
        wire.expect(&format!("SET k {db}"), "+OK");
    }
    let lines =
        ["SELECT 0", "GET k", "SELECT 1", "GET k", "SELECT 99", "GET k", "SELECT 2", "GET k"];
    let sent: Vec<u8> = lines.iter().flat_map(|line| written(line)).collect();
    for _ in 0..200 {
        wire.send(&sent);
        for expected in
            ["+OK", "$1 0", "+OK", "$1 1", "-ERR DB index is out of range", "$1 1", "+OK", "$1 2"]
        {
            wire.expect_next(expected);
        }
        wire.expect("GET k", "$1 2");
    }
}

#[test]
fn a_transaction_may_contain_a_subscription() {
    let Some(harness) = start(&[]) else { return };
    // In RESP3 the reply to EXEC would contain a push, which is invalid RESP3: Larder closes the
    // connection.
    let mut wire = harness.wire();
    for (line, expected) in [
        ("MULTI", "+OK"),
        ("SUBSCRIBE a", "+QUEUED"),
        ("SET k v", "+QUEUED"),
        ("EXEC", "*2 *3 $9 subscribe $1 a :1 +OK"),
        ("PING", "*2 $4 pong $0"),
    ] {
        assert_eq!(readable(&wire.line(line)).trim_end(), expected, "{line}");
    }
    harness.direct().expect("PUBLISH a text", ":1");
    wire.expect_next("*3 $7 message $1 a $4 text");
    wire.expect("UNSUBSCRIBE", "*3 $11 unsubscribe $1 a :0");
    wire.expect("GET k", "$1 v");
}

#[test]
fn a_list_that_looks_like_a_message_is_a_reply() {
    let Some(harness) = start(&[]) else { return };
    let mut wire = harness.wire();
    wire.expect("SUBSCRIBE a", "*3 $9 subscribe $1 a :1");
    wire.expect("UNSUBSCRIBE a", "*3 $11 unsubscribe $1 a :0");
    for kind in ["message", "pmessage", "subscribe", "unsubscribe"] {
        wire.expect("DEL list", readable(&harness.direct().line("EXISTS list")).as_str());
        wire.expect(&format!("RPUSH list {kind} a b"), ":3");
        let expected = format!("*3 ${} {kind} $1 a $1 b", kind.len());
        wire.expect("LRANGE list 0 -1", &expected);
        wire.expect("LRANGE list 0 -1", &expected);
    }
    wire.expect("SUBSCRIBE a", "*3 $9 subscribe $1 a :1");
    harness.direct().expect("PUBLISH a text", ":1");
    wire.expect_next("*3 $7 message $1 a $4 text");
    wire.send(&written("QUIT"));
    assert_eq!(wire.rest(), b"+OK\r\n");
}
