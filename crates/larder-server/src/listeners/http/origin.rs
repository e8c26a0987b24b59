//! The declared origins' routes: `/users/{id}` and the like.

use super::{
    Shared,
    conditional::{BodyFormat, ResponseHeaders, answer},
    keys::{CacheDirectives, not_in_memory, refuse_conditions},
    path,
    problem::Problem,
};
use crate::{app::App, origins::DeclaredOrigin};
use axum::{Router, extract::State, response::Response, routing::get};
use http::{HeaderMap, StatusCode, Uri};
use larder_core::Value;
use std::sync::{Arc, LazyLock};

static ROW: LazyLock<ResponseHeaders> =
    LazyLock::new(|| ResponseHeaders::new(3, "application/json"));

const NO_SUCH_ROW: &str = "the origin has no such row";

/// One route for each origin.
pub(super) fn routes(origins: &[Arc<DeclaredOrigin>]) -> Router<Shared> {
    origins.iter().fold(Router::new(), |router, origin| {
        let (reader, forgetter) = (Arc::clone(origin), Arc::clone(origin));
        let read = async move |State(app): State<Shared>, uri: Uri, headers: HeaderMap| {
            read(&app, &reader, &uri, &headers).await
        };
        let forget = async move |State(app): State<Shared>, uri: Uri, headers: HeaderMap| {
            forget(&app, &forgetter, &uri, &headers).await
        };
        router.route(origin.path(), get(read).delete(forget))
    })
}

/// A row: from memory, the store or the origin.
async fn read(
    app: &Shared,
    origin: &Arc<DeclaredOrigin>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let id = id(uri)?;
    let name = origin.key(&id);
    let directives = CacheDirectives::of(headers);
    let found = if directives.no_cache {
        app.get_past_near(name.as_bytes()).await.ok()
    } else {
        app.get_cached(name.as_bytes())
    };
    let fetched = match found.filter(|found| !found.value.is_absent()) {
        Some(found) => Ok(found),
        None if directives.only_if_cached => return Err(not_in_memory()),
        None => app.get_or_load(origin, id).await,
    };
    Ok(answer(app, headers, fetched, NO_SUCH_ROW, &ROW, BodyFormat::Raw))
}

/// A row that is in memory, or nothing.
pub(super) fn hit(
    app: &App,
    origin: &DeclaredOrigin,
    part: &str,
    headers: &HeaderMap,
) -> Option<Response> {
    let id = path::key(part).ok()?;
    let name = origin.key(std::str::from_utf8(&id).ok()?);
    // What the store does not have, the origin may.
    let hit = app.get_cached(name.as_bytes()).filter(|hit| !hit.value.is_absent())?;
    Some(answer(app, headers, Ok(hit), NO_SUCH_ROW, &ROW, BodyFormat::Raw))
}

/// Forgets a row here and in the store: the next read asks the origin.
async fn forget(
    app: &Shared,
    origin: &Arc<DeclaredOrigin>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = id(uri)?;
    refuse_conditions(headers)?;
    app.delete(origin.key(&id).as_bytes()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn no_such_row() -> Problem {
    Problem::not_found(NO_SUCH_ROW)
}

fn id(uri: &Uri) -> Result<String, Problem> {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    let bytes = path::key(last)?.into_owned();
    String::from_utf8(bytes).map_err(|_| Problem::bad_request("the id is not UTF-8"))
}
