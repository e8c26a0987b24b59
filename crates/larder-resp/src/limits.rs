//! Limits on what a peer may send.

/// Limits on what is accepted from a peer. The defaults are those of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one bulk string. Redis: `proto-max-bulk-len`, 512 MiB.
    pub bulk_bytes_max: usize,
    /// Elements in one aggregate, or arguments in one command. A map of n pairs has 2n elements.
    pub elements_max: usize,
    /// Bytes in one inline command, and in a line of a request that contains a length.
    pub inline_bytes_max: usize,
    /// Nesting depth of aggregates. An attribute counts as one. The scanner uses four bytes per
    /// level.
    pub depth_max: usize,
    /// Bytes in one line of a reply: a simple string, an error, a number or a length.
    pub line_bytes_max: usize,
}

impl Limits {
    /// For bytes that were checked against limits before.
    pub(crate) const NONE: Self = Self {
        bulk_bytes_max: usize::MAX,
        elements_max: usize::MAX,
        inline_bytes_max: usize::MAX,
        depth_max: usize::MAX,
        line_bytes_max: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bulk_bytes_max: 512 << 20,
            elements_max: 1 << 20,
            inline_bytes_max: 64 << 10,
            depth_max: 128,
            line_bytes_max: 64 << 10,
        }
    }
}
