//! The HTTP listener.

use super::{reads::ReadStats, writes::WriteStats};

/// The counters.
#[derive(Default)]
pub(crate) struct HttpStats {
    pub(crate) reads: ReadStats,
    pub(crate) writes: WriteStats,
}
