//! Why an entry of the near cache may be served.
//!
//! The store reports every change on a *feed*: one connection that also carries the *fills*, the
//! reads whose replies may be cached. The connection has a single reader, which applies replies and
//! invalidations in wire order. Four parts follow from that:
//!
//! - A fill takes a **lease** before its read is sent (`lease`). An invalidation of the name ends
//!   the lease, so a reply that was read before a change cannot be cached after it. For a store that
//!   answers before another reader could join, the lease is a change stamp (`near/change_stamp.rs`).
//! - Readers of one key share a **flight** (`flight`). When the lease ends, later readers no longer
//!   find the flight: those that joined before keep it, later ones start a new one and see the
//!   change.
//! - An entry belongs to the **epoch** of the feed in which it was filled ([`feed`]). When the
//!   connection ends, changes may go unreported, so no entry of that epoch is served again.
//! - The **age** of a feed is the time since the newest answered heartbeat was *sent*. Past the
//!   *staleness bound* nothing is served from memory, because a silent connection may be cut.
//!
//! These are plain state machines: no runtime, no socket, and time is passed in. The schedule
//! explorer and a property test against a small model run them as they are shipped.

pub mod feed;
pub(crate) mod flight;
pub(crate) mod lease;
