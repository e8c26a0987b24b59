//! A trace, synthetic or real.

/// A trace to replay.
pub(super) struct Trace {
    pub(super) name: &'static str,
    /// The capacities to replay it with.
    pub(super) sizes: &'static [u32],
    /// The numbers of the keys that are read.
    pub(super) reads: Vec<u32>,
}
