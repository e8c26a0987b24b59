//! The ways in.

pub(crate) mod http;
