//! Replies of every size: values too large to be cached bypass the tracked connection, lists have
//! no length limit, and a large reply does not affect other clients.

use crate::client::{Reply, encode};
use crate::setup::{ClientHarness, RedisHarness, start};

#[test]
fn a_value_too_large_to_cache_is_read_once_on_the_tracked_connection() {
    let Some(harness) = start(&["--near-max-value", "10kb"]) else { return };
    let large = "x".repeat(20_000);
    let mut foreign = harness.foreign_client();
    foreign.call(&format!("SET large {large}"));
    let mut client = harness.client();
    for _ in 0..10 {
        client.expect("GET large", &*large);
        harness.client().expect("GET large", &*large);
        client.expect("STRLEN large", 20_000);
    }
    // Each read on the tracked connection also queries the TTL.
    let fills = harness.redis.command_calls("pttl");
    assert!(fills <= 3, "{fills} times on the tracked connection");
    // A small value is cached again.
    foreign.call("SET large small");
    harness.warm_up_eventually(&mut client, "GET large", "small");
}

#[test]
fn lists_longer_than_the_limit_of_commands_are_forwarded() {
    // Building the list takes long enough on a slow machine to delay heartbeats.
    let Some(harness) = start(&["--staleness-bound", "20s"]) else { return };
    const LENGTH: i64 = 1_100_000;
    let fill = "local some = {} for i = 1, 5000 do some[i] = \"x\" end \
                for i = 1, 220 do redis.call(\"RPUSH\", \"l\", unpack(some)) end";
    harness.foreign_client().call(&format!("EVAL '{fill}' 0"));
    let epochs = harness.larder.count("/feed/epochs");
    let mut client = harness.client();
    // On the tracked connection, and on the client's own.
    for line in ["LRANGE l 0 -1", "SORT l BY nosort"] {
        let Reply::List(items) = client.call(line) else { panic!("{line}") };
        assert_eq!(items.len(), usize::try_from(LENGTH).unwrap(), "{line}");
    }
    client.expect("LLEN l", LENGTH);
    assert_eq!(harness.larder.count("/feed/epochs"), epochs, "the tracked connection was closed");
}

#[test]
fn monitor_shows_commands_of_any_length() {
    let Some(harness) = start(&[]) else { return };
    let mut monitor = harness.client();
    monitor.expect("MONITOR", "OK");
    let large = "x".repeat(300_000);
    harness.foreign_client().call(&format!("SET k {large}"));
    let shown = std::iter::from_fn(|| monitor.next().ok()).take(100).any(|line| {
        matches!(line, Reply::Text(text) if text.contains("\"SET\"") && text.len() > 300_000)
    });
    assert!(shown);
}

#[test]
fn mget_merges_hits_and_misses() {
    let Some(harness) = start(&[]) else { return };
    let names: Vec<String> = (0..3_000).map(|key| format!("k:{key}")).collect();
    let pairs: Vec<String> = names.iter().map(|name| format!("{name} v{name}")).collect();
    harness.foreign_client().call(&format!("MSET {}", pairs.join(" ")));
    harness.foreign_client().pipeline(&["HSET k:7 f v", "DEL k:8"].map(|line| line));
    let mut client = harness.client();
    for count in [1, 2, 10, 1_000, 1_024, 1_025, 3_000] {
        let mget = format!("MGET {}", names[..count].join(" "));
        let expected = harness.foreign_client().call(&mget);
        for _ in 0..3 {
            assert_eq!(client.call(&mget), expected, "{count} keys");
        }
    }
    // Some are cached, some are not, and one is cached for another database.
    harness.foreign_client().call("SET k:3 new");
    let expected = harness.foreign_client().call("MGET k:1 k:2 k:3 k:7 none");
    harness.warm_up_eventually(
        &mut client,
        "MGET k:1 k:2 k:3",
        Reply::texts(["vk:1", "vk:2", "new"]),
    );
    client.expect("MGET k:1 k:2 k:3 k:7 none", expected);
}

#[test]
fn mixed_pipelines_of_any_length_are_answered_in_order() {
    let Some(harness) = start(&[]) else { return };
    let mut client = harness.client();
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for at in 0..20_000 {
        let key = at % 50;
        match at % 1_000 {
            // An occasional write, and between two writes more reads than one batch takes.
            0 => {
                bytes.extend(encode(&[&format!("SET k:{key} {at}")]));
                expected.push("OK".into());
            }
            _ => {
                bytes.extend(encode(&[&format!("ECHO {at}"), &format!("GET absent:{at}")]));
                expected.extend([(&*at.to_string()).into(), Reply::Nil]);
            }
        }
    }
    client.send(&bytes).unwrap();
    for (at, expected) in expected.iter().enumerate() {
        assert_eq!(client.reply(), *expected, "reply {at}");
    }
    // Only reads, cold and hot.
    let gets: Vec<String> = (0..5_000).map(|at| format!("GET k:{}", at % 60)).collect();
    let gets: Vec<&str> = gets.iter().map(String::as_str).collect();
    let expected = harness.foreign_client().pipeline(&gets);
    for _ in 0..3 {
        assert_eq!(client.pipeline(&gets), expected);
    }
}
