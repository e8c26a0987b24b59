//! Errors: every error is a `problem+json` that says how to correct the request.

use crate::client::{Client, Response};
use crate::server::Server;

#[test]
fn unknown_paths_are_not_found() {
    let server = Server::start(&[]);
    for target in
        ["/", "/nothing", "/get", "/set", "/v1", "/v1/", "/v1/keys", "/livez/", "/v1/stats/x"]
    {
        for method in ["GET", "PUT", "DELETE", "PROPFIND"] {
            let response = server.send(method, target, &[], b"");
            assert_eq!(response.status, 404, "{method} {target}");
            assert!(response.detail().contains("/docs lists"), "{}", response.detail());
        }
    }
    let response = server.get("/docs/nothing.js", &[]);
    assert_eq!((response.status, response.detail().is_empty()), (404, false));
}

#[test]
fn a_405_lists_the_allowed_methods() {
    let server = Server::start(&[]);
    for (target, allow) in [
        ("/get/k", "GET,HEAD"),
        ("/set/k/v", "PUT, POST"),
        ("/v1/keys/k", "GET,HEAD,PUT,DELETE"),
        ("/v1/stats", "GET,HEAD"),
        ("/metrics", "GET,HEAD"),
        ("/livez", "GET,HEAD,OPTIONS"),
        ("/readyz", "GET,HEAD,OPTIONS"),
        ("/openapi.json", "GET,HEAD"),
        ("/docs", "GET,HEAD"),
        ("/docs/", "GET,HEAD"),
    ] {
        for method in ["PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"] {
            if allow.contains(method) {
                continue;
            }
            let response = server.send(method, target, &[], b"");
            assert_eq!(
                (response.status, response.header("allow")),
                (405, Some(allow)),
                "{method} {target}"
            );
            assert!(response.detail().starts_with(method), "{}", response.detail());
        }
    }
}

#[test]
fn broken_percent_encoding_is_refused_on_every_route() {
    let server = Server::start(&[]);
    for part in ["%", "%4", "%zz", "a%2", "%%41", "%u0041", "a%"] {
        for (method, target) in [
            ("GET", format!("/get/{part}")),
            ("PUT", format!("/set/{part}/v")),
            ("POST", format!("/set/k/{part}")),
            ("GET", format!("/v1/keys/{part}")),
            ("PUT", format!("/v1/keys/{part}")),
            ("DELETE", format!("/v1/keys/{part}")),
        ] {
            let response = server.send(method, &target, &[], b"");
            assert_eq!(response.status, 400, "{method} {target}");
            assert!(response.detail().contains("%25"), "{}", response.detail());
        }
    }
    server.assert_still_serves();
}

#[test]
fn conditional_writes_are_refused_and_change_nothing() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for name in ["if-match", "if-none-match", "if-unmodified-since"] {
        for (method, target) in [
            ("PUT", "/v1/keys/k"),
            ("DELETE", "/v1/keys/k"),
            ("PUT", "/set/k/w"),
            ("POST", "/set/k/w"),
        ] {
            let response = server.send(method, target, &[(name, "*")], b"");
            assert_eq!(
                (response.status, response.detail().contains(name)),
                (501, true),
                "{method}"
            );
        }
    }
    assert_eq!(server.get("/v1/keys/k", &[]).text(), "v");
}

#[test]
fn browsers_do_not_sniff_the_type_of_a_problem() {
    let server = Server::start(&[]);
    let response = server.put("/v1/keys/k?%3Cscript%3E", "");
    assert_eq!(
        (response.status, response.header("x-content-type-options")),
        (400, Some("nosniff"))
    );
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
}

#[test]
fn the_connection_stays_open_after_an_error() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for (method, target, status) in [
        ("GET", "/get/absent", 404),
        ("GET", "/nothing", 404),
        ("PATCH", "/get/k", 405),
        ("GET", "/get/%", 400),
        ("HEAD", "/get/%", 400),
        ("GET", "/livez", 200),
    ] {
        assert_eq!(
            keep_alive_response(&mut client, method, target).status,
            status,
            "{method} {target}"
        );
    }
}

fn keep_alive_response(client: &mut Client, method: &str, target: &str) -> Response {
    let response = client.send(method, target);
    assert_ne!(response.header("connection"), Some("close"));
    assert!(response.header("date").is_some() && response.header("content-length").is_some());
    response
}
