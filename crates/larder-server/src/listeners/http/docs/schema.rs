//! Schemas, contents and headers, each with an example.

use serde_json::{Value, json};
use utoipa::openapi::{
    Content, ContentBuilder, Header, HeaderBuilder, ObjectBuilder, RefOr, Response,
    ResponseBuilder, Schema, Type,
};

/// An entity tag, as an example.
pub(super) const ETAG: &str = "\"2d61f6a2802dd0f0846b7e5b0b38dbd9\"";

pub(super) fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn content(schema: impl Into<RefOr<Schema>>, example: impl Into<Value>) -> Content {
    ContentBuilder::new().schema(Some(schema)).example(Some(example.into())).build()
}

pub(super) fn with_content(about: &str, media_type: &str, body: Content) -> Response {
    ResponseBuilder::new().description(about).content(media_type, body).build()
}

pub(super) fn header(about: &str, example: &str) -> Header {
    let header = HeaderBuilder::new().schema(Some(string())).example(Some(json!(example)));
    match about {
        "" => header.build(),
        about => header.description(Some(about)).build(),
    }
}
