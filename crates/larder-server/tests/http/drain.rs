//! Draining: requests in flight are answered and new clients are refused. Also startup failures.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use larder_testkit::{Signal, eventually};

use crate::client::{LIMIT, request};
use crate::limits::HeldRequest;
use crate::server::{Server, builder};

/// Much shorter than the drain timeout of the tests that use it.
const AT_ONCE: Duration = Duration::from_secs(5);
/// `docker stop` kills a container after this time.
const WITHIN_DOCKERS_GRACE: Duration = Duration::from_secs(10);

#[test]
fn a_draining_server_answers_requests_in_flight_and_refuses_new_clients() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    assert_eq!(server.put("/v1/keys/hot", "v").status, 204);
    assert_eq!(server.get("/v1/keys/hot", &[]).status, 200);
    let held = HeldRequest::begin(&server);
    let mut open = [server.client(), server.client(), server.client()];
    for client in &mut open {
        assert_eq!(client.send("GET", "/readyz").json()["status"], "ok");
    }
    server.signal(Signal::TERM);
    eventually(LIMIT, "new clients to be refused", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err()
    });

    let [readyz, value, hit] = &mut open;
    let response = readyz.send("GET", "/readyz");
    assert_eq!((response.status, response.header("connection")), (503, Some("close")));
    assert_eq!(response.json()["status"], "draining");
    readyz.expect_close();
    let response = value.send("GET", "/v1/keys/upload");
    assert_eq!((response.status, response.header("connection")), (404, Some("close")));
    value.expect_close();
    let response = hit.send("GET", "/v1/keys/hot");
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    hit.expect_close();

    held.finish();
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().contains("drained"), "{}", server.log());
}

#[test]
fn draining_does_not_wait_for_idle_clients() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    let (mut idle, _silent) = (server.client(), server.client());
    assert_eq!(idle.send("GET", "/livez").status, 200);
    let (status, took) = server.terminate();
    assert!(status.code() == Some(0) && took < AT_ONCE, "{status} after {took:?}");
    idle.expect_close();
}

#[test]
fn sigint_and_sigquit_drain() {
    for signal in [Signal::INT, Signal::QUIT] {
        let server = Server::start(&["--drain-timeout", "60s"]);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        assert!(server.log().contains("drained"), "{}", server.log());
    }
}

#[test]
fn sighup_and_the_user_signals_are_ignored_with_a_log_line() {
    let server = Server::start(&[]);
    for (signal, name) in
        [(Signal::HUP, "SIGHUP"), (Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")]
    {
        server.signal(signal);
        let line = format!("{name} is ignored");
        eventually(LIMIT, &line, || server.log().contains(&line));
    }
    server.assert_still_serves();
    assert!(!server.log().contains("draining"), "{}", server.log());
}

#[test]
fn draining_does_not_wait_for_a_client_that_reads_nothing() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    assert_eq!(server.put("/v1/keys/large", vec![b'v'; 32 << 20]).status, 204);
    let mut client = server.client();
    client.write(&request("GET", "/v1/keys/large", &[], b""));
    eventually(LIMIT, "the response to begin", || client.has_response());
    let (status, took) = server.terminate();
    assert!(status.code() == Some(0) && took < WITHIN_DOCKERS_GRACE, "{status} after {took:?}");
    assert!(server.log().contains("drained"), "{}", server.log());
}

#[test]
fn a_second_signal_stops_at_once() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    let _held = HeldRequest::begin(&server);
    server.signal(Signal::TERM);
    eventually(LIMIT, "draining", || server.log().contains("draining"));
    let (status, took) = server.terminate();
    assert!(status.code() == Some(0) && took < AT_ONCE, "{status} after {took:?}");
    assert!(server.log().contains("second signal"), "{}", server.log());
}

#[test]
fn draining_ends_at_the_timeout() {
    let server = Server::start(&["--drain-timeout", "300ms"]);
    let _held = HeldRequest::begin(&server);
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
fn every_configuration_error_is_listed() {
    let invalid = "nonsense = 1\n[http]\nport = 'many'\nmax-body = '1gb'\n";
    let (code, log) = builder().config_text(invalid).fails_with();
    assert_eq!(code, 78, "{log}");
    for name in ["nonsense", "port", "max-body"] {
        assert!(log.contains(name), "{name} is not in {log}");
    }
}

#[test]
fn a_client_loses_no_response_of_a_draining_server() {
    let server = Server::start(&["--drain-timeout", "60s"]);
    assert_eq!(server.put("/v1/keys/hot", "v").status, 204);
    let mut clients: Vec<_> = (0..20).map(|_| server.client()).collect();
    for client in &mut clients {
        assert_eq!(client.send("GET", "/get/hot").status, 200);
    }
    std::thread::scope(|scope| {
        for (number, client) in clients.iter_mut().enumerate() {
            scope.spawn(move || {
                let target = if number % 2 == 0 { "/get/hot" } else { "/get/absent" };
                // Fails if the connection ends before the response.
                while client.send("GET", target).header("connection") != Some("close") {}
                client.expect_close();
            });
        }
        server.signal(Signal::TERM);
    });
    assert_eq!(server.wait().code(), Some(0));
}
