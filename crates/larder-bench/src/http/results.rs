//! The figures of a run over HTTP, as they were measured.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::http::HttpKind;
use crate::measure::Sample;
use crate::plan::Plan;
use crate::rounds::Row;

/// Everything that a run has found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HttpResults {
    /// The machine and the programs.
    pub facts: Facts,
    /// The size of the run.
    pub plan: Plan,
    /// What is not installed.
    pub missing: Vec<String>,
    /// One per case and server.
    pub rows: Vec<HttpRow>,
}

/// One server in one case.
pub type HttpRow = Row<HttpCase, HttpKind, Sample>;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// The value of any hot key.
    Value,
    /// The value of one key if it has changed, which it has not: 304.
    Change,
}

/// A load that servers are compared under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct HttpCase {
    /// What is asked for.
    pub ask: Ask,
    /// How many connections are open.
    pub connections: usize,
}

impl fmt::Display for HttpCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ask = if self.ask == Ask::Value { "GET" } else { "GET answered 304" };
        write!(f, "{ask}, {} connections", self.connections)
    }
}
