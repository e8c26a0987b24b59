//! Guarantees of the RESP listener end to end: the real program in front of a real Redis, with a
//! relay in between that injects faults. Each file covers one kind of fault.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::items_after_statements,
    clippy::large_stack_arrays,
    clippy::match_same_arms,
    clippy::single_match_else,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "counts in tests are small; a test that finds something missing has failed; staleness is measured in real time"
)]

mod backpressure;
mod client;
mod client_kill;
mod client_tracking;
mod counters;
mod data_types;
mod differential;
mod faults;
mod fences;
mod field_ttls;
mod lost_writes;
mod multi_get;
mod pipelines;
mod random_pipelines;
mod reads_behind_writes;
mod reply_sizes;
mod session_isolation;
mod setup;
mod shared_entries;
mod stress;
mod transactions;
mod users;
mod writes;
