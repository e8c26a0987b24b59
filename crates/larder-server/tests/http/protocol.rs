//! HTTP/1.1 itself: malformed requests, size limits, body lengths, pipelining and request targets.

use std::time::Duration;

use larder_testkit::http::{AfterSend, raw_within};

use crate::client::{head, request};
use crate::server::Server;

#[test]
fn malformed_requests_are_refused() {
    let server = Server::start(&[]);
    let noise: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for bytes in [
        &noise[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET  /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /livez HTTP/9.9\r\nhost: localhost\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nhost: localhost\r\n\r\n",
        b"GET /live z HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /livez\0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"G\x00T /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost : localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: local\0host\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: localhost\r\n folded: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n: x\r\n\r\n",
    ] {
        expect_refusal(&server, bytes, &[400]);
    }
    // A client that speaks only HTTP/2 gets no response in HTTP/1.
    let silence = raw_within(
        server.port(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        AfterSend::Wait,
        Duration::from_secs(20),
    );
    assert_eq!(silence, b"");
    server.assert_still_serves();
}

#[test]
fn the_request_line_and_headers_have_size_limits() {
    let server = Server::start(&[]);
    let long = |bytes: usize| "k".repeat(bytes);
    expect_refusal(
        &server,
        &request("GET", &format!("/get/{}", long(1 << 20)), &[], b""),
        &[414, 431],
    );
    expect_refusal(&server, &request("GET", &format!("/get/{}", long(70_000)), &[], b""), &[414]);
    expect_refusal(&server, &request("GET", "/livez", &[("x", &long(200_000))], b""), &[431]);
    let many: Vec<_> = (0..200).map(|_| ("x", "y")).collect();
    expect_refusal(&server, &request("GET", "/livez", &many, b""), &[431]);
    assert_eq!(server.get("/livez", &[("x", &long(60_000))]).status, 200);
    server.assert_still_serves();
}

#[test]
fn ambiguous_body_lengths_are_refused() {
    let server = Server::start(&[]);
    let ambiguous: [&[(&str, &str)]; 9] = [
        &[("content-length", "4"), ("content-length", "5")],
        &[("content-length", "4, 5")],
        &[("content-length", "+4")],
        &[("content-length", "0x4")],
        &[("content-length", "-1")],
        &[("content-length", "99999999999999999999999")],
        &[("transfer-encoding", "xchunked")],
        &[("transfer-encoding", "chunked, identity")],
        &[("transfer-encoding", "gzip")],
    ];
    for headers in ambiguous {
        let smuggled = [head("PUT", "/v1/keys/k", headers), request("GET", "/livez", &[], b"")];
        expect_refusal(&server, &smuggled.concat(), &[400]);
    }
    let http_1_0 =
        b"PUT /v1/keys/k HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    expect_refusal(&server, http_1_0, &[400]);

    // If a request has both headers, chunked encoding wins and the connection closes.
    for headers in [
        [("content-length", "42"), ("transfer-encoding", "chunked")],
        [("transfer-encoding", "chunked"), ("content-length", "4")],
    ] {
        let mut client = server.client();
        client.write(&head("PUT", "/v1/keys/k", &headers));
        client.write(b"1\r\nv\r\n0\r\n\r\n");
        client.write(&request("PUT", "/v1/keys/smuggled", &[], b"x"));
        assert_eq!(client.response().status, 204);
        client.expect_close();
        assert_eq!(server.get("/v1/keys/k", &[]).text(), "v");
    }
    assert_eq!(server.get("/v1/keys/smuggled", &[]).status, 404);
    server.assert_still_serves();
}

#[test]
fn a_repeated_equal_content_length_is_accepted() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.write(&head("PUT", "/v1/keys/k", &[("content-length", "1"), ("content-length", "1")]));
    client.write(b"v");
    assert_eq!(client.response().status, 204);
    assert_eq!(client.send("GET", "/v1/keys/k").text(), "v");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let mut bytes = Vec::new();
    for number in 0..200 {
        let value = number.to_string();
        bytes.extend(request("PUT", &format!("/v1/keys/k{}", number % 7), &[], value.as_bytes()));
        bytes.extend(request("GET", &format!("/v1/keys/k{}", number % 7), &[], b""));
        bytes.extend(request("GET", "/get/%", &[], b""));
    }
    client.write(&bytes);
    for number in 0..200 {
        assert_eq!(client.response().status, 204);
        assert_eq!(client.response().text(), number.to_string());
        assert_eq!(client.response().status, 400);
    }
}

#[test]
fn the_connection_closes_after_an_http_1_0_response() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.write(b"GET /livez HTTP/1.0\r\nhost: localhost\r\n\r\n");
    assert_eq!(client.response().text(), "ok\n");
    client.expect_close();
    let mut client = server.client();
    client.write(b"GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().text(), "ok\n");
    client.expect_close();
}

#[test]
fn an_http_1_0_request_needs_no_host() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for (line, status) in [
        ("GET /v1/keys/k", 200),
        ("GET http://localhost/v1/keys/k", 200),
        ("GET http://evil.example/v1/keys/k", 403),
    ] {
        let mut client = server.client();
        client.write(format!("{line} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(client.response().status, status, "{line}");
    }
    let mut client = server.client();
    client.write(b"GET /v1/keys/k HTTP/1.0\r\nhost: evil.example\r\n\r\n");
    assert_eq!(client.response().status, 403);
}

#[test]
fn every_form_of_request_target_passes_the_same_checks() {
    let server = Server::start(&[]);
    for (line, status) in [
        ("OPTIONS *", 404),
        ("GET *", 404),
        ("CONNECT localhost:80", 404),
        ("CONNECT evil.example:80", 403),
        ("GET http://localhost/livez", 200),
        ("GET HTTP://LOCALHOST:8000/livez", 200),
        ("GET http://evil.example/metrics", 403),
        ("GET http://user@localhost/metrics", 403),
        ("GET //livez", 404),
        ("GET /livez/..", 404),
        ("GET /./livez", 404),
    ] {
        let mut client = server.client();
        client.write(format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        assert_eq!(client.response().status, status, "{line}");
    }
    server.assert_still_serves();
}

#[test]
fn an_upgrade_request_is_ignored() {
    let server = Server::start(&[]);
    let upgrade = [("connection", "upgrade"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")];
    assert_eq!(server.get("/livez", &upgrade).text(), "ok\n");
}

/// Sends the bytes and asserts that the server responds with one of the statuses and closes.
fn expect_refusal(server: &Server, bytes: &[u8], statuses: &[u16]) {
    let mut client = server.client();
    client.try_write(bytes);
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
    let response = client.response();
    assert!(statuses.contains(&response.status), "{shown:?}: {}", response.head);
    assert_eq!(response.header("connection"), Some("close"), "{shown:?}: {}", response.head);
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{shown:?}");
    assert_eq!(response.json()["status"], response.status, "{shown:?}");
    assert!(!response.detail().is_empty(), "{shown:?}");
    client.expect_close();
}
