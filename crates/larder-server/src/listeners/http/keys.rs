//! `/v1/keys/{key}`: the raw value of any key.

use super::{
    Shared,
    conditional::{BodyFormat, ResponseHeaders, answer},
    path,
    problem::Problem,
    read_body::raw_value,
    ttl,
};
use crate::app::App;
use axum::{body::Body, extract::State, response::Response};
use http::{
    HeaderMap, HeaderName, StatusCode, Uri,
    header::{CACHE_CONTROL, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE},
};
use larder_core::{FetchError, Fetched};
use larder_redis::Reply;
use std::{borrow::Cow, sync::LazyLock};

pub(super) const PREFIX: &str = "/v1/keys/";

/// What every client looks for.
pub(super) const KEY_NOT_FOUND: &str = "key not found";

/// The value, as it is.
pub(super) async fn get(
    State(app): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = key(&uri)?;
    let fetched = read(&app, &key, &headers).await?;
    Ok(answer(&app, &headers, fetched, KEY_NOT_FOUND, &RAW, BodyFormat::Raw))
}

/// The same of what is in memory, or nothing.
pub(super) fn hit(app: &App, part: &str, headers: &HeaderMap) -> Option<Response> {
    let hit = app.get_cached(&path::key(part).ok()?)?;
    Some(answer(app, headers, Ok(hit), KEY_NOT_FOUND, &RAW, BodyFormat::Raw))
}

/// Sets the value to the body.
pub(super) async fn put(
    State(app): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let key = path::key(path::after(uri.path(), PREFIX))?;
    let ttl = ttl::from_query(uri.query())?;
    refuse_conditions(&headers)?;
    let value = raw_value(&headers, body, app.config().http.max_body).await?;
    app.put(&key, &value, ttl).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes the key.
pub(super) async fn delete(
    State(app): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let key = key(&uri)?;
    refuse_conditions(&headers)?;
    match app.delete(&key).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_found()),
    }
}

fn key(uri: &Uri) -> Result<Cow<'_, [u8]>, Problem> {
    path::no_query(uri)?;
    path::key(path::after(uri.path(), PREFIX))
}

/// The bytes as they are.
pub(super) static RAW: LazyLock<ResponseHeaders> =
    LazyLock::new(|| ResponseHeaders::new(1, "application/octet-stream"));

/// Reads a key as the request's `Cache-Control` wants it.
pub(super) async fn read(
    app: &App,
    key: &[u8],
    headers: &HeaderMap,
) -> Result<Result<Fetched<Reply>, FetchError>, Problem> {
    let directives = CacheDirectives::of(headers);
    if directives.no_cache {
        return Ok(app.get_past_near(key).await);
    }
    if directives.only_if_cached {
        return app.get_cached(key).map(Ok).ok_or_else(not_in_memory);
    }
    Ok(app.get(key).await)
}

/// What the request's `Cache-Control` asks for (RFC 9111, 5.2.1).
#[derive(Default)]
pub(super) struct CacheDirectives {
    pub(super) no_cache: bool,
    pub(super) only_if_cached: bool,
}

impl CacheDirectives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            for directive in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                directives.no_cache |= directive.eq_ignore_ascii_case("no-cache");
                directives.only_if_cached |= directive.eq_ignore_ascii_case("only-if-cached");
            }
        }
        directives
    }
}

pub(super) fn not_in_memory() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "only-if-cached, and the value is not in memory")
}

/// A condition that is not understood must not be taken for met.
pub(super) fn refuse_conditions(headers: &HeaderMap) -> Result<(), Problem> {
    let conditions = [IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE];
    match conditions.iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(unsupported_condition(name)),
    }
}

pub(super) fn unsupported_condition(name: &HeaderName) -> Problem {
    let detail = format!("conditional writes ({name}) are not supported");
    Problem::new(StatusCode::NOT_IMPLEMENTED, detail)
}

pub(super) fn not_found() -> Problem {
    Problem::not_found(KEY_NOT_FOUND)
}
