//! The page that shows the description: Swagger UI, whose files are part of the program.

use super::super::problem::Problem;
use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use std::sync::Arc;
use utoipa_swagger_ui::{Config, SwaggerFile};

/// The page loads what this server has and nothing else, and nobody puts it into a frame. Swagger
/// UI writes styles into its elements and has its icons in `data:` addresses.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      object-src 'none'";

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

pub(super) fn routes() -> Router {
    let config = Arc::new(
        Config::from("/openapi.json")
            .use_base_layout()
            .try_it_out_enabled(true)
            // Else every page view would be told to a server on the internet.
            .validator_url("none"),
    );
    let index = {
        let config = Arc::clone(&config);
        async move || file("index.html", config)
    };
    let other = async move |Path(name): Path<String>| file(&name, config);
    Router::new()
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", get(index))
        .route("/docs/{*file}", get(other))
}

fn file(name: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(SwaggerFile { bytes, content_type, .. })) => {
            (HEADERS, [(CONTENT_TYPE, content_type)], bytes.into_owned()).into_response()
        }
        Ok(None) | Err(_) => Problem::not_found("the page has no such file").into_response(),
    }
}
