//! Answers every request that the fast path does not.
//!
//! [`Router::respond`] checks the sender, finds the route of the path, waits for a permit if the
//! route reads or writes a value, and calls the handler of the method.

use super::{
    admin, auth,
    docs::{self, Docs},
    get_set, keys,
    limit::ConcurrencyLimit,
    origin, passthrough, path,
    problem::Problem,
    request_body::RequestBody,
    response::Response,
    route::Route,
};
use crate::app::App;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH},
    request::Parts,
};
use hyper::body::{Body, Incoming};
use std::sync::Arc;

/// Answers requests. One is shared by all connections.
pub(super) struct Router {
    app: Arc<App>,
    limit: ConcurrencyLimit,
    docs: Docs,
}

impl Router {
    pub(super) fn new(app: Arc<App>) -> Self {
        let limit = ConcurrencyLimit::new(&app.config().http);
        let docs = Docs::new(&app);
        Self { app, limit, docs }
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Resolves when no request for a value runs or waits.
    pub(super) async fn idle(&self) {
        self.limit.idle().await;
    }

    pub(super) async fn respond(&self, request: Request<Incoming>) -> Response {
        let (head, body) = request.into_parts();
        let body = RequestBody::new(body, &head.headers);
        let mut response = self.dispatch(&head, body).await.unwrap_or_else(Problem::into_response);
        if head.method == Method::HEAD {
            announce_empty_body(&mut response);
        }
        // Asks clients of a draining server to send their next request elsewhere.
        if self.app.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Answers a request on a connection beyond `maxclients`.
    pub(super) async fn refuse(&self, request: Request<Incoming>) -> Response {
        let route = Route::parse(request.uri().path(), self.app.origins());
        if route.is_some_and(|route| route.is_health()) {
            return self.respond(request).await;
        }
        let (head, body) = request.into_parts();
        drop(RequestBody::new(body, &head.headers));
        too_many_clients().into_response()
    }

    async fn dispatch(&self, head: &Parts, body: RequestBody) -> Result<Response, Problem> {
        let app = &self.app;
        auth::check(&app.config().http, &head.method, &head.uri, head.version, &head.headers)?;
        let route = Route::parse(head.uri.path(), app.origins()).ok_or_else(no_such_route)?;
        if route.lacks_key() {
            return Err(path::empty_key());
        }
        // Only these may wait for the store or an origin.
        let _permits = match route.is_value() {
            true => Some(self.limit.acquire().await?),
            false => None,
        };
        self.handle(route, head, body).await
    }

    /// Calls the handler of the method. A route without an arm of its own does not compile.
    async fn handle(
        &self,
        route: Route<'_>,
        head: &Parts,
        body: RequestBody,
    ) -> Result<Response, Problem> {
        let app = &self.app;
        let (query, headers) = (head.uri.query(), &head.headers);
        let method = match head.method {
            // hyper leaves out the body of the response.
            Method::HEAD => &Method::GET,
            // The method with which HAProxy checks health unless told otherwise.
            Method::OPTIONS if route.is_health() => &Method::GET,
            _ => &head.method,
        };
        let not_allowed = || Err(method_not_allowed(&head.method, &route));
        match route {
            Route::Set { key_and_value } => match *method {
                Method::PUT | Method::POST => {
                    get_set::set(app, key_and_value, query, headers).await
                }
                _ => Err(get_set::use_put(&head.method, route.allow())),
            },
            Route::Key { key } => match *method {
                Method::GET => keys::get(app, key, query, headers).await,
                Method::PUT => keys::put(app, key, query, headers, body).await,
                Method::DELETE => keys::delete(app, key, query, headers).await,
                _ => not_allowed(),
            },
            Route::Origin { origin, id } => match *method {
                Method::GET => origin::read(app, origin, id, headers).await,
                Method::DELETE => origin::forget(app, origin, id, headers).await,
                _ => not_allowed(),
            },
            Route::SetPassthrough { switch } => match *method {
                Method::PUT => passthrough::put(app.engine(), switch),
                _ => not_allowed(),
            },
            // The routes below are only read.
            _ if *method != Method::GET => not_allowed(),
            Route::Get { key } => get_set::get(app, key, query, headers).await,
            Route::Stats => Ok(admin::stats(app)),
            Route::Passthrough => Ok(passthrough::get(app.engine())),
            Route::Metrics => admin::metrics(app),
            Route::Livez => Ok(admin::livez()),
            Route::Readyz => Ok(admin::readyz(app, &head.uri, headers)),
            Route::OpenApi => Ok(self.docs.openapi()),
            Route::Docs => Ok(docs::redirect()),
            Route::DocsFile { name } => self.docs.file(name),
        }
    }
}

/// Adds the `Content-Length` that hyper leaves out of a response to HEAD if it is zero.
fn announce_empty_body(response: &mut Response) {
    let has_length =
        !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_length && response.body().is_end_stream() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

fn no_such_route() -> Problem {
    Problem::not_found("there is no such route; /docs lists all routes")
}

fn too_many_clients() -> Problem {
    let detail = "too many clients are connected; see maxclients and the limit of open files";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_soon()
}

fn method_not_allowed(method: &Method, route: &Route<'_>) -> Problem {
    let detail = format!("{method} is not allowed on this route; the Allow header lists what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).allow(route.allow())
}
