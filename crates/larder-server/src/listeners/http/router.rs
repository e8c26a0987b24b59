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

    async fn dispatch(&self, head: &Parts, body: RequestBody) -> Result<Response, Problem> {
        let app = &self.app;
        auth::check(&app.config().http, &head.method, &head.uri, &head.headers)?;
        let route = Route::parse(head.uri.path(), app.origins()).ok_or_else(no_such_route)?;
        if route.lacks_key() {
            return Err(path::empty_key());
        }
        // Only these may wait for the store or an origin.
        let _permits = match route.is_value() {
            true => Some(self.limit.acquire().await?),
            false => None,
        };
        let (query, headers) = (head.uri.query(), &head.headers);
        // hyper leaves out the body of a response to HEAD.
        let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        match (route, method) {
            (Route::Get { key }, &Method::GET) => get_set::get(app, key, query, headers).await,
            (Route::Set { key_and_value }, &Method::PUT | &Method::POST) => {
                get_set::set(app, key_and_value, query, headers).await
            }
            (Route::Set { .. }, _) => Err(get_set::use_put(&head.method)),
            (Route::Key { key }, &Method::GET) => keys::get(app, key, query, headers).await,
            (Route::Key { key }, &Method::PUT) => keys::put(app, key, query, headers, body).await,
            (Route::Key { key }, &Method::DELETE) => keys::delete(app, key, query, headers).await,
            (Route::Origin { origin, id }, &Method::GET) => {
                origin::read(app, origin, id, headers).await
            }
            (Route::Origin { origin, id }, &Method::DELETE) => {
                origin::forget(app, origin, id, headers).await
            }
            (Route::Stats, &Method::GET) => Ok(admin::stats(app)),
            (Route::Metrics, &Method::GET) => admin::metrics(app),
            (Route::Livez, &Method::GET) => Ok(admin::livez()),
            (Route::Readyz, &Method::GET) => Ok(admin::readyz(app)),
            (Route::Passthrough, &Method::GET) => Ok(passthrough::get(app.engine())),
            (Route::SetPassthrough { switch }, &Method::PUT) => {
                passthrough::put(app.engine(), switch)
            }
            (Route::OpenApi, &Method::GET) => Ok(self.docs.openapi()),
            (Route::Docs, &Method::GET) => Ok(docs::redirect()),
            (Route::DocsFile { name }, &Method::GET) => self.docs.file(name),
            (route, _) => Err(method_not_allowed(&head.method, &route)),
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

fn method_not_allowed(method: &Method, route: &Route<'_>) -> Problem {
    let detail = format!("{method} is not allowed on this route; the Allow header lists what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).allow(route.allow())
}
