//! The HTTP listener: the keys of the store and the declared origins as JSON.
//!
//! [`router`] is the table of contents; each route has a file of its own. Every answer that is no
//! success is a problem+json ([`problem`]); every value says how it was found ([`cache_status`]).

mod accept;
mod admin;
mod auth;
mod cache_status;
mod coalescing_io;
mod conditional;
mod docs;
mod drain_body;
mod fast_path;
mod get_set;
mod head_timer;
mod keys;
mod limit;
mod negotiate;
mod origin;
mod passthrough;
mod path;
mod problem;
mod read_body;
mod ttl;

use crate::app::App;
pub(crate) use accept::serve;
use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get, put},
};
use http::{Method, StatusCode};
use limit::ConcurrencyLimit;
use problem::Problem;
use std::sync::Arc;

type Shared = Arc<App>;

fn router(app: &Shared, limit: &ConcurrencyLimit) -> Router {
    let values = Router::new()
        .route("/get/{*key}", get(get_set::get))
        .route("/set/{*key_and_value}", get_set::set_route())
        .route("/v1/keys/{*key}", get(keys::get).put(keys::put).delete(keys::delete))
        .merge(origin::routes(app.origins()))
        .layer(from_fn_with_state(limit.clone(), limit::limit));
    let no_key = ["/get/", "/set/", "/v1/keys/"]
        .iter()
        .fold(Router::new(), |router, path| router.route(path, any(async || path::empty())));
    let about = Router::new()
        .route("/livez", get(admin::livez))
        .route("/readyz", get(admin::readyz))
        .route("/v1/stats", get(admin::stats))
        .route("/metrics", get(admin::metrics))
        .route("/v1/passthrough", get(passthrough::get))
        .route("/v1/passthrough/{switch}", put(passthrough::put));
    Router::new()
        .merge(values)
        .merge(no_key)
        .merge(about)
        .with_state(Arc::clone(app))
        .merge(docs::routes(app))
        .fallback(async || Problem::not_found("there is no such route; /docs lists them"))
        .method_not_allowed_fallback(async |method: Method| not_allowed(&method))
        .layer(from_fn_with_state(Arc::clone(app), auth::require))
        .layer(from_fn_with_state(Arc::clone(app), accept::close_when_draining))
        .layer(from_fn(drain_body::drain_body))
}

/// The router adds the header `Allow`.
fn not_allowed(method: &Method) -> Problem {
    let detail = format!("{method} is not for this route; the header Allow names what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
