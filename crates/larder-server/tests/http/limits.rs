//! Limits on connections, concurrent requests and slow clients.

use larder_testkit::eventually;

use crate::client::{Client, LIMIT, head, request};
use crate::server::{LARDER, Server};

#[test]
fn many_idle_clients_do_not_block_others() {
    // The soft limit of open files is too low for this many clients, so Larder must raise it.
    let few_files = r#"ulimit -S -n 256; exec "$0" "$@""#;
    let server = Server::run("/bin/sh", &["-c", few_files, LARDER, "--maxclients", "3000"]);
    let mut idle: Vec<Client> = (0..idle_clients()).map(|_| server.client()).collect();
    server.assert_still_serves();
    let last = idle.last_mut().unwrap();
    assert_eq!(last.send("GET", "/livez").text(), "ok\n");
}

/// Returns 2000, or fewer if this process may not open as many files.
fn idle_clients() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let open_files = line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX);
    2000.min(open_files - 200)
}

#[test]
fn a_client_beyond_maxclients_is_told_so_and_health_is_still_reported() {
    let server = Server::start(&["--maxclients", "2"]);
    // The server may not have noticed yet that the client that waited for its start is gone.
    let mut connected = Vec::new();
    eventually(LIMIT, "two clients to be served", || {
        let mut client = server.client();
        if client.send("GET", "/livez").header("connection").is_none() {
            connected.push(client);
        }
        connected.len() == 2
    });
    // Idle clients would be closed after 10 s.
    let mut stay_connected = || {
        for client in &mut connected {
            assert_eq!(client.send("GET", "/livez").status, 200);
        }
    };
    for (method, target, body) in [
        ("GET", "/get/k", Vec::new()),
        ("PUT", "/v1/keys/k", vec![b'v'; 1 << 20]),
        ("GET", "/metrics", Vec::new()),
    ] {
        stay_connected();
        let mut refused = server.client();
        refused.write(&request(method, target, &[], &body));
        let response = refused.response();
        assert_eq!((response.status, response.header("retry-after")), (503, Some("1")), "{target}");
        assert_eq!(response.header("connection"), Some("close"), "{target}");
        assert!(response.detail().contains("maxclients"), "{}", response.detail());
        refused.expect_close();
    }
    stay_connected();
    // Silent clients do not keep health checks from being answered.
    let _silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for target in ["/livez", "/readyz"] {
        let mut check = server.client();
        assert_eq!(check.send("GET", target).status, 200, "{target}");
        check.expect_close();
    }
    stay_connected();
    let lines = server.log().matches("refused HTTP clients").count();
    assert!(lines < 10, "{}", server.log());
    drop(connected);
    eventually(LIMIT, "a client to take its place", || server.get("/get/k", &[]).status == 404);
}

#[test]
fn health_is_reported_while_clients_take_all_file_descriptors() {
    let few_files = r#"ulimit -n 200; exec "$0" "$@""#;
    let server = Server::run("/bin/sh", &["-c", few_files, LARDER]);
    let idle: Vec<Client> = (0..400).map(|_| server.client()).collect();
    assert_eq!(server.get("/get/k", &[]).status, 503);
    for _ in 0..20 {
        let mut check = server.client();
        assert_eq!(check.send("GET", "/readyz").status, 200);
    }
    let log = server.log();
    assert!(log.contains("the limit of open files is too low"), "{log}");
    assert!(log.matches("WARN").count() < 10, "{log}");
    drop(idle);
    eventually(LIMIT, "the clients to be gone", || server.get("/get/k", &[]).status == 404);
}

/// Tests all timeouts at once, because each takes ten seconds.
#[test]
fn slow_clients_time_out() {
    let server = Server::start(&[]);
    let (mut silent, mut idle, mut partial) = (server.client(), server.client(), server.client());
    assert_eq!(idle.send("GET", "/livez").status, 200);
    partial.write(b"GET /livez HTTP/1.1\r\nhost: loc");
    let (mut busy, mut trickle) = (server.client(), server.client());
    trickle.write(&head("PUT", "/v1/keys/k", &[("content-length", "1000000")]));
    eventually(LIMIT, "the slow body to time out", || {
        assert_eq!(busy.send("GET", "/livez").status, 200, "a busy client stays connected");
        trickle.try_write(b".");
        trickle.has_response()
    });
    let response = trickle.response();
    assert_eq!((response.status, response.detail().contains("slowly")), (408, true));
    for client in [&mut silent, &mut idle, &mut partial] {
        client.expect_close();
    }
    assert_eq!(server.get("/v1/keys/k", &[]).status, 404);
    server.assert_still_serves();
}

#[test]
fn a_request_beyond_concurrency_and_queue_gets_429() {
    let server = Server::start(&["--http-concurrency", "1", "--http-queue", "0"]);
    let held = HeldRequest::begin(&server);
    for (method, target) in [("GET", "/get/k"), ("GET", "/v1/keys/k"), ("PUT", "/set/k/v")] {
        let response = server.send(method, target, &[], b"");
        assert_eq!((response.status, response.header("retry-after")), (429, Some("1")), "{target}");
        assert!(response.detail().contains("http-concurrency"), "{}", response.detail());
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
    let mut two = [server.client(), server.client()];
    for client in &mut two {
        client.write(&head("GET", "/get/absent", &[]));
    }
    eventually(LIMIT, "one to get 429", || two.iter().any(Client::has_response));
    two.sort_by_key(|client| !client.has_response());
    let [refused, waiting] = &mut two;
    assert_eq!(refused.response().status, 429);
    assert!(!waiting.has_response());
    held.finish();
    assert_eq!(waiting.response().status, 404);
}

#[test]
fn a_client_that_disconnects_releases_its_permit() {
    let server = Server::start(&["--http-concurrency", "1", "--http-queue", "0"]);
    drop(HeldRequest::begin(&server));
    eventually(LIMIT, "the permit to be released", || server.get("/get/k", &[]).status == 404);
}

/// A request in flight that finishes only when the test calls [`HeldRequest::finish`].
pub(crate) struct HeldRequest(Client);

impl HeldRequest {
    pub(crate) fn begin(server: &Server) -> Self {
        let mut client = server.client();
        let headers = [("content-length", "4"), ("expect", "100-continue")];
        client.write(&head("PUT", "/v1/keys/upload", &headers));
        assert_eq!(client.response().status, 100, "the handler waits for the body");
        client.write(b"do");
        Self(client)
    }

    pub(crate) fn finish(mut self) {
        self.0.write(b"ne");
        assert_eq!(self.0.response().status, 204);
    }
}
