//! Errors as problem+json (RFC 9457).

use super::response::Response;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;
use larder_core::{FetchError, StoreError};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// The media type of every error.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a client may retry.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A response that reports an error.
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
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: &'a str,
    /// The reason phrase of the status.
    title: &'a str,
    /// The HTTP status code.
    status: u16,
    /// What is wrong, and how to correct it.
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

    /// Adds the methods that the route allows.
    pub(super) fn allow(self, methods: &'static str) -> Self {
        self.with(ALLOW, HeaderValue::from_static(methods))
    }

    pub(super) fn retry_soon(self) -> Self {
        self.with(RETRY_AFTER, RETRY_AFTER_SECONDS)
    }

    /// Adds the header that belongs to this status.
    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(super) fn into_response(self) -> Response {
        // A struct of strings and a number always becomes JSON.
        let body = serde_json::to_vec(&self.fields()).unwrap_or_default();
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.header);
        response
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn header(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.header.as_ref()
    }

    /// Returns the members of the body.
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
            StoreError::Unreachable(_)
            | StoreError::NotReady(_)
            | StoreError::Full
            | StoreError::NotDurable(_) => problem(StatusCode::SERVICE_UNAVAILABLE).retry_soon(),
            // Retrying soon would not help.
            StoreError::NoAccess(_) => problem(StatusCode::SERVICE_UNAVAILABLE),
            StoreError::Lost => problem(StatusCode::BAD_GATEWAY),
            StoreError::TimedOut(_) => problem(StatusCode::GATEWAY_TIMEOUT),
            StoreError::Refused(text) => match text.split(' ').next().unwrap_or_default() {
                "WRONGTYPE" => problem(StatusCode::UNPROCESSABLE_ENTITY),
                "NOPERM" => problem(StatusCode::FORBIDDEN),
                "OOM" | "MISCONF" | "NOREPLICAS" | "BUSY" => {
                    problem(StatusCode::SERVICE_UNAVAILABLE).retry_soon()
                }
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
