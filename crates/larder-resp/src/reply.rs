//! Replies: what a server sends.
//!
//! [`Scanner`] finds the end of a reply while its bytes arrive. [`Frame`] is a view of a complete
//! reply. The functions write replies; [`write_as_resp2`] converts one for RESP2 clients.

mod frame;
mod header;
mod resp2;
mod scan;
mod write;

pub use frame::{Frame, Items};
pub use resp2::{Resp2Layout, write_as_resp2};
pub use scan::Scanner;
pub use write::{array, bulk, error, integer, map, null, null_array, null_bulk, push, set, simple};
