//! `?ttl=` sets the time to live of a written value.

use larder_testkit::eventually;

use crate::client::LIMIT;
use crate::server::Server;

#[test]
fn a_value_expires_after_its_ttl() {
    let server = Server::start(&[]);
    for target in ["/set/k/v?ttl=300ms", "/v1/keys/k?ttl=300ms"] {
        assert!(server.put(target, "v").status < 300);
        assert_eq!(server.get("/get/k", &[]).status, 200, "{target}");
        eventually(LIMIT, "the value to expire", || server.get("/get/k", &[]).status == 404);
    }
}

#[test]
fn cache_status_reports_the_remaining_ttl() {
    let server = Server::start(&["--near-ttl", "300s"]);
    for (target, least, most) in [
        ("/v1/keys/a?ttl=60", 50, 60),
        ("/v1/keys/b?ttl=2m", 110, 120),
        ("/v1/keys/c?ttl=36500d", 290, 300),
        ("/v1/keys/d?ttl=24h&", 290, 300),
        ("/v1/keys/e", 290, 300),
    ] {
        assert_eq!(server.put(target, "v").status, 204, "{target}");
        let key = target.split('?').next().unwrap();
        assert_eq!(server.get(key, &[]).status, 200);
        let ttl = server.get(key, &[]).hit_ttl().unwrap();
        assert!((least..=most).contains(&ttl), "{target}: {ttl}");
    }
}

#[test]
fn a_write_without_a_ttl_removes_an_earlier_one() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k?ttl=200ms", "short").status, 204);
    assert_eq!(server.put("/v1/keys/k", "for ever").status, 204);
    assert_eq!(server.put("/v1/keys/timer?ttl=300ms", "").status, 204);
    eventually(LIMIT, "the later key to expire", || {
        server.get("/v1/keys/timer", &[]).status == 404
    });
    assert_eq!(server.get("/v1/keys/k", &[]).text(), "for ever");
}

#[test]
fn an_invalid_ttl_is_refused_and_nothing_is_stored() {
    let server = Server::start(&[]);
    for query in [
        "ttl=",
        "ttl",
        "ttl=0",
        "ttl=-1",
        "ttl=+1",
        "ttl=1.5",
        "ttl=abc",
        "ttl=1%20",
        "ttl=NaN",
        "ttl=99999999999999999999999",
        "ttl=18446744073709551615",
        "ttl=36501d",
        "ttl=1&ttl=2",
        "ttl=1&ttl=1",
        "TTL=1",
        "expire=1",
        "ttl=1&x=2",
        "%",
    ] {
        for target in ["/set/k/v", "/v1/keys/k"] {
            let response = server.put(&format!("{target}?{query}"), "v");
            assert_eq!(response.status, 400, "{target}?{query}");
            assert!(response.detail().contains("ttl"), "{}", response.detail());
        }
    }
    assert_eq!(server.get("/get/k", &[]).status, 404);
}
