//! `/get`, `/set` and `/v1/keys`: reading, writing and deleting keys.

use serde_json::json;

use crate::server::Server;

#[test]
fn values_are_returned_as_strings_and_never_parsed() {
    let server = Server::start(&[]);
    for value in
        ["007", "1e3", "null", "true", r#"{"a": [1]}"#, "\"q\"", " ", "", "é\u{0}\n", "1.0"]
    {
        assert_eq!(server.put("/v1/keys/k", value).status, 204);
        assert_eq!(server.get("/get/k", &[]).json(), json!({ "key": "k", "value": value }));
        let raw = server.get("/v1/keys/k", &[]);
        assert_eq!((raw.status, raw.text()), (200, value));
        assert_eq!(raw.header("content-type"), Some("application/octet-stream"));
        assert_eq!(raw.header("x-content-type-options"), Some("nosniff"));

        let encoded: Vec<_> = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let set = server.put(&format!("/set/k/{}", encoded.concat()), "");
        assert_eq!((set.status, set.json()), (200, json!({ "key": "k", "value": value })));
        assert_eq!(server.get("/v1/keys/k", &[]).text(), value);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_base64_encoded_in_json() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/%FF%00", [0xff, 0xfe, 0]).status, 204);
    let expected = json!({
        "key": "/wA=", "key-encoding": "base64", "value": "//4A", "encoding": "base64",
    });
    assert_eq!(server.get("/get/%ff%00", &[]).json(), expected);
    assert_eq!(server.put("/set/%FF%00/%FF%FE%00", "").json(), expected);
    let raw = server.get("/get/%FF%00", &[("accept", "application/octet-stream")]);
    assert_eq!(raw.body, [0xff, 0xfe, 0]);
    assert_eq!(raw.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn a_key_may_be_any_bytes() {
    let server = Server::start(&[]);
    let spellings = [
        "a", "A", "a%20b", "a+b", "a/b", "a//b", "/a", "a/", "%00", "%FF", "%C3%A9", ".", "..",
        "a/../b", "%25", "%2541", "a%3Fb", "a%23b", "a:b", "%7B%7D", "~", "%0D%0A", "*",
    ];
    for (number, spelling) in spellings.iter().enumerate() {
        let target = format!("/v1/keys/{spelling}");
        assert_eq!(server.put(&target, number.to_string()).status, 204, "{spelling}");
    }
    for (number, spelling) in spellings.iter().enumerate() {
        for route in ["/v1/keys/", "/get/"] {
            let raw = [("accept", "application/octet-stream")];
            let response = server.get(&format!("{route}{spelling}"), &raw);
            assert_eq!(
                (response.status, response.text()),
                (200, &*number.to_string()),
                "{spelling}"
            );
        }
    }
    for (one, same) in [("a/b", "a%2fb"), ("a", "%61"), ("%C3%A9", "%c3%a9"), ("..", "%2e%2E")] {
        let (one, same) = (format!("/v1/keys/{one}"), format!("/v1/keys/{same}"));
        assert_eq!(server.get(&one, &[]).body, server.get(&same, &[]).body, "{one} {same}");
    }
}

#[test]
fn empty_and_too_long_keys_are_refused() {
    let server = Server::start(&[]);
    for target in ["/get/", "/v1/keys/", "/set/", "/set//v", "/v1/keys/?ttl=1"] {
        for method in ["GET", "PUT", "DELETE"] {
            let response = server.send(method, target, &[], b"");
            let expected = if method != "PUT" && target == "/set//v" { 405 } else { 400 };
            assert_eq!(response.status, expected, "{method} {target}: {}", response.detail());
        }
    }
    let longest = "k".repeat(16 << 10);
    assert_eq!(server.put(&format!("/set/{longest}/v"), "").status, 200);
    assert_eq!(server.get(&format!("/v1/keys/{longest}"), &[]).text(), "v");
    let response = server.get(&format!("/v1/keys/{longest}k"), &[]);
    assert_eq!((response.status, response.detail().contains("16384")), (414, true));
}

#[test]
fn only_put_and_post_may_set() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/set/greeting/hello", "").status, 200);
    for method in ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS"] {
        let response = server.send(method, "/set/greeting/bye", &[], b"");
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("PUT, POST")),
            "{method}"
        );
        if method != "HEAD" {
            assert!(
                response.detail().contains("use PUT /set/{key}/{value}"),
                "{}",
                response.detail()
            );
        }
    }
    assert_eq!(server.get("/get/greeting", &[]).json()["value"], "hello");
    assert_eq!(server.send("POST", "/set/greeting/servus", &[], b"").status, 200);
    assert_eq!(server.get("/get/greeting", &[]).json()["value"], "servus");
}

