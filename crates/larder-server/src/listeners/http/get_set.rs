//! `/get/{key}` and `/set/{key}/{value}`: strings as JSON.

use super::{
    Shared,
    conditional::{BodyFormat, ResponseHeaders, answer},
    keys,
    negotiate::{Representation, representation},
    path,
    problem::Problem,
    ttl,
};
use crate::app::App;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Serialize;
use std::{borrow::Cow, sync::LazyLock};
use utoipa::ToSchema;

/// The object.
static JSON: LazyLock<ResponseHeaders> =
    LazyLock::new(|| ResponseHeaders::new(2, "application/json").chosen_by_accept());
/// The bytes, for who accepts them only.
static RAW: LazyLock<ResponseHeaders> = LazyLock::new(|| keys::RAW.clone().chosen_by_accept());

/// Room for the names and marks around a key and a value.
const JSON_FRAME_BYTES: usize = 64;

/// A key and its value. Bytes that are no UTF-8 are shown in base64.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyValue<'a> {
    /// The key.
    key: Cow<'a, str>,
    /// `base64` when the key is.
    #[serde(rename = "key-encoding", skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    /// The value, never parsed.
    value: Cow<'a, str>,
    /// `base64` when the value is.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

/// The value of a key.
pub(super) async fn get(
    State(app): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    path::no_query(&uri)?;
    let key = path::key(path::after(uri.path(), "/get/"))?;
    let (shape, form) = shape(&key, &headers).ok_or_else(not_acceptable)?;
    let fetched = keys::read(&app, &key, &headers).await?;
    Ok(answer(&app, &headers, fetched, keys::KEY_NOT_FOUND, shape, form))
}

/// The same of what is in memory, or nothing.
pub(super) fn hit(app: &App, part: &str, headers: &HeaderMap) -> Option<Response> {
    let key = path::key(part).ok()?;
    let (shape, form) = shape(&key, headers)?;
    let hit = app.get_cached(&key)?;
    Some(answer(app, headers, Ok(hit), keys::KEY_NOT_FOUND, shape, form))
}

/// `None` where it is none that the client accepts.
fn shape<'a>(
    key: &'a [u8],
    headers: &HeaderMap,
) -> Option<(&'static ResponseHeaders, BodyFormat<'a>)> {
    Some(match representation(headers)? {
        Representation::Raw => (&RAW, BodyFormat::Raw),
        Representation::Json => (&JSON, BodyFormat::WithKey(key)),
    })
}

/// `PUT` and `POST` set; `GET`, which prefetchers and crawlers send, does not.
pub(super) fn set_route() -> MethodRouter<Shared> {
    put(set).post(set).fallback(async |method: Method| use_put(&method))
}

/// Sets a key to the value in the path.
async fn set(State(app): State<Shared>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    keys::refuse_conditions(&headers)?;
    let (key, value) = key_and_value(path::after(uri.path(), "/set/"))?;
    let (key, value) = (path::key(key)?, path::decode(value)?);
    let ttl = ttl::from_query(uri.query())?;
    app.put(&key, &value, ttl).await?;
    Ok(Json(key_value(&key, &value)).into_response())
}

fn key_and_value(path: &str) -> Result<(&str, &str), Problem> {
    match path.split_once('/') {
        Some((key, value)) if !value.contains('/') => Ok((key, value)),
        _ => Err(Problem::bad_request(
            "the path is /set/{key}/{value}; a slash in either is written %2F",
        )),
    }
}

/// The JSON object of a key and its value.
pub(super) fn to_json(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(key.len() + value.len() + JSON_FRAME_BYTES);
    if let (Some(key), Some(value)) = (plain(key), plain(value)) {
        for part in [b"{\"key\":\"", key, b"\",\"value\":\"", value, b"\"}"] {
            json.extend_from_slice(part);
        }
        return json;
    }
    // A struct of strings always becomes JSON, and a vector takes it.
    serde_json::to_writer(&mut json, &key_value(key, value)).unwrap_or_default();
    json
}

/// Text that stands in JSON as it is: printable ASCII, without a quote or a backslash.
fn plain(text: &[u8]) -> Option<&[u8]> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\');
    // Without a branch for each byte, so that many are judged at once.
    text.iter().fold(true, |all, byte| all & is_plain(byte)).then_some(text)
}

fn key_value<'a>(key: &'a [u8], value: &'a [u8]) -> KeyValue<'a> {
    let ((key, key_encoding), (value, encoding)) = (text(key), text(value));
    KeyValue { key, key_encoding, value, encoding }
}

fn text(bytes: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.into(), None),
        Err(_) => (BASE64_STANDARD.encode(bytes).into(), Some("base64")),
    }
}

pub(super) fn use_put(method: &Method) -> Problem {
    let detail = format!("{method} sets nothing: use PUT /set/{{key}}/{{value}}, or POST");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).allow("PUT, POST")
}

pub(super) fn not_acceptable() -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "the value can be had as application/json or application/octet-stream",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_written_as_any_other() {
        let all: Vec<u8> = (0..=127).collect();
        let texts = all.iter().map(std::slice::from_ref).chain([&all[..], b"", b"a key, a value"]);
        for text in texts {
            let written = to_json(text, text);
            let expected = serde_json::to_vec(&key_value(text, text)).unwrap();
            assert_eq!(written, expected, "{:?}", text.escape_ascii().to_string());
        }
    }
}
