//! `/openapi.json` and `/docs`: what the listener offers, for programs and for people.

use super::Shared;
use axum::Router;
use utoipa::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

#[derive(OpenApi)]
#[openapi(info(title = "Larder"))]
struct Api;

/// The description and its browser.
pub(super) fn routes(_larder: &Shared) -> Router {
    SwaggerUi::new("/docs").url("/openapi.json", Api::openapi()).into()
}
