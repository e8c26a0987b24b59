//! The error responses. Their examples are the problems that the handlers return.

use super::{
    super::{
        auth, conditional, get_set, keys, limit, path,
        problem::{MEDIA_TYPE, Problem},
        read_body,
    },
    schema::{ETAG, content, header},
};
use crate::config::Config;
use http::{HeaderValue, header::IF_MATCH};
use larder_core::StoreError;
use serde_json::to_value;
use utoipa::openapi::{Ref, Response, ResponseBuilder};

/// An example of each error status, and when it is sent.
pub(super) struct ErrorResponses(Vec<(Problem, &'static str)>);

impl ErrorResponses {
    pub(super) fn of(config: &Config) -> Self {
        let (max, timeout) = (config.http.max_body, config.store.timeout);
        let token = config.http.token.as_ref();
        let token = token.map(|_| (auth::unauthorized(), "The token is missing or wrong"));
        let mut errors = vec![
            (path::broken_encoding(), "The request is malformed; `detail` says what is wrong"),
            (
                auth::foreign_page(),
                "The `Host` is not allowed, a page of another site sent the request, or the store denied it",
            ),
            (keys::not_found(), "The key does not exist"),
            (get_set::not_acceptable(), "`Accept` allows neither representation"),
            (
                conditional::precondition_failed(HeaderValue::from_static(ETAG)),
                "The value has none of the tags that `If-Match` names",
            ),
            (read_body::too_slow(), "The body arrived too slowly"),
            (read_body::too_large(max), "The body is larger than `http-max-body`"),
            (path::too_long(path::KEY_BYTES_MAX + 1), "The key is longer than 16 KiB"),
            (
                read_body::unsupported(
                    "the body is stored as it is: send it without Content-Encoding",
                ),
                "The body is encoded or a form",
            ),
            (wrong_type().into(), "The key holds a type other than a string"),
            (limit::overloaded(), "Too many requests are running and waiting"),
            (conditional::unsupported_condition(&IF_MATCH), "Conditional writes are not supported"),
            (StoreError::Lost.into(), "The store or the origin failed"),
            (
                StoreError::Unreachable("Connection refused".into()).into(),
                "The store is unreachable",
            ),
            (
                StoreError::TimedOut(timeout).into(),
                "The store did not answer in time, or the request is `only-if-cached` and the value is \
                 not in memory",
            ),
        ];
        errors.extend(token);
        Self(errors)
    }

    /// Returns each response and its name in the components, which is its status.
    pub(super) fn responses(&self) -> impl Iterator<Item = (String, Response)> {
        self.0.iter().map(|(problem, when)| (name(problem), response(problem, when)))
    }

    /// Returns a reference to the response of a status, if this server sends it.
    pub(super) fn find(&self, status: u16) -> Option<Ref> {
        let mut found = self.0.iter().map(|(problem, _)| problem);
        let problem = found.find(|problem| problem.status() == status)?;
        Some(Ref::from_response_name(name(problem)))
    }
}

/// Describes the response that reports a problem.
pub(super) fn response(problem: &Problem, when: &str) -> Response {
    let body = to_value(problem.fields()).unwrap_or_default();
    let body = content(Ref::from_schema_name("Problem"), body);
    let response = ResponseBuilder::new().description(when).content(MEDIA_TYPE, body);
    let Some((name, value)) = problem.header() else { return response.build() };
    let value = value.to_str().unwrap_or_default();
    response.header(name.as_str(), header("", value)).build()
}

fn name(problem: &Problem) -> String {
    problem.status().as_str().to_owned()
}

fn wrong_type() -> StoreError {
    let text = "WRONGTYPE Operation against a key holding the wrong kind of value";
    StoreError::Refused(text.into())
}
