//! Calls from code that is not `async`.
//!
//! ```
//! use larder::{Cache, blocking};
//!
//! let squares: Cache<u64, u64> = Cache::builder("squares").build()?;
//! assert_eq!(blocking::wait(squares.get_with(&12, || async { 12 * 12 })), 144);
//! # Ok::<(), larder::BuildError>(())
//! ```

use std::future::IntoFuture;

/// Blocks the thread until a call has its result. A hit does not block.
///
/// A cache with `soft_timeout` or `hard_timeout` needs the timer of tokio, and a load in the
/// background its tasks: enter a runtime first. Blocking a thread that runs `async` tasks holds them
/// up; there, await the call.
pub fn wait<F: IntoFuture>(call: F) -> F::Output {
    pollster::block_on(call.into_future())
}
