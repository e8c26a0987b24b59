//! The RESP and HTTP listeners share one store. A write over one is visible over the other at once,
//! even if the old value was cached.

use larder_testkit::http;

use crate::resp_client::RespClient;
use crate::setup::Embedded;

/// Reads a key over HTTP until the near cache serves it. Returns its value and its `ETag`.
fn read_until_hit(server: &Embedded, key: &str) -> (String, String) {
    let url = server.larder.url(&format!("/v1/keys/{key}"));
    for _ in 0..100 {
        let response = http::get(&url, &[]);
        if response.cache_status().contains("hit") {
            return (response.text(), response.header("etag").unwrap().to_owned());
        }
    }
    panic!("{key} was never a hit");
}

/// Reads a key over HTTP. Returns `None` for a 404.
fn read(server: &Embedded, key: &str) -> Option<String> {
    let response = http::get(&server.larder.url(&format!("/v1/keys/{key}")), &[]);
    match response.status {
        200 => Some(response.text()),
        404 => None,
        status => panic!("{status}: {}", response.text()),
    }
}

#[test]
fn a_write_over_resp_is_visible_over_http_at_once() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
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
        client.expect("MSET k 1 full full full2 full", "+OK");
        client.expect("PERSIST k", ":0");
        let (before, etag) = read_until_hit(&server, "k");
        assert_eq!(before, "1");
        let reply = client.line(write);
        assert_ne!(reply[0], b'-', "{write}");
        assert_eq!(read(&server, "k").as_deref(), value, "{write}");
        let condition = [("if-none-match", etag.as_str())];
        let response = http::get(&server.larder.url("/v1/keys/k"), &condition);
        assert_ne!(response.status, 304, "{write}: the ETag has not changed");
    }
}

#[test]
fn a_transaction_over_resp_is_visible_over_http_after_exec() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    client.expect("MSET k 1 gone 1", "+OK");
    assert_eq!(
        (read_until_hit(&server, "k").0, read_until_hit(&server, "gone").0),
        ("1".into(), "1".into())
    );
    client.expect("MULTI", "+OK");
    client.expect("INCR k", "+QUEUED");
    client.expect("DEL gone", "+QUEUED");
    assert_eq!(read(&server, "k").as_deref(), Some("1"), "EXEC has not run yet");
    client.expect("EXEC", "*2 :2 :1");
    assert_eq!((read(&server, "k").as_deref(), read(&server, "gone")), (Some("2"), None));
}

#[test]
fn a_cached_absence_ends_with_a_write_over_resp() {
    let server = Embedded::start(&[]);
    let mut client = server.client();
    for write in ["SETNX k 1", "MSETNX k 1 l 1", "COPY source k", "SET k 1 NX GET"] {
        client.expect("FLUSHALL", "+OK");
        client.expect("SET source 1", "+OK");
        (0..3).for_each(|_| assert_eq!(read(&server, "k"), None));
        client.line(write);
        assert_eq!(read(&server, "k").as_deref(), Some("1"), "{write}");
    }
}

#[test]
fn a_write_over_http_is_visible_over_resp() {
    let server = Embedded::start(&[]);
    let url = server.larder.url("/v1/keys/k");
    let mut client = server.client();
    assert_eq!(http::put(&url, &[], "one").status, 204);
    client.expect("GET k", "$3 one");
    client.expect("TTL k", ":-1");
    assert_eq!(http::put(&format!("{url}?ttl=100"), &[], "two").status, 204);
    client.expect("GET k", "$3 two");
    let left = String::from_utf8(client.line("PTTL k")).unwrap();
    let left: i64 = left.trim_start_matches(':').trim_end().parse().unwrap();
    assert!((90_000..=100_000).contains(&left), "{left}");
    assert_eq!(http::delete(&url, &[]).status, 204);
    client.expect("EXISTS k", ":0");
}

#[test]
fn a_write_over_http_aborts_a_transaction_that_watches_the_key() {
    let server = Embedded::start(&[]);
    let url = server.larder.url("/v1/keys/k");
    let mut client = server.client();
    let aborted_by = |client: &mut RespClient, write: &dyn Fn()| {
        client.expect("WATCH k", "+OK");
        write();
        client.expect("MULTI", "+OK");
        client.expect("SET k mine", "+QUEUED");
        client.line("EXEC") == b"*-1\r\n"
    };
    assert!(aborted_by(&mut client, &|| drop(http::put(&url, &[], "theirs"))));
    assert!(aborted_by(&mut client, &|| drop(http::delete(&url, &[]))));
    assert!(!aborted_by(&mut client, &|| drop(http::get(&url, &[]))));
    assert_eq!(read(&server, "k").as_deref(), Some("mine"));
}

#[test]
fn reads_over_http_never_go_back_to_an_older_value() {
    const WRITES: u64 = 300;
    let server = Embedded::start(&["--io-threads", "2"]);
    let acknowledged = std::sync::atomic::AtomicU64::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    server.client().expect("SET k 0", "+OK");
    std::thread::scope(|scope| {
        let read_all = || {
            let mut newest = 0;
            while newest < WRITES {
                let oldest = acknowledged.load(order).max(newest);
                let value: u64 = read(&server, "k").unwrap().parse().unwrap();
                assert!(value >= oldest, "read {value} after {oldest}");
                newest = value;
            }
        };
        let readers = [scope.spawn(read_all), scope.spawn(read_all)];
        let mut client = server.client();
        for write in 1..=WRITES {
            client.expect("INCR k", &format!(":{write}"));
            acknowledged.store(write, order);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
