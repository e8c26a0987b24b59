//! Why an entry of the near tier is true.
//!
//! The store tells of every change on the *feed*, one connection that also carries the *fills*, the
//! reads whose replies may be kept. Its only reader takes replies and invalidations in wire order.
//! From that follow the four parts:
//!
//! - A fill takes a **lease** before its read is sent ([`lease`]). An invalidation of the name voids
//!   the lease, so a reply that was read before the change cannot enter after it. Where the store
//!   answers before anybody could join, the lease is a stamp (`near/stamp.rs`).
//! - Readers of one key share one **flight** ([`flight`]). Voiding the lease takes the flight off the
//!   map: who joined before keeps it, who comes later starts a new one and sees the change.
//! - Entries belong to the **epoch** of the feed in which they were filled ([`feed`]). When the
//!   connection ends nothing says what changed, so nothing of that epoch is served again.
//! - The feed's **age** is the time since the sending of the newest heartbeat that was answered.
//!   Past the *staleness bound* nothing is served from memory, for silence is not news.
//!
//! These are plain state machines: no runtime, no socket, time handed in. The schedule explorer and
//! a random-operations test against a tiny model run them as shipped.

pub mod feed;
pub mod flight;
pub mod lease;
