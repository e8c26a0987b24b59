//! Limits on connections, requests and the time that clients may take.

use larder_testkit::eventually;

use crate::server::{LARDER, Server};
use crate::wire::{LIMIT, Wire, head};

#[test]
fn many_idle_clients_do_not_block_others() {
    // The default limit of open files is too low on most systems, so Larder must raise it.
    let few_files = r#"ulimit -S -n 256; exec "$0" "$@""#;
    let server = Server::run("/bin/sh", &["-c", few_files, LARDER, "--maxclients", "3000"]);
    let mut idle: Vec<Wire> = (0..idle_clients()).map(|_| server.wire()).collect();
    server.still_serves();
    let last = idle.last_mut().unwrap();
    assert_eq!(last.ask("GET", "/livez").text(), "ok\n");
}

/// Returns 2000, or fewer if this process may not open as many files.
fn idle_clients() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let open_files = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    2000.min(open_files - 200)
}

#[test]
fn a_client_beyond_maxclients_waits_until_another_leaves() {
    let server = Server::start(&["--maxclients", "2"]);
    let mut one = server.wire();
    let mut other = server.wire();
    for wire in [&mut one, &mut other] {
        assert_eq!(wire.ask("GET", "/livez").status, 200);
    }
    let mut waiting = server.wire();
    waiting.write(&head("GET", "/livez", &[]));
    assert_eq!(one.ask("GET", "/livez").status, 200, "the two are still served");
    assert!(!waiting.has_answer());
    drop(other);
    assert_eq!(waiting.answer().text(), "ok\n");
}

/// Covers all timeouts at the same time, as each takes ten seconds.
#[test]
fn slow_clients_time_out() {
    let server = Server::start(&[]);
    let (mut silent, mut idle, mut half) = (server.wire(), server.wire(), server.wire());
    assert_eq!(idle.ask("GET", "/livez").status, 200);
    half.write(b"GET /livez HTTP/1.1\r\nhost: loc");
    let (mut busy, mut trickle) = (server.wire(), server.wire());
    trickle.write(&head("PUT", "/v1/keys/k", &[("content-length", "1000000")]));
    eventually(LIMIT, "the slow body to time out", || {
        assert_eq!(busy.ask("GET", "/livez").status, 200, "a busy client stays connected");
        trickle.try_write(b".");
        trickle.has_answer()
    });
    let answer = trickle.answer();
    assert_eq!((answer.status, answer.detail().contains("slowly")), (408, true));
    for wire in [&mut silent, &mut idle, &mut half] {
        wire.ends();
    }
    assert_eq!(server.get("/v1/keys/k", &[]).status, 404);
    server.still_serves();
}

#[test]
fn a_request_beyond_concurrency_and_queue_gets_429() {
    let server = Server::start(&["--http-concurrency", "1", "--http-queue", "0"]);
    let held = HeldRequest::begin(&server);
    for (method, target) in [("GET", "/get/k"), ("GET", "/v1/keys/k"), ("PUT", "/set/k/v")] {
        let answer = server.send(method, target, &[], b"");
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")), "{target}");
        assert!(answer.detail().contains("http-concurrency"), "{}", answer.detail());
    }
    for target in ["/livez", "/readyz", "/metrics", "/v1/stats", "/openapi.json"] {
        assert_eq!(server.get(target, &[]).status, 200, "{target}");
    }
    held.finish();
    let free = || server.get("/get/upload", &[]).status == 200;
    eventually(LIMIT, "the permit to be released", free);
}

#[test]
fn a_queued_request_runs_once_another_finishes() {
    let server = Server::start(&["--http-concurrency", "1", "--http-queue", "1"]);
    let held = HeldRequest::begin(&server);
    let mut two = [server.wire(), server.wire()];
    for wire in &mut two {
        wire.write(&head("GET", "/get/absent", &[]));
    }
    eventually(LIMIT, "one to get 429", || two.iter().any(Wire::has_answer));
    two.sort_by_key(|wire| !wire.has_answer());
    let [refused, waiting] = &mut two;
    assert_eq!(refused.answer().status, 429);
    assert!(!waiting.has_answer());
    held.finish();
    assert_eq!(waiting.answer().status, 404);
}

#[test]
fn a_client_that_disconnects_releases_its_permit() {
    let server = Server::start(&["--http-concurrency", "1", "--http-queue", "0"]);
    drop(HeldRequest::begin(&server));
    eventually(LIMIT, "the permit to be released", || server.get("/get/k", &[]).status == 404);
}

/// A request in flight that ends when the test says so.
pub(crate) struct HeldRequest(Wire);

impl HeldRequest {
    pub(crate) fn begin(server: &Server) -> Self {
        let mut wire = server.wire();
        let headers = [("content-length", "4"), ("expect", "100-continue")];
        wire.write(&head("PUT", "/v1/keys/upload", &headers));
        assert_eq!(wire.answer().status, 100, "the handler waits for the body");
        wire.write(b"do");
        Self(wire)
    }

    pub(crate) fn finish(mut self) {
        self.0.write(b"ne");
        assert_eq!(self.0.answer().status, 204);
    }
}
