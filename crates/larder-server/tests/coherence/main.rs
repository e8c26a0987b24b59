//! Coherence end to end: the real program before a real Redis, with a relay in between that breaks
//! what it is told to. Each file is one kind of trouble; each test is named for what it proves.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that finds something missing has failed; staleness is measured in real time"
)]

mod cold_reads;
mod credentials;
mod foreign_writes;
mod interruptions;
mod large_values;
mod lost_writes;
mod origin_file;
mod partition;
mod reader;
mod rows_of_others;
mod setup;
mod start;
mod stopped;
mod stress;
mod time_to_live;
mod users;
