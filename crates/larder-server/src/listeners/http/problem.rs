//! Errors as problem+json (RFC 9457).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use larder_core::{FetchError, StoreError};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// The media type of every error.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// When to try again what may soon work.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Fields<'a> {
    /// No more than the status says: always `about:blank`.
    r#type: &'a str,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request, and what would be right.
    detail: &'a str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), header: None }
    }

    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The methods that are for a route, where the router does not know them.
    pub(super) fn allow(self, methods: &'static str) -> Self {
        self.with(ALLOW, HeaderValue::from_static(methods))
    }

    pub(super) fn retry_soon(self) -> Self {
        self.with(RETRY_AFTER, SOON)
    }

    /// A header that belongs to this status.
    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn header(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.header.as_ref()
    }

    /// The body.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = |status| Self::new(status, error.to_string());
        match &error {
            StoreError::Unreachable(_) | StoreError::Full => {
                problem(StatusCode::SERVICE_UNAVAILABLE).retry_soon()
            }
            StoreError::Lost => problem(StatusCode::BAD_GATEWAY),
            StoreError::TimedOut(_) => problem(StatusCode::GATEWAY_TIMEOUT),
            StoreError::Refused(text) => match text.split(' ').next().unwrap_or_default() {
                "WRONGTYPE" => problem(StatusCode::UNPROCESSABLE_ENTITY),
                "NOPERM" => problem(StatusCode::FORBIDDEN),
                "OOM" | "MISCONF" | "NOREPLICAS" | "BUSY" => {
                    problem(StatusCode::SERVICE_UNAVAILABLE).retry_soon()
                }
                _ if error.is_outage() => problem(StatusCode::SERVICE_UNAVAILABLE).retry_soon(),
                _ => problem(StatusCode::BAD_GATEWAY),
            },
        }
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Store(error) => error.into(),
            FetchError::Origin(_) => Self::new(StatusCode::BAD_GATEWAY, error.to_string()),
            FetchError::LeaderDropped => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_soon()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A struct of strings and a number always becomes JSON.
        let text = serde_json::to_vec(&self.fields()).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.header);
        response
    }
}
