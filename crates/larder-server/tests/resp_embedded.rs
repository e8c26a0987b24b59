//! The RESP listener without a Redis behind it, end to end: the same commands go to a real Redis
//! and to a Larder that has none, and the replies must be the same bytes. Each file is one kind of
//! question.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that finds something missing has failed, or says that it is skipped; time \
              limits are real time"
)]

#[path = "resp_embedded/clients.rs"]
mod clients;
#[path = "resp_embedded/described.rs"]
mod described;
#[path = "resp_embedded/http.rs"]
mod http;
#[path = "resp_embedded/limits.rs"]
mod limits;
#[path = "resp_embedded/pair.rs"]
mod pair;
#[path = "resp_embedded/random.rs"]
mod random;
#[path = "resp_embedded/scripts.rs"]
mod scripts;
#[path = "resp_embedded/session.rs"]
mod session;
#[path = "resp_embedded/together.rs"]
mod together;
#[path = "resp/wire.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod wire;
