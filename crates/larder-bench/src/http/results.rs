//! The results of a run over HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::http::HttpKind;
use crate::plan::Plan;
use crate::resp::Sample;
use crate::rounds::Row;

/// The results of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HttpResults {
    /// The machine and the versions of the programs.
    pub environment: Environment,
    /// The size of the run.
    pub plan: Plan,
    /// The servers that are not installed.
    pub missing: Vec<String>,
    /// One row per case and server.
    pub rows: Vec<HttpRow>,
}

/// One server in one case.
pub type HttpRow = Row<HttpCase, HttpKind, Sample>;

/// The kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpRequest {
    /// GET of any hot key.
    Get,
    /// Conditional GET of one unchanged key, which is answered 304.
    Revalidate,
}

/// A load under which servers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct HttpCase {
    /// The kind of request.
    pub request: HttpRequest,
    /// The number of connections.
    pub connections: usize,
}

impl fmt::Display for HttpCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = if self.request == HttpRequest::Get { "GET" } else { "GET answered 304" };
        write!(f, "{request}, {} connections", self.connections)
    }
}
