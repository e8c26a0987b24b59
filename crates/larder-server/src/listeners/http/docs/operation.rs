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

/// The operation of a method and a path: what it does, what it takes, what it answers.
pub(super) struct Operation(OperationBuilder);

impl Operation {
    pub(super) fn new(tag: &str, id: impl Into<String>, summary: impl Into<String>) -> Self {
        let builder = OperationBuilder::new();
        Self(builder.tag(tag).operation_id(Some(id)).summary(Some(summary)))
    }

    pub(super) fn about(self, text: impl Into<String>) -> Self {
        Self(self.0.description(Some(text)))
    }

    /// Works without the token.
    pub(super) fn open(self) -> Self {
        Self(self.0.securities(Some([SecurityRequirement::default()])))
    }

    /// A part of the path.
    pub(super) fn part(self, name: &str, about: &str, example: &str) -> Self {
        let part = parameter(ParameterIn::Path, name, about).required(Required::True);
        Self(self.0.parameter(part.schema(Some(string())).example(Some(example.into()))))
    }

    pub(super) fn ttl(self) -> Self {
        let about = "How long the store keeps the value: seconds, or `1500ms`, `5m`, `24h`, `7d`. \
                     Without it the value does not expire.";
        let ttl = parameter(ParameterIn::Query, "ttl", about);
        let time = string().pattern(Some("^[1-9][0-9]*(ms|s|m|h|d)?$"));
        Self(self.0.parameter(ttl.schema(Some(time)).example(Some("60".into()))))
    }

    pub(super) fn body(self, about: &str, media_type: &str, example: &str) -> Self {
        let body = RequestBodyBuilder::new()
            .description(Some(about))
            .content(media_type, content(string(), example));
        Self(self.0.request_body(Some(body.build())))
    }

    /// Answers with a value: what a request may say of the cache, and what the answer says of it.
    pub(super) fn value(self, about: &str, contents: Vec<(&str, Content)>) -> Self {
        let if_none_match = format!("Tags of what the client has, as `{ETAG}`");
        let directives = string().enum_values(Some(["no-cache", "only-if-cached"]));
        let found = ResponseBuilder::new()
            .description(about)
            .header("Cache-Status", header("How the value was found", "larder; hit; ttl=299"))
            .header("ETag", header("128 bits of a hash of the bytes, on every Larder alike", ETAG))
            .header("Cache-Control", header("Ask again before the value is used", "no-cache"));
        let found = contents
            .into_iter()
            .fold(found, |found, (media_type, content)| found.content(media_type, content));
        let unchanged = ResponseBuilder::new()
            .description("The client has the value: `If-None-Match` names its tag")
            .header("Cache-Status", header("How the value was found", "larder; hit; ttl=299"))
            .header("ETag", header("The tag that was named", ETAG));
        Self(self.0)
            .optional_header("If-Match", "Tags of which the value must have one", string())
            .optional_header("If-None-Match", &if_none_match, string())
            .optional_header("Cache-Control", "How the memory may be used", directives)
            .answer(200, found.build())
            .answer(304, unchanged.build())
    }

    /// Answers 204.
    pub(super) fn done(self, about: &str) -> Self {
        self.answer(204, Response::new(about))
    }

    pub(super) fn json(self, about: &str, body: Content) -> Self {
        self.answer(200, with_content(about, "application/json", body))
    }

    pub(super) fn text(self, about: &str, media_type: &str, example: &str) -> Self {
        self.answer(200, with_content(about, media_type, content(string(), example)))
    }

    /// An answer of this operation alone.
    pub(super) fn answer(self, status: u16, response: Response) -> Self {
        Self(self.0.response(status.to_string(), response))
    }

    /// The errors of these statuses, those that this server answers.
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

fn parameter(place: ParameterIn, name: &str, about: &str) -> ParameterBuilder {
    Parameter::builder()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
}
