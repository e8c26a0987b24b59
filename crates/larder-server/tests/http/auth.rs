//! Requests that are refused: foreign hosts, pages of other sites, missing or wrong tokens.

use crate::client::Response;
use crate::server::Server;

const TOKEN: &str = "a-token-of-this-test";

#[test]
fn a_request_needs_exactly_one_allowed_host() {
    let server = Server::start(&["--http-allowed-hosts", "cache.example.com"]);
    let response_to = |hosts: &[&str]| {
        let mut client = server.client();
        let hosts: Vec<_> = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        let hosts = hosts.concat();
        client.write(format!("GET /v1/stats HTTP/1.1\r\n{hosts}\r\n").as_bytes());
        client.response()
    };
    for host in ["localhost", "127.0.0.1:8000", "[::1]:8000", "larder", "CACHE.example.com:80"] {
        assert_eq!(response_to(&[host]).status, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "", "a b"]
    {
        let response = response_to(&[host]);
        assert_eq!(response.status, 403, "{host}");
        assert!(response.detail().contains("http-allowed-hosts"), "{}", response.detail());
    }
    // Values that the fast path answers are refused, too.
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for target in ["/get/k", "/v1/keys/k"] {
        assert_eq!(server.get(target, &[]).status, 200);
        let mut client = server.client();
        client.write(format!("GET {target} HTTP/1.1\r\nhost: evil.example\r\n\r\n").as_bytes());
        assert_eq!(client.response().status, 403, "{target}");
    }
    for hosts in [&[][..], &["localhost", "localhost"], &["localhost", "evil.example"]] {
        let response = response_to(hosts);
        assert_eq!(response.status, 400, "{hosts:?}");
        assert!(response.detail().contains("one Host"), "{}", response.detail());
    }
    server.assert_still_serves();
}

#[test]
fn health_is_reported_to_every_host_and_its_reasons_only_to_known_ones() {
    let server = Server::start(&["--http-token", TOKEN]);
    let token = format!("Bearer {TOKEN}");
    let on = server.send("PUT", "/v1/passthrough/on", &[("authorization", &token)], b"");
    assert_eq!(on.status, 200, "{}", on.text());
    let response_to = |request: &str| {
        let mut client = server.client();
        client.write(request.as_bytes());
        client.response()
    };
    for host in ["evil.example", "10.0.0.1.evil.example:80", "", "a b"] {
        let livez = response_to(&format!("GET /livez HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!(livez.text(), "ok\n", "{host}");
        let readyz = response_to(&format!("GET /readyz HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!((readyz.status, readyz.json()["status"].as_str()), (200, Some("degraded")));
        assert_eq!(readyz.json()["problems"], serde_json::json!([]), "{host}");
    }
    // As HAProxy checks a server: `option httpchk /readyz` and `option httpchk GET /readyz`.
    for line in ["OPTIONS /readyz HTTP/1.0", "GET /readyz HTTP/1.0", "GET /livez HTTP/1.0"] {
        let response = response_to(&format!("{line}\r\n\r\n"));
        assert_eq!(response.status, 200, "{line}");
    }
    let known = response_to("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(known.json()["problems"].as_array().unwrap().len(), 1);
    let page = "GET /readyz HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n";
    assert_eq!(response_to(page).status, 403);
    assert_eq!(response_to("GET /livez HTTP/1.1\r\n\r\n").status, 400, "RFC 9112 requires it");
}

#[test]
fn requests_from_pages_of_other_sites_are_refused() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    let own = ("origin", "http://localhost");
    assert_eq!(server.send("PUT", "/v1/keys/own", &[own], b"v").status, 204);
    for headers in [
        &[("origin", "http://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://localhost:1")],
        &[own, ("origin", "http://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
    ] {
        for (method, target) in [
            ("GET", "/get/k"),
            ("POST", "/set/k/changed"),
            ("PUT", "/v1/keys/k"),
            ("DELETE", "/v1/keys/k"),
            ("OPTIONS", "/v1/keys/k"),
            ("GET", "/openapi.json"),
            ("GET", "/no/such/route"),
        ] {
            let response = server.send(method, target, headers, b"");
            assert_eq!(response.status, 403, "{method} {target} {headers:?}");
            assert!(response.detail().contains("another site"), "{}", response.detail());
            assert_eq!(response.header("access-control-allow-origin"), None);
        }
    }
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    assert_eq!(server.get("/get/k", &link).text(), r#"{"key":"k","value":"v"}"#);
    assert_eq!(server.send("POST", "/set/k/changed", &link, b"").status, 403, "a form submission");
    assert_eq!(server.get("/v1/keys/k", &[]).text(), "v");
}

#[test]
fn the_token_is_required() {
    let server = Server::start_with(|larder| {
        larder.env("LARDER_HTTP_TOKEN", TOKEN).env("RUST_LOG", "trace")
    });
    let bearer = format!("Bearer {TOKEN}");
    let lower_case = format!("bearer {TOKEN}");
    let longer = format!("Bearer {TOKEN}x");
    let shorter = &bearer[..bearer.len() - 1];
    let get = |target: &str, authorization: &str| -> Response {
        match authorization {
            "" => server.get(target, &[]),
            text => server.get(target, &[("authorization", text)]),
        }
    };
    let guarded = ["/get/k", "/v1/keys/k", "/v1/stats", "/metrics", "/no/such/route", "/set/k/v"];
    for target in guarded {
        for wrong in ["", TOKEN, "Bearer", "Bearer ", &longer, shorter, "Basic YTpi", "Bearer x"] {
            let response = get(target, wrong);
            assert_eq!(response.status, 401, "{target} {wrong}");
            assert_eq!(response.header("www-authenticate"), Some("Bearer"));
            assert!(response.detail().contains("http-token"), "{}", response.detail());
        }
        for right in [&bearer, &lower_case] {
            assert_ne!(get(target, right).status, 401, "{target}");
        }
    }
    for target in ["/livez", "/readyz", "/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"]
    {
        assert!(get(target, "").status < 400, "{target}");
    }
    assert_eq!(get("/docs/%2e%2e/v1/stats", "").status, 404, "an encoded path needs the token too");
    let log = server.log();
    assert!(log.contains("serving") && !log.contains(TOKEN), "{log}");
}
