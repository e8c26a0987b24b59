//! `/openapi.json` matches the server: each described operation is called as described, and the
//! response is one of those described.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::client::Response;
use crate::origins;
use crate::server::Server;

/// The described routes and their methods.
const ROUTES: [(&str, &str); 10] = [
    ("/get/{key}", "get"),
    ("/livez", "get"),
    ("/metrics", "get"),
    ("/readyz", "get"),
    ("/set/{key}/{value}", "get post put"),
    ("/users/{id}", "delete get"),
    ("/v1/keys/{key}", "delete get put"),
    ("/v1/passthrough", "get"),
    ("/v1/passthrough/{switch}", "put"),
    ("/v1/stats", "get"),
];

/// An order in which each operation succeeds.
const ORDER: [&str; 4] = ["put", "post", "get", "delete"];

#[test]
fn every_route_is_described() {
    let (server, _rows) = origins::start(|larder| larder);
    let api = description(&server);
    let described: Vec<(&str, String)> = members(&api["paths"])
        .iter()
        .map(|(path, item)| {
            let methods: BTreeSet<&str> = members(item).keys().map(String::as_str).collect();
            (path.as_str(), methods.into_iter().collect::<Vec<_>>().join(" "))
        })
        .collect();
    let described: Vec<(&str, &str)> =
        described.iter().map(|(path, methods)| (*path, methods.as_str())).collect();
    assert_eq!(described, ROUTES);
    // Methods that are not described are refused.
    for (path, methods) in described {
        for method in ["get", "put", "post", "delete", "patch"] {
            let described = methods.split(' ').any(|other| other == method);
            let target = target(path, &api["paths"][path]["get"]);
            if described {
                continue;
            }
            let response = server.send(&method.to_uppercase(), &target, &[], b"");
            assert_eq!(response.status, 405, "{method} {path}");
            assert_eq!(allowed(&response), usable_methods(&api["paths"][path]), "{method} {path}");
        }
    }
}

/// Returns the methods in `Allow` without `HEAD` and `OPTIONS`, which are not described.
fn allowed(response: &Response) -> BTreeSet<String> {
    let methods = response.header("allow").unwrap().split(',');
    methods
        .map(|method| method.trim().to_lowercase())
        .filter(|method| !["head", "options"].contains(&method.as_str()))
        .collect()
}

/// Returns the methods of a described path without those that always get 405.
fn usable_methods(item: &Value) -> BTreeSet<String> {
    let usable = |operation: &&Value| operation["responses"].get("405").is_none();
    members(item).iter().filter(|(_, it)| usable(it)).map(|(method, _)| method.clone()).collect()
}

#[test]
fn every_operation_returns_a_described_response() {
    let (server, _rows) = origins::start(|larder| larder);
    let api = description(&server);
    for method in ORDER {
        for (path, item) in members(&api["paths"]) {
            let Some(operation) = item.get(method) else { continue };
            let response = call(&server, method, &target(path, operation), operation);
            let expected = if (method, path.as_str()) == ("get", "/set/{key}/{value}") {
                405
            } else {
                success(operation)
            };
            assert_eq!(response.status, expected, "{method} {path}: {}", response.text());
            assert_is_described(&api, operation, &response);
        }
    }
}

#[test]
fn every_error_is_a_described_response() {
    let (server, _rows) = origins::start(|larder| larder);
    let api = description(&server);
    let errors: [(&[(&str, &str)], u16); 6] = [
        (&[("origin", "null")], 403),
        (&[("host", "x")], 400),
        (&[("cache-control", "only-if-cached")], 504),
        (&[("accept", "image/png")], 406),
        (&[("if-match", "*")], 501),
        (&[("if-match", "\"another\"")], 412),
    ];
    for (path, item) in members(&api["paths"]) {
        for (method, operation) in members(item) {
            for (headers, status) in errors {
                let target = target(path, operation).replace("greeting", "absent");
                let response = server.send(&method.to_uppercase(), &target, headers, b"");
                if response.status == status {
                    response.detail();
                }
                assert_is_described(&api, operation, &response);
            }
        }
    }
}

