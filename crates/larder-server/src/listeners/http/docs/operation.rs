//! A builder for the description of an operation.

use super::{
    errors::ErrorResponses,
    schema::{ETAG, content, header, string, with_content},
};
use utoipa::openapi::{
    Content, ObjectBuilder, Required, Response, ResponseBuilder, SecurityRequirement,
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
};

/// One method of one path: its summary, its parameters and its responses.
pub(super) struct Operation(OperationBuilder);

impl Operation {
    /// Describes an operation without parameters or responses.
    pub(super) fn new(tag: &str, id: impl Into<String>, summary: impl Into<String>) -> Self {
        let builder = OperationBuilder::new();
        Self(builder.tag(tag).operation_id(Some(id)).summary(Some(summary)))
    }

    /// Sets the description.
    pub(super) fn about(self, text: impl Into<String>) -> Self {
        Self(self.0.description(Some(text)))
    }

    /// Marks an operation that needs no token.
    pub(super) fn open(self) -> Self {
        Self(self.0.securities(Some([SecurityRequirement::default()])))
    }

    /// Adds a parameter in the path.
    pub(super) fn path_parameter(self, name: &str, about: &str, example: &str) -> Self {
        let part = parameter(ParameterIn::Path, name, about).required(Required::True);
        Self(self.0.parameter(part.schema(Some(string())).example(Some(example.into()))))
    }

    /// Adds the query parameter `ttl`.
    pub(super) fn ttl(self) -> Self {
        let about = "The time to live of the value: seconds, or `1500ms`, `5m`, `24h`, `7d`. \
                     Without it the value does not expire.";
        let ttl = parameter(ParameterIn::Query, "ttl", about);
        let time = string().pattern(Some("^[1-9][0-9]*(ms|s|m|h|d)?$"));
        Self(self.0.parameter(ttl.schema(Some(time)).example(Some("60".into()))))
    }

    /// Adds the body of the request.
    pub(super) fn body(self, about: &str, media_type: &str, example: &str) -> Self {
        let body = RequestBodyBuilder::new()
            .description(Some(about))
            .content(media_type, content(string(), example));
        Self(self.0.request_body(Some(body.build())))
    }

    /// Adds the responses 200 and 304 of a read, with the headers of the request and the response
    /// that concern caching.
    pub(super) fn value(self, about: &str, contents: Vec<(&str, Content)>) -> Self {
        let if_none_match = format!("Tags of the values that the client has, such as `{ETAG}`");
        let directives = string().enum_values(Some(["no-cache", "only-if-cached"]));
        let found = ResponseBuilder::new()
            .description(about)
            .header("Cache-Status", header("How the value was found", "larder; hit; ttl=299"))
            .header(
                "ETag",
                header("A 128-bit hash of the body; every Larder computes the same", ETAG),
            )
            .header(
                "Cache-Control",
                header("The value must be revalidated before each use", "no-cache"),
            );
        let found = contents
            .into_iter()
            .fold(found, |found, (media_type, content)| found.content(media_type, content));
        let unchanged = ResponseBuilder::new()
            .description("The client has the value already: `If-None-Match` names its tag")
            .header("Cache-Status", header("How the value was found", "larder; hit; ttl=299"))
            .header("ETag", header("The tag of the value", ETAG));
        Self(self.0)
            .optional_header("If-Match", "Tags, one of which the value must have", string())
            .optional_header("If-None-Match", &if_none_match, string())
            .optional_header(
                "Cache-Control",
                "`no-cache` bypasses the memory; `only-if-cached` reads the memory alone",
                directives,
            )
            .response(200, found.build())
            .response(304, unchanged.build())
    }

    /// Adds the response 204.
    pub(super) fn no_content(self, about: &str) -> Self {
        self.response(204, Response::new(about))
    }

    /// Adds a response 200 with JSON.
    pub(super) fn json(self, about: &str, body: Content) -> Self {
        self.response(200, with_content(about, "application/json", body))
    }

    /// Adds a response 200 with text.
    pub(super) fn text(self, about: &str, media_type: &str, example: &str) -> Self {
        self.response(200, with_content(about, media_type, content(string(), example)))
    }

    /// Adds a response that only this operation has.
    pub(super) fn response(self, status: u16, response: Response) -> Self {
        Self(self.0.response(status.to_string(), response))
    }

    /// Adds the error responses of these statuses, except those that this server never sends.
    pub(super) fn fails(self, errors: &ErrorResponses, statuses: &[u16]) -> OperationBuilder {
        statuses.iter().fold(self.0, |builder, &status| match errors.find(status) {
            Some(fault) => builder.response(status.to_string(), fault),
            None => builder,
        })
    }

    fn optional_header(self, name: &str, about: &str, schema: ObjectBuilder) -> Self {
        Self(self.0.parameter(parameter(ParameterIn::Header, name, about).schema(Some(schema))))
    }
}

fn parameter(location: ParameterIn, name: &str, about: &str) -> ParameterBuilder {
    Parameter::builder()
        .name(name)
        .parameter_in(location)
        .required(Required::False)
        .description(Some(about))
}
