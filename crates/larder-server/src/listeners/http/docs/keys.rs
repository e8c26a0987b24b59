//! Describes the keys of the store: `/get`, `/set` and `/v1/keys`.

use super::{
    super::{get_set::use_put, problem::Problem},
    errors::{ErrorResponses, response},
    operation::Operation,
    schema::{content, string},
};
use http::Method;
use serde_json::{Value, json};
use utoipa::openapi::{
    Content, HttpMethod, PathItem, Ref,
    path::{OperationBuilder, PathItemBuilder},
};

pub(super) const TAG: &str = "keys";

const READ: &[u16] = &[400, 401, 403, 404, 414, 422, 429, 502, 503, 504];
const WRITE: &[u16] = &[400, 401, 403, 414, 429, 502, 503, 504];

pub(super) fn get(errors: &ErrorResponses) -> PathItem {
    let read = Operation::new(TAG, "get", "The value of a key, as JSON")
        .about(
            "The value is a string and is never parsed. Bytes that are not UTF-8 are encoded in \
             base64, with `\"encoding\": \"base64\"`. `Accept: application/octet-stream` returns \
             the raw bytes.",
        )
        .path_parameter("key", KEY, "greeting")
        .value(
            "The value",
            vec![("application/json", key_value()), ("application/octet-stream", bytes())],
        )
        .fails(errors, &[READ, &[406, 412]].concat());
    PathItem::new(HttpMethod::Get, read)
}

pub(super) fn set(errors: &ErrorResponses, allow: &'static str) -> PathItem {
    let set = |id: &str, summary: &str| {
        key_and_value(Operation::new(TAG, id, summary))
            .ttl()
            .json("The key and its new value", key_value())
            .fails(errors, &[WRITE, &[501]].concat())
    };
    PathItemBuilder::new()
        .operation(HttpMethod::Put, set("set", "Set a key to the value in the path"))
        .operation(HttpMethod::Post, set("set_by_post", "Set a key, for clients without PUT"))
        .operation(HttpMethod::Get, refused_set(errors, allow))
        .build()
}

fn refused_set(errors: &ErrorResponses, allow: &'static str) -> OperationBuilder {
    let problem: Problem = use_put(&Method::GET, allow);
    key_and_value(Operation::new(TAG, "set_by_get", "Refused: use PUT"))
        .about("Prefetchers and crawlers send `GET`, so it must not change a value.")
        .response(405, response(&problem, "`GET` does not set a value"))
        .fails(errors, &[400, 401, 403, 429])
}

pub(super) fn raw(errors: &ErrorResponses) -> PathItem {
    let operation = |id: &str, summary: &str| {
        Operation::new(TAG, id, summary).path_parameter("key", RAW_KEY, "greeting")
    };
    let read = operation("read", "The raw value of a key")
        .value("The value", vec![("application/octet-stream", bytes())])
        .fails(errors, &[READ, &[412]].concat());
    let write = operation("write", "Set a key to the body")
        .ttl()
        .body("The value: any bytes of any media type, stored unchanged", "text/plain", "hello")
        .no_content("The value is set")
        .fails(errors, &[WRITE, &[408, 413, 415, 501]].concat());
    let delete = operation("delete", "Delete a key")
        .no_content("The key is deleted")
        .fails(errors, &[WRITE, &[404, 501]].concat());
    PathItemBuilder::new()
        .operation(HttpMethod::Get, read)
        .operation(HttpMethod::Put, write)
        .operation(HttpMethod::Delete, delete)
        .build()
}

const KEY: &str = "Any bytes, percent-encoded";
const RAW_KEY: &str = "Any bytes, percent-encoded; slashes need no encoding";

fn key_and_value(operation: Operation) -> Operation {
    let value = "Any bytes, percent-encoded; a slash must be `%2F`";
    operation.path_parameter("key", value, "greeting").path_parameter("value", value, "hello")
}

fn key_value() -> Content {
    content(Ref::from_schema_name("KeyValue"), json!({ "key": "greeting", "value": "hello" }))
}

fn bytes() -> Content {
    content(string(), Value::from("hello"))
}
