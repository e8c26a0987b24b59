//! `/get/{key}` and `/set/{key}/{value}`: keys and values as JSON strings.

use super::{
    conditional::refuse_conditional_write,
    key_value::KeyValue,
    keys::{self, KEY_NOT_FOUND},
    negotiate::{Representation, representation},
    path,
    problem::Problem,
    response::{self, Response},
    ttl,
    value::{self, BodyFormat, ResponseHeaders},
};
use crate::app::App;
use http::{HeaderMap, Method, StatusCode};
use std::sync::LazyLock;

static JSON: LazyLock<ResponseHeaders> =
    LazyLock::new(|| ResponseHeaders::new(2, "application/json").vary_by_accept());
static RAW: LazyLock<ResponseHeaders> = LazyLock::new(|| keys::RAW.clone().vary_by_accept());

/// Responds with the value of a key.
pub(super) async fn get(
    app: &App,
    key: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    path::refuse_query(query)?;
    let key = path::key(key)?;
    let (shown_with, format) = negotiate(&key, headers).ok_or_else(not_acceptable)?;
    let fetched = keys::read(app, &key, headers).await?;
    Ok(value::respond(app, headers, fetched, KEY_NOT_FOUND, shown_with, format))
}

/// Responds with the value of a key if it is cached.
pub(super) fn hit(app: &App, key: &str, headers: &HeaderMap) -> Option<Response> {
    let key = path::key(key).ok()?;
    let (shown_with, format) = negotiate(&key, headers)?;
    let hit = app.get_cached(&key)?;
    Some(value::respond(app, headers, Ok(hit), KEY_NOT_FOUND, shown_with, format))
}

/// Returns `None` if the client accepts neither representation.
fn negotiate<'a>(
    key: &'a [u8],
    headers: &HeaderMap,
) -> Option<(&'static ResponseHeaders, BodyFormat<'a>)> {
    Some(match representation(headers)? {
        Representation::Raw => (&RAW, BodyFormat::Raw),
        Representation::Json => (&JSON, BodyFormat::KeyValue(key)),
    })
}

/// Sets a key to the value in the path.
pub(super) async fn set(
    app: &App,
    key_and_value: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    refuse_conditional_write(headers)?;
    let (key, value) = split(key_and_value)?;
    let (key, value) = (path::key(key)?, path::decode(value)?);
    let ttl = ttl::from_query(query)?;
    keys::write(app, app.put(&key, &value, ttl)).await?;
    Ok(response::json(&KeyValue::new(&key, &value)))
}

fn split(key_and_value: &str) -> Result<(&str, &str), Problem> {
    match key_and_value.split_once('/') {
        Some((key, value)) if !value.contains('/') => Ok((key, value)),
        _ => Err(Problem::bad_request(
            "the path must be /set/{key}/{value}; write a slash in the key or the value as %2F",
        )),
    }
}

/// Refuses methods that are not for `/set`. `GET` is one of them, as prefetchers and crawlers send
/// it.
pub(super) fn use_put(method: &Method, allow: &'static str) -> Problem {
    let detail = format!("{method} does not set a value: use PUT /set/{{key}}/{{value}}, or POST");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).allow(allow)
}

pub(super) fn not_acceptable() -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "the value is available as application/json and application/octet-stream",
    )
}
