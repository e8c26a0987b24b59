//! The state of the server for operators: `/readyz`, `/metrics`, `/v1/stats` and `INFO larder`. All
//! of it is read from [`App`](crate::app::App), which imports none of it.

pub(crate) mod health;
pub(crate) mod info;
pub(crate) mod prometheus;
mod reasons;
pub(crate) mod stats_json;
