//! Startup failures, and draining: requests in flight are answered and new clients refused.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use larder_testkit::{Signal, eventually};

use crate::limits::HeldRequest;
use crate::server::{Server, builder};
use crate::wire::LIMIT;

/// Much less than the drain timeouts of these tests.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn a_draining_server_answers_requests_in_flight_and_refuses_new_clients() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    assert_eq!(server.put("/v1/keys/hot", "v").status, 204);
    assert_eq!(server.get("/v1/keys/hot", &[]).status, 200);
    let held = HeldRequest::begin(&server);
    let mut open = [server.wire(), server.wire(), server.wire()];
    for wire in &mut open {
        assert_eq!(wire.ask("GET", "/readyz").json()["status"], "ok");
    }
    server.signal(Signal::TERM);
    eventually(LIMIT, "new clients to be refused", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err()
    });

    let [readyz, value, hit] = &mut open;
    let answer = readyz.ask("GET", "/readyz");
    assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
    assert_eq!(answer.json()["status"], "draining");
    readyz.ends();
    let answer = value.ask("GET", "/v1/keys/upload");
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    value.ends();
    let answer = hit.ask("GET", "/v1/keys/hot");
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    hit.ends();

    held.finish();
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().contains("drained"), "{}", server.log());
}

#[test]
fn draining_does_not_wait_for_idle_clients() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    let (mut idle, _silent) = (server.wire(), server.wire());
    assert_eq!(idle.ask("GET", "/livez").status, 200);
    let (status, took) = server.terminate();
    assert!(status.code() == Some(0) && took < AT_ONCE, "{status} after {took:?}");
    idle.ends();
}

#[test]
fn sigint_drains() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    server.signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().contains("drained"), "{}", server.log());
}

#[test]
fn a_second_signal_stops_at_once() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    let _upload = HeldRequest::begin(&server);
    server.signal(Signal::TERM);
    eventually(LIMIT, "draining", || server.log().contains("draining"));
    let (status, took) = server.terminate();
    assert!(status.code() == Some(0) && took < AT_ONCE, "{status} after {took:?}");
    assert!(server.log().contains("second signal"), "{}", server.log());
}

#[test]
fn draining_ends_at_the_timeout() {
    let server = Server::start(&["--drain-timeout", "300ms"]);
    let _upload = HeldRequest::begin(&server);
    let (status, took) = server.terminate();
    assert!(status.code() == Some(0) && took < AT_ONCE, "{status} after {took:?}");
    assert!(server.log().contains("drain-timeout expired"), "{}", server.log());
}

#[test]
fn a_taken_port_is_reported() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let (code, log) = builder().args(&["--http-port", &port]).fails_with();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains(&format!("127.0.0.1:{port} is in use by another program")), "{log}");
    assert!(log.contains("--http-port"), "{log}");
}

#[test]
fn every_error_of_a_configuration_is_listed() {
    let mistakes = "nonsense = 1\n[http]\nport = 'many'\nmax-body = '1gb'\n";
    let (code, log) = builder().config_text(mistakes).fails_with();
    assert_eq!(code, 78, "{log}");
    for mistake in ["nonsense", "port", "max-body"] {
        assert!(log.contains(mistake), "{mistake} is not in {log}");
    }
}

#[test]
fn a_busy_client_of_a_draining_server_loses_no_response() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    assert_eq!(server.put("/v1/keys/hot", "v").status, 204);
    let mut clients: Vec<_> = (0..20).map(|_| server.wire()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("GET", "/get/hot").status, 200);
    }
    std::thread::scope(|scope| {
        for (number, client) in clients.iter_mut().enumerate() {
            scope.spawn(move || {
                let target = if number % 2 == 0 { "/get/hot" } else { "/get/absent" };
                // Fails if the connection ends before the response.
                while client.ask("GET", target).header("connection") != Some("close") {}
                client.ends();
            });
        }
        server.signal(Signal::TERM);
    });
    assert_eq!(server.wait().code(), Some(0));
}
