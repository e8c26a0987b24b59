//! `/openapi.json` and `/docs`: the description of this listener, for programs and for people.
//!
//! Operations are described in one file per tag with the builder in [`operation`]; error responses
//! are described in [`errors`], once for all operations.

mod admin;
mod errors;
mod keys;
mod operation;
mod origins;
mod page;
mod schema;

use super::{
    key_value::KeyValue,
    passthrough::Passthrough,
    problem::{Fields, Problem},
    response::{self, Response},
    route::Route,
};
use crate::app::App;
use bytes::Bytes;
use errors::ErrorResponses;
use page::Page;
pub(super) use page::redirect;
use utoipa::openapi::{
    Components, ComponentsBuilder, Info, InfoBuilder, License, OpenApi, PathItem, Paths,
    SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag, TagBuilder},
};

/// The security scheme of a server with a token.
const TOKEN: &str = "http-token";

const ABOUT: &str = "\
Values of the store and of the declared origins, served from memory while they are known to be \
current.

- The header `Cache-Status` (RFC 9211) says how a value was found. A request with \
`Cache-Control: no-cache` bypasses the memory; one with `only-if-cached` reads the memory alone.
- A key is any sequence of up to 16 KiB, percent-encoded. `HEAD` works on every route that has `GET`.
- Errors are `application/problem+json` (RFC 9457). Malformed HTTP and heads of more than 128 KiB \
get 400, 414 or 431 without a body.";

/// The description and the page that shows it.
pub(super) struct Docs {
    openapi: Bytes,
    page: Page,
}

impl Docs {
    pub(super) fn new(app: &App) -> Self {
        // A description is made of types that always become JSON.
        let openapi = description(app).to_json().unwrap_or_default().into();
        Self { openapi, page: Page::new() }
    }

    pub(super) fn openapi(&self) -> Response {
        response::ok("application/json", self.openapi.clone())
    }

    /// Responds with a file of the page; without a name, with the page itself.
    pub(super) fn file(&self, name: &str) -> Result<Response, Problem> {
        self.page.file(name)
    }
}

fn description(app: &App) -> OpenApi {
    let errors = ErrorResponses::of(app.config());
    let has_token = app.config().http.token.is_some();
    let mut api = OpenApi::new(info(), paths(app, &errors));
    api.components = Some(components(&errors, has_token));
    api.security = has_token.then(|| vec![SecurityRequirement::new(TOKEN, [""; 0])]);
    api.tags = Some(tags());
    api
}

fn paths(app: &App, errors: &ErrorResponses) -> Paths {
    // With a token, rows are not for everyone, but the description is.
    let shows_rows = app.config().http.token.is_none();
    let mut paths = Paths::new();
    for route in Route::all(app.origins()) {
        if let Some(item) = path_item(&route, errors, shows_rows) {
            paths.paths.insert(route.template().to_owned(), item);
        }
    }
    paths
}

/// Describes a route. Returns `None` for those that serve the description itself.
fn path_item(route: &Route<'_>, errors: &ErrorResponses, shows_rows: bool) -> Option<PathItem> {
    match route {
        Route::Origin { origin, .. } => Some(origins::path_item(origin, errors, shows_rows)),
        Route::Get { .. } => Some(keys::get(errors)),
        Route::Set { .. } => Some(keys::set(errors, route.allow())),
        Route::Key { .. } => Some(keys::raw(errors)),
        Route::Stats => Some(admin::stats(errors)),
        Route::Passthrough => Some(admin::passthrough(errors)),
        Route::SetPassthrough { .. } => Some(admin::switch(errors)),
        Route::Metrics => Some(admin::metrics(errors)),
        Route::Livez => Some(admin::livez(errors)),
        Route::Readyz => Some(admin::readyz(errors)),
        Route::OpenApi | Route::Docs | Route::DocsFile { .. } => None,
    }
}

fn info() -> Info {
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    InfoBuilder::new()
        .title("Larder")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license))
        .build()
}

fn components(errors: &ErrorResponses, has_token: bool) -> Components {
    let components = ComponentsBuilder::new()
        .schema_from::<KeyValue<'_>>()
        .schema_from::<Fields<'_>>()
        .schema_from::<Passthrough>()
        .schema("Health", admin::health())
        .responses_from_iter(errors.responses());
    if !has_token {
        return components.build();
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The `http-token` of this server"));
    components.security_scheme(TOKEN, SecurityScheme::Http(bearer.build())).build()
}

fn tags() -> Vec<Tag> {
    [
        (origins::TAG, "Rows of the declared origins, read through the memory and the store"),
        (keys::TAG, "Strings of the store, by key"),
        (admin::TAG, "The state of this server"),
    ]
    .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())
    .into()
}
