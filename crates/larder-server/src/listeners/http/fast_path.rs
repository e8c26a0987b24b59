//! Hits, before the router: a read of what is in memory waits for nothing and nobody, so it takes no
//! turn and passes no layer. Whatever is not just that is left to the router, which also says what
//! is wrong with it.

use super::{Shared, auth, get_set, keys, origin};
use axum::{Router, response::Response};
use futures_util::future::Either;
use http::{Method, Request};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use std::{
    convert::Infallible,
    future::{Ready, ready},
};
use tower::{ServiceExt, util::Oneshot};

/// Answers hits, and lets a router answer the rest.
#[derive(Clone)]
pub(super) struct FastPath {
    app: Shared,
    router: Router,
}

impl FastPath {
    pub(super) fn new(app: Shared, router: Router) -> Self {
        Self { app, router }
    }

    fn hit(&self, request: &Request<Incoming>) -> Option<Response> {
        let (app, headers) = (&*self.app, request.headers());
        let may_hit = request.method() == Method::GET
            && request.uri().query().is_none_or(str::is_empty)
            && request.body().is_end_stream()
            && auth::check(&app.config().http, request).is_ok()
            && !keys::CacheDirectives::of(headers).no_cache
            && !app.health().is_draining();
        if !may_hit {
            return None;
        }
        let path = request.uri().path();
        if let Some(key) = path.strip_prefix("/get/") {
            return get_set::hit(app, key, headers);
        }
        if let Some(key) = path.strip_prefix(keys::PREFIX) {
            return keys::hit(app, key, headers);
        }
        let mut origins = app.origins().iter();
        let (origin, id) = origins.find_map(|origin| Some((origin, origin.id_in(path)?)))?;
        origin::hit(app, origin, id, headers)
    }
}

impl Service<Request<Incoming>> for FastPath {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, Oneshot<Router, Request<Incoming>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        match self.hit(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.router.clone().oneshot(request)),
        }
    }
}