#[test]
fn a_set_path_has_exactly_a_key_and_a_value() {
    let server = Server::start(&[]);
    for target in ["/set/a", "/set/a/b/c", "/set/a/b/"] {
        let response = server.put(target, "");
        assert_eq!((response.status, response.detail().contains("%2F")), (400, true), "{target}");
    }
    let set = server.put("/set/a%2Fb/c%2Fd", "");
    assert_eq!(set.json(), json!({ "key": "a/b", "value": "c/d" }));
    assert_eq!(server.put("/set/empty/", "").json(), json!({ "key": "empty", "value": "" }));
}

#[test]
fn a_deleted_key_is_not_found() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    assert_eq!(server.get("/get/k", &[]).status, 200);
    let deleted = server.send("DELETE", "/v1/keys/k", &[], b"");
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    for (method, target) in [("GET", "/get/k"), ("GET", "/v1/keys/k"), ("DELETE", "/v1/keys/k")] {
        let response = server.send(method, target, &[], b"");
        assert_eq!(
            (response.status, &*response.detail()),
            (404, "key not found"),
            "{method} {target}"
        );
    }
}

#[test]
fn an_unexpected_query_is_refused() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/really", "v").status, 204);
    for (method, target) in
        [("GET", "/get/really?"), ("GET", "/v1/keys/really?x"), ("DELETE", "/v1/keys/really?x")]
    {
        let response = server.send(method, target, &[], b"");
        let expected = if target.ends_with('?') { 200 } else { 400 };
        assert_eq!(response.status, expected, "{method} {target}");
    }
    assert_eq!(server.get("/v1/keys/really", &[]).text(), "v");
}

#[test]
fn accept_selects_the_representation() {
    let server = Server::start(&[]);
    assert_eq!(server.put("/v1/keys/k", "v").status, 204);
    for (accept, media_type) in [
        ("*/*", Some("application/json")),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Some("application/json")),
        ("application/octet-stream", Some("application/octet-stream")),
        ("application/json;q=0.5, application/octet-stream", Some("application/octet-stream")),
        ("image/png", None),
        ("application/json;q=0", None),
    ] {
        let response = server.get("/get/k", &[("accept", accept)]);
        match media_type {
            Some(_) => assert_eq!(response.header("content-type"), media_type, "{accept}"),
            None => assert_eq!((response.status, response.detail().is_empty()), (406, false)),
        }
    }
}

#[test]
fn head_returns_the_headers_of_get() {
    let server = Server::start(&["--near-ttl", "1h"]);
    assert_eq!(server.put("/v1/keys/k", "value").status, 204);
    for target in
        ["/v1/keys/k", "/get/k", "/get/absent", "/get/%zz", "/livez", "/readyz", "/docs/", "/no"]
    {
        let mut client = server.client();
        let (get, head) = (client.send("GET", target), client.send("HEAD", target));
        // On the same connection: a body after HEAD would be read as the next response.
        assert_eq!(client.send("GET", "/livez").text(), "ok\n");
        assert_eq!(get.status, head.status, "{target}");
        let names = |head: &str| {
            let lines = head.lines().filter(|line| !line.starts_with("date: "));
            lines.filter(|line| !line.starts_with("cache-status: ")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(names(&get.head), names(&head.head));
        assert!(!get.body.is_empty() && head.body.is_empty());
    }
}
