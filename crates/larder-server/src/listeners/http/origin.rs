//! The routes of the declared origins: `/users/{id}` and the like.

use super::{
    cache_control::{CacheDirectives, not_cached},
    conditional::refuse_conditional_write,
    keys, path,
    problem::Problem,
    response::{self, Response},
    value::{self, BodyFormat, ResponseHeaders},
};
use crate::{app::App, origins::DeclaredOrigin};
use http::{HeaderMap, StatusCode};
use larder_core::Value;
use std::sync::{Arc, LazyLock};

static ROW: LazyLock<ResponseHeaders> =
    LazyLock::new(|| ResponseHeaders::new(3, "application/json"));

/// The detail of a 404.
const NO_SUCH_ROW: &str = "the origin has no such row";

/// Responds with a row from the near cache, the store or the origin.
pub(super) async fn read(
    app: &Arc<App>,
    origin: &Arc<DeclaredOrigin>,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let id = decode(id)?;
    let key = origin.key(&id);
    let directives = CacheDirectives::of(headers);
    let found = if directives.no_cache {
        app.get_uncached(key.as_bytes()).await.ok()
    } else {
        app.get_cached(key.as_bytes())
    };
    // The origin may have what the store does not.
    let fetched = match found.filter(|found| !found.value.is_absent()) {
        Some(found) => Ok(found),
        None if directives.only_if_cached => return Err(not_cached(app)),
        None => app.get_or_load(origin, id).await,
    };
    Ok(value::respond(app, headers, fetched, NO_SUCH_ROW, &ROW, BodyFormat::Raw))
}

/// Responds with a row if it is cached.
pub(super) fn hit(
    app: &App,
    origin: &DeclaredOrigin,
    id: &str,
    headers: &HeaderMap,
) -> Option<Response> {
    let id = path::key(id).ok()?;
    let key = origin.key(std::str::from_utf8(&id).ok()?);
    let hit = app.get_cached(key.as_bytes()).filter(|hit| !hit.value.is_absent())?;
    Some(value::respond(app, headers, Ok(hit), NO_SUCH_ROW, &ROW, BodyFormat::Raw))
}

/// Deletes a row from the near cache and the store. The next read asks the origin.
pub(super) async fn forget(
    app: &App,
    origin: &DeclaredOrigin,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let id = decode(id)?;
    refuse_conditional_write(headers)?;
    keys::write(app, app.delete(origin.key(&id).as_bytes())).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

pub(super) fn no_such_row() -> Problem {
    Problem::not_found(NO_SUCH_ROW)
}

fn decode(id: &str) -> Result<String, Problem> {
    let bytes = path::key(id)?.into_owned();
    String::from_utf8(bytes).map_err(|_| Problem::bad_request("the id is not UTF-8"))
}
