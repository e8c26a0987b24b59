//! The keys of the store: `/get`, `/set` and `/v1/keys`.

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
            "The value is a string and is never parsed; bytes that are no UTF-8 come in base64, \
             with `\"encoding\": \"base64\"`. `Accept: application/octet-stream` asks for the bytes.",
        )
        .part("key", KEY, "greeting")
        .value(
            "The value",
            vec![("application/json", key_value()), ("application/octet-stream", bytes())],
        )
        .fails(errors, &[READ, &[406, 412]].concat());
    PathItem::new(HttpMethod::Get, read)
}

pub(super) fn set(errors: &ErrorResponses) -> PathItem {
    let set = |id: &str, summary: &str| {
        key_and_value(Operation::new(TAG, id, summary))
            .ttl()
            .json("The key and the value that it has now", key_value())
            .fails(errors, &[WRITE, &[501]].concat())
    };
    PathItemBuilder::new()
        .operation(HttpMethod::Put, set("set", "Set a key to the value in the path"))
        .operation(HttpMethod::Post, set("set_by_post", "The same, for clients without PUT"))
        .operation(HttpMethod::Get, refused_set(errors))
        .build()
}

fn refused_set(errors: &ErrorResponses) -> OperationBuilder {
    let problem: Problem = use_put(&Method::GET);
    key_and_value(Operation::new(TAG, "set_by_get", "Sets nothing: use PUT"))
        .about("What prefetchers and crawlers send must not change a value.")
        .answer(405, response(&problem, "`GET` sets nothing"))
        .fails(errors, &[400, 401, 403, 429])
}

pub(super) fn raw(errors: &ErrorResponses) -> PathItem {
    let operation =
        |id: &str, summary: &str| Operation::new(TAG, id, summary).part("key", RAW_KEY, "greeting");
    let read = operation("read", "The value of a key, as it is")
        .value("The value", vec![("application/octet-stream", bytes())])
        .fails(errors, &[READ, &[412]].concat());
    let write = operation("write", "Set a key to the body")
        .ttl()
        .body("The value: any bytes, of any media type, stored as they are", "text/plain", "hello")
        .done("The key has the value")
        .fails(errors, &[WRITE, &[408, 413, 415, 501]].concat());
    let delete = operation("delete", "Delete a key")
        .done("The key is gone")
        .fails(errors, &[WRITE, &[404, 501]].concat());
    PathItemBuilder::new()
        .operation(HttpMethod::Get, read)
        .operation(HttpMethod::Put, write)
        .operation(HttpMethod::Delete, delete)
        .build()
}

const KEY: &str = "Any bytes, percent-encoded";
const RAW_KEY: &str = "Any bytes, percent-encoded; slashes may be written as they are";

fn key_and_value(operation: Operation) -> Operation {
    let value = "Any bytes, percent-encoded; a slash is `%2F`";
    operation.part("key", value, "greeting").part("value", value, "hello")
}

fn key_value() -> Content {
    content(Ref::from_schema_name("KeyValue"), json!({ "key": "greeting", "value": "hello" }))
}

fn bytes() -> Content {
    content(string(), Value::from("hello"))
}
