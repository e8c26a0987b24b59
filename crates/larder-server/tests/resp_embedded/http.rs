//! Both listeners show one store: what one writes, the other reads at once, also where it had the
//! old value in memory.

use larder_testkit::http;

use crate::pair::Alone;
use crate::wire::Wire;

/// Reads a key over HTTP until that is a hit: the near tier has it. Gives its value and its `ETag`.
fn heated(alone: &Alone, key: &str) -> (String, String) {
    let url = alone.larder.url(&format!("/v1/keys/{key}"));
    for _ in 0..100 {
        let answer = http::get(&url, &[]);
        if answer.cache_status().contains("hit") {
            return (answer.text(), answer.header("etag").unwrap().to_owned());
        }
    }
    panic!("{key} is never served from memory");
}

/// The value, or nothing for 404.
fn read(alone: &Alone, key: &str) -> Option<String> {
    let answer = http::get(&alone.larder.url(&format!("/v1/keys/{key}")), &[]);
    match answer.status {
        200 => Some(answer.text()),
        404 => None,
        status => panic!("{status}: {}", answer.text()),
    }
}

#[test]
fn every_write_over_resp_is_seen_over_http_at_once() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    for (write, value) in [
        ("SET k 2", Some("2")),
        ("SETEX k 100 3", Some("3")),
        ("PSETEX k 100000 4", Some("4")),
        ("GETSET k 5", Some("5")),
        ("GETDEL k", None),
        ("GETEX k EXAT 1", None),
        ("MSET other 1 k 6", Some("6")),
        ("INCR k", Some("2")),
        ("DECRBY k 5", Some("-4")),
        ("INCRBYFLOAT k 0.5", Some("1.5")),
        ("APPEND k z", Some("1z")),
        ("SETRANGE k 1 yy", Some("1yy")),
        ("DEL other k", None),
        ("UNLINK k", None),
        ("EXPIRE k 0", None),
        ("PEXPIREAT k 1", None),
        ("RENAME k elsewhere", None),
        ("RENAME full k", Some("full")),
        ("RENAMENX k elsewhere2", None),
        ("COPY full2 k REPLACE", Some("full")),
        ("MOVE k 1", None),
        ("FLUSHDB", None),
        ("FLUSHALL", None),
    ] {
        wire.expect("MSET k 1 full full full2 full", "+OK");
        wire.expect("PERSIST k", ":0");
        let (before, etag) = heated(&alone, "k");
        assert_eq!(before, "1");
        let reply = wire.line(write);
        assert_ne!(reply[0], b'-', "{write}");
        assert_eq!(read(&alone, "k").as_deref(), value, "{write}");
        let known = [("if-none-match", etag.as_str())];
        let answer = http::get(&alone.larder.url("/v1/keys/k"), &known);
        assert_ne!(answer.status, 304, "{write}: the ETag is the old one's");
    }
}

#[test]
fn a_write_in_a_transaction_is_seen_over_http_at_once() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    wire.expect("MSET k 1 gone 1", "+OK");
    assert_eq!((heated(&alone, "k").0, heated(&alone, "gone").0), ("1".into(), "1".into()));
    wire.expect("MULTI", "+OK");
    wire.expect("INCR k", "+QUEUED");
    wire.expect("DEL gone", "+QUEUED");
    assert_eq!(read(&alone, "k").as_deref(), Some("1"), "not yet");
    wire.expect("EXEC", "*2 :2 :1");
    assert_eq!((read(&alone, "k").as_deref(), read(&alone, "gone")), (Some("2"), None));
}

#[test]
fn what_is_absent_over_http_appears_with_a_write_over_resp() {
    let alone = Alone::start(&[]);
    let mut wire = alone.wire();
    for write in ["SETNX k 1", "MSETNX k 1 l 1", "COPY source k", "SET k 1 NX GET"] {
        wire.expect("FLUSHALL", "+OK");
        wire.expect("SET source 1", "+OK");
        (0..3).for_each(|_| assert_eq!(read(&alone, "k"), None));
        wire.line(write);
        assert_eq!(read(&alone, "k").as_deref(), Some("1"), "{write}");
    }
}

#[test]
fn what_http_writes_resp_reads() {
    let alone = Alone::start(&[]);
    let url = alone.larder.url("/v1/keys/k");
    let mut wire = alone.wire();
    assert_eq!(http::put(&url, &[], "one").status, 204);
    wire.expect("GET k", "$3 one");
    wire.expect("TTL k", ":-1");
    assert_eq!(http::put(&format!("{url}?ttl=100"), &[], "two").status, 204);
    wire.expect("GET k", "$3 two");
    let left = String::from_utf8(wire.line("PTTL k")).unwrap();
    let left: i64 = left.trim_start_matches(':').trim_end().parse().unwrap();
    assert!((90_000..=100_000).contains(&left), "{left}");
    assert_eq!(http::delete(&url, &[]).status, 204);
    wire.expect("EXISTS k", ":0");
}

#[test]
fn a_write_over_http_ends_what_a_watch_guards() {
    let alone = Alone::start(&[]);
    let url = alone.larder.url("/v1/keys/k");
    let mut wire = alone.wire();
    let aborted_by = |wire: &mut Wire, write: &dyn Fn()| {
        wire.expect("WATCH k", "+OK");
        write();
        wire.expect("MULTI", "+OK");
        wire.expect("SET k mine", "+QUEUED");
        wire.line("EXEC") == b"*-1\r\n"
    };
    assert!(aborted_by(&mut wire, &|| drop(http::put(&url, &[], "theirs"))));
    assert!(aborted_by(&mut wire, &|| drop(http::delete(&url, &[]))));
    assert!(!aborted_by(&mut wire, &|| drop(http::get(&url, &[]))));
    assert_eq!(read(&alone, "k").as_deref(), Some("mine"));
}

#[test]
fn no_reader_over_http_goes_back_in_time() {
    const WRITES: u64 = 300;
    let alone = Alone::start(&["--io-threads", "2"]);
    let acknowledged = std::sync::atomic::AtomicU64::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    alone.wire().expect("SET k 0", "+OK");
    std::thread::scope(|scope| {
        let read_all = || {
            let mut newest = 0;
            while newest < WRITES {
                let floor = acknowledged.load(order).max(newest);
                let value: u64 = read(&alone, "k").unwrap().parse().unwrap();
                assert!(value >= floor, "{value} after {floor}");
                newest = value;
            }
        };
        let readers = [scope.spawn(read_all), scope.spawn(read_all)];
        let mut wire = alone.wire();
        for write in 1..=WRITES {
            wire.expect("INCR k", &format!(":{write}"));
            acknowledged.store(write, order);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
