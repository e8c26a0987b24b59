//! `/get/{key}` and `/set/{key}/{value}`: strings as JSON.

use super::{
    Shared,
    conditional::{Shape, answer},
    keys,
    negotiate::{Representation, representation},
    path,
    problem::Problem,
    ttl,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    response::Response,
    routing::{MethodRouter, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;

/// A key and its value. Bytes that are no UTF-8 are shown in base64.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"key": "greeting", "value": "hello"}))]
pub(super) struct KeyValue {
    /// The key.
    key: String,
    /// `base64` when the key is.
    #[serde(rename = "key-encoding", skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    /// The value, never parsed.
    value: String,
    /// `base64` when the value is.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

/// The value of a key.
pub(super) async fn get(
    State(larder): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = path::key(path::after(uri.path(), "/get/"))?;
    let shape = representation(&headers).ok_or_else(not_acceptable)?;
    let fetched = keys::read(&larder, &key, &headers).await?;
    let json = |payload: &[u8]| Body::from(to_json(&key, payload));
    let shape = match shape {
        Representation::Raw => Shape { varies: true, ..keys::RAW },
        Representation::Json => {
            Shape { media_type: "application/json", number: 2, varies: true, body: &json }
        }
    };
    Ok(answer(&larder, &headers, fetched, "key not found", &shape))
}

/// `PUT` and `POST` set; `GET`, which prefetchers and crawlers send, does not.
pub(super) fn set_route() -> MethodRouter<Shared> {
    put(set).post(set).fallback(async |method: Method| {
        keys::use_instead(&method, "PUT, POST", "use PUT /set/{key}/{value}, or POST")
    })
}

/// Sets a key to the value in the path.
async fn set(State(larder): State<Shared>, uri: Uri) -> Result<Json<KeyValue>, Problem> {
    let parts = path::after(uri.path(), "/set/");
    let (key, value) = parts.split_once('/').unwrap_or((parts, ""));
    let (key, value) = (path::key(key)?, path::decode(value)?);
    let ttl = ttl::from_query(uri.query())?;
    larder.put(&key, &value, ttl).await?;
    Ok(Json(key_value(&key, &value)))
}

fn to_json(key: &[u8], value: &[u8]) -> Vec<u8> {
    // A struct of strings always becomes JSON.
    serde_json::to_vec(&key_value(key, value)).unwrap_or_default()
}

fn key_value(key: &[u8], value: &[u8]) -> KeyValue {
    let ((key, key_encoding), (value, encoding)) = (text(key), text(value));
    KeyValue { key, key_encoding, value, encoding }
}

fn text(bytes: &[u8]) -> (String, Option<&'static str>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (BASE64_STANDARD.encode(bytes), Some("base64")),
    }
}

fn not_acceptable() -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "the value can be had as application/json or application/octet-stream",
    )
}
