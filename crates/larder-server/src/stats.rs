//! Counters and histograms. Nothing here imports the parts that it counts for, so every part may
//! count; [`ops`](crate::ops) reads them.

pub(crate) mod http;
pub(crate) mod latency;
pub(crate) mod reads;
pub(crate) mod resp;
pub(crate) mod tracking;
pub(crate) mod verify;
pub(crate) mod writes;
