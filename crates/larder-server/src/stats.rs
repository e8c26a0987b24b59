//! Counters. Nothing here imports the parts that it counts for.

pub(crate) mod resp;
