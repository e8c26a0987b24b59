//! `/v1/keys/{key}`: the raw value of any key.

use super::{
    cache_control::{CacheDirectives, not_cached},
    conditional::refuse_conditional_write,
    path,
    problem::Problem,
    read_body::raw_value,
    request_body::RequestBody,
    response::{self, Response},
    ttl,
    value::{self, BodyFormat, ResponseHeaders},
};
use crate::{app::App, stats::writes::WriteResult};
use http::{HeaderMap, StatusCode};
use larder_core::{FetchError, Fetched, StoreError};
use larder_redis::Reply;
use std::sync::LazyLock;

pub(super) static RAW: LazyLock<ResponseHeaders> =
    LazyLock::new(|| ResponseHeaders::new(1, "application/octet-stream"));

/// The detail of a 404. Clients compare it.
pub(super) const KEY_NOT_FOUND: &str = "key not found";

/// Responds with the value as it is.
pub(super) async fn get(
    app: &App,
    key: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    path::refuse_query(query)?;
    let key = path::key(key)?;
    let fetched = read(app, &key, headers).await?;
    Ok(value::respond(app, headers, fetched, KEY_NOT_FOUND, &RAW, BodyFormat::Raw))
}

/// Responds with the value if it is cached.
pub(super) fn hit(app: &App, key: &str, headers: &HeaderMap) -> Option<Response> {
    let hit = app.get_cached(&path::key(key).ok()?)?;
    Some(value::respond(app, headers, Ok(hit), KEY_NOT_FOUND, &RAW, BodyFormat::Raw))
}

/// Sets the key to the body.
pub(super) async fn put(
    app: &App,
    key: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Response, Problem> {
    let key = path::key(key)?;
    let ttl = ttl::from_query(query)?;
    refuse_conditional_write(headers)?;
    let value = raw_value(headers, body, app.config().http.max_body).await?;
    write(app, app.put(&key, &value, ttl)).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

/// Deletes the key.
pub(super) async fn delete(
    app: &App,
    key: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    path::refuse_query(query)?;
    let key = path::key(key)?;
    refuse_conditional_write(headers)?;
    match write(app, app.delete(&key)).await? {
        true => Ok(response::empty(StatusCode::NO_CONTENT)),
        false => Err(not_found()),
    }
}

/// Reads a key as the request's `Cache-Control` asks.
pub(super) async fn read(
    app: &App,
    key: &[u8],
    headers: &HeaderMap,
) -> Result<Result<Fetched<Reply>, FetchError>, Problem> {
    let directives = CacheDirectives::of(headers);
    if directives.no_cache {
        return Ok(app.get_uncached(key).await);
    }
    if directives.only_if_cached {
        return app.get_cached(key).map(Ok).ok_or_else(|| not_cached(app));
    }
    Ok(app.get(key).await)
}

/// Waits for a write and counts it.
pub(super) async fn write<T>(
    app: &App,
    write: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let outcome = write.await;
    app.http_stats().writes.count(WriteResult::of(&outcome), 1);
    outcome
}

pub(super) fn not_found() -> Problem {
    Problem::not_found(KEY_NOT_FOUND)
}