#[test]
fn operations_have_names_examples_and_error_responses() {
    let (server, _rows) = origins::start(|larder| larder);
    let api = description(&server);
    assert_eq!(api["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (path, item) in members(&api["paths"]) {
        for (method, operation) in members(item) {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is not unique");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
            let tag = &operation["tags"][0];
            assert!(list(&api["tags"]).iter().any(|it| it["name"] == *tag), "{name}");
            for parameter in list(&operation["parameters"]) {
                let has_example = parameter.get("example").is_some();
                assert!(has_example || parameter["in"] == "header", "{name}: {parameter}");
                assert!(parameter["description"].is_string(), "{name}: {parameter}");
            }
            for (status, response) in members(&operation["responses"]) {
                let response = resolve(&api, response);
                for (media_type, content) in response.get("content").map_or(&Map::new(), members) {
                    let has_example = content.get("example").is_some_and(|it| !it.is_null());
                    assert!(has_example, "{name} {status} {media_type}");
                }
                let is_error = status.parse::<u16>().unwrap() >= 400;
                let is_problem = || response["content"]["application/problem+json"].is_object();
                let is_readyz = (path.as_str(), status.as_str()) == ("/readyz", "503");
                assert!(!is_error || is_problem() || is_readyz, "{name} {status}");
            }
            let read = method == "get" && operation["responses"].get("404").is_some();
            if read {
                let headers = &operation["responses"]["200"]["headers"];
                assert!(headers["Cache-Status"].is_object() && headers["ETag"].is_object());
            }
        }
    }
}

#[test]
fn the_statistics_example_has_the_members_of_the_real_statistics() {
    let (server, _rows) = origins::start(|larder| larder);
    let api = description(&server);
    let content = &api["paths"]["/v1/stats"]["get"]["responses"]["200"]["content"];
    let example = &content["application/json"]["example"];
    let live = server.get("/v1/stats", &[]).json();
    assert_eq!(member_paths(example), member_paths(&live), "\n{example:#}\n{live:#}");
}

#[test]
fn the_token_is_described_if_one_is_set() {
    let (open, _rows) = origins::start(|larder| larder);
    let api = description(&open);
    assert!(api.get("security").is_none());
    assert!(api["components"].get("securitySchemes").is_none());
    assert!(api["components"]["responses"].get("401").is_none());
    let row = &api["paths"]["/users/{id}"]["get"];
    assert_eq!(row["parameters"][0]["example"], "7");
    assert!(row.to_string().contains("Ada"));

    let (closed, _rows) = origins::start(|larder| larder.env("LARDER_HTTP_TOKEN", "t"));
    let api = description(&closed);
    assert_eq!(api["security"][0]["http-token"], Value::Array(Vec::new()));
    assert_eq!(api["components"]["securitySchemes"]["http-token"]["scheme"], "bearer");
    assert!(!api["paths"].to_string().contains("Ada"), "rows require the token");
    for (path, item) in members(&api["paths"]) {
        for operation in members(item).values() {
            let is_open = operation.get("security").is_some();
            assert_eq!(is_open, path == "/livez" || path == "/readyz", "{path}");
            assert_eq!(operation["responses"].get("401").is_none(), is_open, "{path}");
        }
    }
}

/// Covers the files of the page. The browser tests cover the page itself.
#[test]
fn the_files_of_the_docs_page_are_served() {
    let server = Server::start(&[]);
    let short = server.get("/docs", &[]);
    assert_eq!((short.status, short.header("location")), (303, Some("/docs/")));
    let page = server.get("/docs/", &[]);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    for (file, media_type) in [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-initializer.js", "text/javascript"),
        ("index.html", "text/html"),
    ] {
        let response = server.get(&format!("/docs/{file}"), &[]);
        assert_eq!((response.status, response.header("content-type")), (200, Some(media_type)));
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
    let elsewhere = ["//", "https:", "validator.swagger.io"];
    let start = server.get("/docs/swagger-initializer.js", &[]);
    let config = start.text().split("SwaggerUIBundle(").nth(1).unwrap();
    assert!(config.contains("\"/openapi.json\""), "{config}");
    assert!(!elsewhere[1..].iter().any(|address| config.contains(address)), "{config}");
}

fn description(server: &Server) -> Value {
    let response = server.get("/openapi.json", &[]);
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

/// Returns the path and the query with the examples filled in.
fn target(path: &str, operation: &Value) -> String {
    let mut target = path.to_owned();
    for parameter in list(&operation["parameters"]) {
        let (name, example) = (parameter["name"].as_str().unwrap(), parameter["example"].as_str());
        match (parameter["in"].as_str().unwrap(), example) {
            ("path", Some(example)) => target = target.replace(&format!("{{{name}}}"), example),
            ("query", Some(example)) => target = format!("{target}?{name}={example}"),
            _ => {}
        }
    }
    target
}

fn call(server: &Server, method: &str, target: &str, operation: &Value) -> Response {
    let content = operation["requestBody"]["content"].as_object();
    let body = content.and_then(|content| content.iter().next());
    let method = method.to_uppercase();
    match body {
        Some((media_type, body)) => {
            let body = body["example"].as_str().unwrap();
            server.send(&method, target, &[("content-type", media_type)], body.as_bytes())
        }
        None => server.send(&method, target, &[], b""),
    }
}

/// Returns the described 2xx status.
fn success(operation: &Value) -> u16 {
    let mut statuses = members(&operation["responses"]).keys();
    statuses.find(|status| status.starts_with('2')).unwrap().parse().unwrap()
}

/// Asserts that the status is described with this media type and, for JSON, these members.
fn assert_is_described(api: &Value, operation: &Value, response: &Response) {
    let name = &operation["operationId"];
    let described = &operation["responses"][response.status.to_string()];
    assert!(described.is_object(), "{name} returned {}: {}", response.status, response.text());
    let described = resolve(api, described);
    let Some(media_type) = response.header("content-type") else {
        assert!(described.get("content").is_none(), "{name} {}", response.head);
        return;
    };
    let content = &described["content"][media_type];
    assert!(content.is_object(), "{name} returned {} as {media_type}", response.status);
    for header in described.get("headers").map_or(&Map::new(), members).keys() {
        assert!(response.header(header).is_some(), "{name} returned no {header}");
    }
    if media_type.ends_with("json") && !name.as_str().unwrap().starts_with("read_") {
        let example = member_paths(&content["example"]);
        assert!(
            example.is_superset(&member_paths(&response.json())),
            "{name}: {}",
            response.text()
        );
    }
}

fn resolve<'a>(api: &'a Value, response: &'a Value) -> &'a Value {
    match response["$ref"].as_str() {
        Some(reference) => api.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

/// Returns the paths of all members of a JSON value.
fn member_paths(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(object) = value.as_object() else { return names };
    for (name, member) in object {
        names.insert(name.clone());
        names.extend(member_paths(member).into_iter().map(|inner| format!("{name}.{inner}")));
    }
    names
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
