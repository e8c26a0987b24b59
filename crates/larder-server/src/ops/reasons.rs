//! Reasons that the engine counts in fields of their own, by the names that every output uses.

use larder_core::near::NearCounts;

/// Returns the evictions by reason.
pub(super) fn evictions(near: &NearCounts) -> [(&'static str, u64); 4] {
    [
        ("full", near.evicted_full),
        ("expired", near.evicted_expired),
        ("invalidation", near.evicted_invalidation),
        ("flush", near.evicted_ended),
    ]
}
