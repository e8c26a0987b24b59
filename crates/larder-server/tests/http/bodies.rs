//! Bodies that are too large, truncated, malformed or encoded are refused, and nothing is stored.

use crate::client::{head, request};
use crate::server::Server;

/// Several times the size of the buffers of two sockets.
const LARGE: usize = 64 << 20;

#[test]
fn a_content_length_above_the_limit_is_refused_before_the_body() {
    let server = Server::start(&[]);
    for length in ["629145600", "9223372036854775807", "18446744073709551613"] {
        let mut client = server.client();
        client.write(&head("PUT", "/v1/keys/k", &[("content-length", length)]));
        let response = client.response();
        assert_eq!(response.status, 413, "{length}");
        assert!(response.detail().contains("67108864"), "{}", response.detail());
    }
    assert_eq!(server.get("/v1/keys/k", &[]).status, 404);
    server.assert_still_serves();
}

#[test]
fn the_size_limit_is_exact() {
    let server = Server::start(&["--http-max-body", "1kb"]);
    assert_eq!(server.put("/v1/keys/k", [b'v'; 1024]).status, 204);
    assert_eq!(server.put("/v1/keys/k", [b'w'; 1025]).status, 413);
    for (last, status) in [("1ff", 413), ("200", 413), ("100", 204)] {
        let size = usize::from_str_radix(last, 16).unwrap();
        let chunks = [chunk(&[b'x'; 768]), chunk(&vec![b'x'; size]), chunk(b"")].concat();
        let mut client = server.client();
        client.write(&head("PUT", "/v1/keys/k", &[("transfer-encoding", "chunked")]));
        client.write(&chunks);
        assert_eq!(client.response().status, status, "{last}");
    }
    assert_eq!(server.get("/v1/keys/k", &[]).body, [b'x'; 1024]);
}

/// Closing a connection over unread bytes resets it, which would discard the response.
#[test]
fn a_refused_upload_still_gets_its_response() {
    let server = Server::start_with(|larder| {
        larder.args(&["--http-max-body", "1mb"]).env("LARDER_HTTP_TOKEN", "t")
    });
    let token = ("authorization", "Bearer t");
    let (length, chunked) = (LARGE.to_string(), ("transfer-encoding", "chunked"));
    let length = ("content-length", length.as_str());
    for (target, headers, status) in [
        ("/v1/keys/k", [token, length], 413),
        ("/v1/keys/k", [token, chunked], 413),
        ("/v1/keys/k", [("x", "y"), length], 401),
        ("/v1/keys/k?ttl=0", [token, length], 400),
        ("/get/k", [token, length], 405),
        ("/nothing", [token, length], 404),
    ] {
        let body = match headers[1] == chunked {
            true => [chunk(&vec![b'v'; LARGE]), chunk(b"")].concat(),
            false => vec![b'v'; LARGE],
        };
        let mut client = server.client();
        client.write(&head("PUT", target, &headers));
        client.write(&body);
        assert_eq!(client.response().status, status, "{target} {headers:?}");
        client.write(&request("GET", "/livez", &[], b""));
        assert_eq!(client.response().text(), "ok\n", "the connection stays open");
    }
}

#[test]
fn expect_100_continue_is_answered_before_the_body() {
    let server = Server::start(&["--http-max-body", "1kb"]);
    let expect = ("expect", "100-continue");
    let mut client = server.client();
    client.write(&head("PUT", "/v1/keys/k", &[expect, ("content-length", "1025")]));
    assert_eq!(client.response().status, 413, "instead of 100");
    client.expect_close();

    let mut client = server.client();
    client.write(&head("PUT", "/v1/keys/k", &[expect, ("content-length", "5")]));
    assert_eq!(client.response().status, 100);
    client.write(b"hello");
    assert_eq!(client.response().status, 204);
    assert_eq!(server.get("/v1/keys/k", &[]).text(), "hello");
}

#[test]
fn a_truncated_body_changes_nothing() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "whole").status, 204);
    let length = ("content-length", "629145");
    let chunked = ("transfer-encoding", "chunked");
    let cut_chunk = [&chunk(b"part")[..], b"ff\r\npart"].concat();
    for (header, body) in
        [(length, &b"part"[..]), (chunked, &cut_chunk), (chunked, &chunk(b"part")), (chunked, b"")]
    {
        let mut client = server.client();
        client.write(&head("PUT", "/v1/keys/k", &[header]));
        client.write(body);
        client.half_close();
        if let Some(response) = client.try_response("PUT") {
            assert_eq!((response.status, response.detail().is_empty()), (400, false));
        }
        client.expect_close();
        assert_eq!(server.get("/v1/keys/k", &[]).text(), "whole", "{header:?}");
    }
    server.assert_still_serves();
}

#[test]
fn malformed_chunks_change_nothing() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "whole").status, 204);
    for body in [
        "zz\r\npart\r\n0\r\n\r\n",
        "-4\r\npart\r\n0\r\n\r\n",
        "4\r\npartly\r\n0\r\n\r\n",
        "4 \n part",
        "ffffffffffffffffff\r\npart\r\n0\r\n\r\n",
        "\r\n\r\n",
    ] {
        let mut client = server.client();
        client.write(&head("PUT", "/v1/keys/k", &[("transfer-encoding", "chunked")]));
        client.write(body.as_bytes());
        let response = client.response();
        assert_eq!((response.status, response.detail().is_empty()), (400, false), "{body}");
        client.expect_close();
        assert_eq!(server.get("/v1/keys/k", &[]).text(), "whole", "{body}");
    }
    server.assert_still_serves();
}

#[test]
fn encoded_multipart_and_partial_bodies_are_refused() {
    let server = Server::start(&[]);
    for (name, value, status) in [
        ("content-type", "multipart/form-data; boundary=x", 415),
        ("content-type", "Multipart/Mixed", 415),
        ("content-type", "nonsense", 415),
        ("content-type", "", 415),
        ("content-type", "a/b/c", 415),
        ("content-type", "text/pl ain", 415),
        ("content-encoding", "gzip", 415),
        ("content-encoding", "identity", 415),
        ("content-range", "bytes 0-3/10", 400),
    ] {
        let response = server.send("PUT", "/v1/keys/k", &[(name, value)], b"part");
        assert_eq!(response.status, status, "{name}: {value}: {}", response.detail());
    }
    assert_eq!(server.get("/v1/keys/k", &[]).status, 404);
    for media_type in
        ["text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded"]
    {
        let put = server.send("PUT", "/v1/keys/k", &[("content-type", media_type)], b"a=%41");
        assert_eq!(put.status, 204, "{media_type}");
        assert_eq!(server.get("/v1/keys/k", &[]).text(), "a=%41");
    }
}

#[test]
fn an_unexpected_body_is_skipped() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for method in ["GET", "DELETE", "POST"] {
        client.write(&request(method, "/livez", &[], b"GET /get/k HTTP/1.1\r\n\r\n"));
        let expected = if method == "GET" { 200 } else { 405 };
        assert_eq!(client.response().status, expected, "{method}");
    }
    assert_eq!(client.send("GET", "/livez").text(), "ok\n");
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
