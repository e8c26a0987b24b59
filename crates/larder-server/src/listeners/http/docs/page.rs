//! The page that shows the description: Swagger UI, whose files are part of the program.

use super::super::{
    path,
    problem::Problem,
    response::{Response, empty},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::Full;
use std::sync::Arc;
use utoipa_swagger_ui::{Config, SwaggerFile};

/// The page loads files of this server alone, and no other page may frame it. Swagger UI sets
/// styles on elements and has its icons in `data:` URLs.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      object-src 'none'";

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

/// Redirects `/docs` to `/docs/`, relative to which the page finds its files.
pub(in super::super) fn redirect() -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/docs/"));
    response
}

pub(super) struct Page {
    config: Arc<Config<'static>>,
}

impl Page {
    pub(super) fn new() -> Self {
        let config = Config::from("/openapi.json")
            .use_base_layout()
            .try_it_out_enabled(true)
            // By default Swagger UI sends the description to a validator on the internet.
            .validator_url("none");
        Self { config: Arc::new(config) }
    }

    /// Responds with a file of Swagger UI; without a name, with its index.
    pub(super) fn file(&self, name: &str) -> Result<Response, Problem> {
        let name = path::decode(name)?;
        let name = std::str::from_utf8(&name).map_err(|_| no_such_file())?;
        let Ok(Some(SwaggerFile { bytes, content_type, .. })) =
            utoipa_swagger_ui::serve(name, Arc::clone(&self.config))
        else {
            return Err(no_such_file());
        };
        let content_type = HeaderValue::try_from(content_type).map_err(|_| no_such_file())?;
        let mut response = Response::new(Full::new(bytes.into_owned().into()));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response.headers_mut().extend(HEADERS);
        Ok(response)
    }
}

fn no_such_file() -> Problem {
    Problem::not_found("the page has no such file")
}
