//! Replies: what a server sends.
//!
//! [`Scanner`] finds where a reply ends while its bytes arrive; [`Frame`] then looks into it
//! without copying; the functions write one, and [`write_as_resp2`] turns one for older clients.

mod frame;
mod header;
mod resp2;
mod scan;
mod write;

pub use frame::{Frame, Items};
pub use resp2::{Resp2Layout, write_as_resp2};
pub use scan::Scanner;
pub use write::{array, bulk, error, integer, map, null, null_array, null_bulk, push, set, simple};
