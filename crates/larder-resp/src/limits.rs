//! What a peer may make us hold.

/// The deepest nesting that can be followed: [`Limits::depth_max`] is cut to it.
pub(crate) const DEPTH_MAX: usize = 128;

/// Bounds on what is accepted from a peer; the defaults are those of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one bulk string. Redis: `proto-max-bulk-len`, 512 MiB.
    pub bulk_bytes_max: usize,
    /// Elements in one aggregate, or arguments in one command. A map of n pairs has 2n elements.
    pub elements_max: usize,
    /// Bytes in one inline command, and in the line that announces a length in a request.
    pub inline_bytes_max: usize,
    /// Aggregates inside each other, at most 128. An attribute counts as one.
    pub depth_max: usize,
    /// Bytes in one line of a reply: a simple string, an error, a number, a length.
    pub line_bytes_max: usize,
}

impl Limits {
    /// For bytes that were let in before.
    pub(crate) const NONE: Self = Self {
        bulk_bytes_max: usize::MAX,
        elements_max: usize::MAX,
        inline_bytes_max: usize::MAX,
        depth_max: DEPTH_MAX,
        line_bytes_max: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bulk_bytes_max: 512 << 20,
            elements_max: 1 << 20,
            inline_bytes_max: 64 << 10,
            depth_max: DEPTH_MAX,
            line_bytes_max: 64 << 10,
        }
    }
}
