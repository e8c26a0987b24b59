//! Coherence end to end: the real program in front of a real Redis, with a relay in between that
//! injects faults. Each file covers one kind of fault.

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
mod http_client;
mod large_values;
mod late_redis;
mod load_races;
mod lost_writes;
mod origin_file;
mod partition;
mod redis_faults;
mod refused_loads;
mod setup;
mod stress;
mod suspended;
mod time_to_live;
mod users;
