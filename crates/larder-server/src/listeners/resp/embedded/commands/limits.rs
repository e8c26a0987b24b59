//! What a Redis that nobody configured has.

/// The version of Redis whose replies the commands give.
pub(super) const REDIS_VERSION: &str = "7.0.15";
/// The number of databases.
pub(super) const DBS: i32 = 16;
/// Bytes in the longest string.
pub(super) const STRING_BYTES_MAX: usize = 512 << 20;
