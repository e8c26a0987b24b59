//! Answers hits before the router: reading a cached value waits for nothing, so a hit takes no
//! permit and needs no task of its own.
//!
//! The fast path answers only when the response is certain to be a hit. It leaves every other
//! request to the [`Router`], which also reports what is wrong with it.

use super::{
    auth, cache_control::CacheDirectives, get_set, keys, origin, response::Response, route::Route,
    router::Router,
};
use crate::app::App;
use futures_util::future::Either;
use http::{Method, Request};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use larder_core::BoxFuture;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};

/// Answers hits, and lets the router answer the rest.
#[derive(Clone)]
pub(super) struct FastPath {
    /// The app of the router. Held here too, which saves a hit a pointer to follow.
    app: Arc<App>,
    router: Arc<Router>,
}

impl FastPath {
    pub(super) fn new(router: Arc<Router>) -> Self {
        Self { app: Arc::clone(router.app()), router }
    }

    fn may_send(&self, request: &Request<Incoming>) -> bool {
        let (config, headers) = (&self.app.config().http, request.headers());
        auth::check(config, request.method(), request.uri(), request.version(), headers).is_ok()
    }

    fn hit(&self, request: &Request<Incoming>) -> Option<Response> {
        let (app, headers) = (&*self.app, request.headers());
        let may_hit = request.method() == Method::GET
            && request.uri().query().is_none_or(str::is_empty)
            && request.body().is_end_stream()
            && self.may_send(request)
            && !CacheDirectives::of(headers).no_cache
            && !app.is_draining();
        if !may_hit {
            return None;
        }
        match Route::parse(request.uri().path(), app.origins())? {
            Route::Get { key } => get_set::hit(app, key, headers),
            Route::Key { key } => keys::hit(app, key, headers),
            Route::Origin { origin, id } => origin::hit(app, origin, id, headers),
            _ => None,
        }
    }
}

impl Service<Request<Incoming>> for FastPath {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response, Infallible>>,
        BoxFuture<'static, Result<Response, Infallible>>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if let Some(response) = self.hit(&request) {
            return Either::Left(ready(Ok(response)));
        }
        let router = Arc::clone(&self.router);
        Either::Right(Box::pin(async move { Ok(router.respond(request).await) }))
    }
}
