//! `/openapi.json` and `/docs`: what the listener offers, for programs and for people.
//!
//! The operations stand in files by their tags, in the words of [`operation`]; what can go wrong
//! stands in [`errors`], once for all of them.

mod admin;
mod errors;
mod keys;
mod operation;
mod origins;
mod page;

use super::{Shared, get_set::KeyValue, passthrough::Passthrough, problem::Fields};
use crate::app::App;
use axum::{Router, routing::get};
use bytes::Bytes;
use errors::ErrorResponses;
use http::header::CONTENT_TYPE;
use utoipa::openapi::{
    Components, ComponentsBuilder, Info, InfoBuilder, License, OpenApi, PathItem, Paths,
    SecurityRequirement,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag, TagBuilder},
};

/// The security scheme of a server with a token.
const TOKEN: &str = "http-token";

const ABOUT: &str = "\
Values of the store and of the declared origins, served from memory for as long as they are known \
to be right.

- The header `Cache-Status` (RFC 9211) says how a value was found. `Cache-Control: no-cache` in a \
request reads past the memory, `only-if-cached` asks the memory alone.
- Keys are any bytes, percent-encoded, 16 KiB at most. `HEAD` works wherever `GET` does.
- Errors are `application/problem+json` (RFC 9457). What is no HTTP, or has a head of more than \
128 KiB, is answered 400, 414 or 431 without a body.";

/// The description and the page that shows it.
pub(super) fn routes(app: &Shared) -> Router {
    // What it consists of always becomes JSON.
    let json = Bytes::from(description(app).to_json().unwrap_or_default());
    let answer = async move || ([(CONTENT_TYPE, "application/json")], json);
    Router::new().route("/openapi.json", get(answer)).merge(page::routes())
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

fn paths(app: &App, errors: &ErrorResponses) -> Paths {
    let shows_rows = app.config().http.token.is_none();
    let mut paths = Paths::new();
    let mut put = |path: &str, item: PathItem| paths.paths.insert(path.to_owned(), item);
    for origin in app.origins() {
        put(origin.path(), origins::path_item(origin, errors, shows_rows));
    }
    put("/get/{key}", keys::get(errors));
    put("/set/{key}/{value}", keys::set(errors));
    put("/v1/keys/{key}", keys::raw(errors));
    put("/v1/stats", admin::stats(errors));
    put("/v1/passthrough", admin::passthrough(errors));
    put("/v1/passthrough/{switch}", admin::switch(errors));
    put("/metrics", admin::metrics(errors));
    put("/livez", admin::livez(errors));
    put("/readyz", admin::readyz(errors));
    paths
}

fn components(errors: &ErrorResponses, has_token: bool) -> Components {
    let components = ComponentsBuilder::new()
        .schema_from::<KeyValue<'_>>()
        .schema_from::<Fields<'_>>()
        .schema_from::<Passthrough>()
        .schema("Condition", admin::condition())
        .responses_from_iter(errors.responses());
    if !has_token {
        return components.build();
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The `http-token` that this Larder was started with"));
    components.security_scheme(TOKEN, SecurityScheme::Http(bearer.build())).build()
}

fn tags() -> Vec<Tag> {
    [
        (origins::TAG, "Rows of the declared origins, read through memory and store"),
        (keys::TAG, "Strings of the store, by their keys"),
        (admin::TAG, "How this Larder is"),
    ]
    .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())
    .into()
}
