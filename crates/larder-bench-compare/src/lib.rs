//! Compares Larder's near cache with other cache libraries, in one process.
//!
//! [`libraries`] measures time and memory; [`hit_ratio`] replays traces. All [`caches`] are behind
//! one interface. The results and the report are in `larder-bench`, which does not depend on the
//! other libraries: this crate is a workspace of its own, so that no build of Larder needs them.

pub mod caches;
pub mod cli;
pub mod hit_ratio;
pub mod libraries;
