//! How a client reads: in which database and in which version of the protocol.

use bytes::BytesMut;
use larder_resp::reply::{Resp2Layout, write_as_resp2};

/// While more than this waits for the client to read it, its commands wait too, and so do the
/// replies to them in Redis.
pub(super) const OUTPUT_BYTES_SOFT_MAX: usize = 1 << 20;

/// Keys of an `MGET` that Larder looks up. One with more is answered by Redis.
pub(super) const MULTI_GET_KEYS_MAX: usize = 1024;
/// A longer reply to an `MGET` is not copied from memory: the worker serves no other client meanwhile,
/// and an invalidation has all of it copied again.
pub(super) const MULTI_GET_BYTES_MAX: usize = 4 << 20;

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RESP2, until HELLO asks for another.
    #[default]
    Resp2,
    Resp3,
}

impl Protocol {
    /// Returns the version as HELLO and CLIENT LIST write it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadContext {
    pub(super) db: u32,
    pub(super) protocol: Protocol,
}

/// Appends a reply in RESP3, as the store gave it, to `output` in the client's protocol. Returns
/// false, and appends nothing, when RESP2 has no form for it.
pub(super) fn write_reply(
    reply: &[u8],
    layout: Resp2Layout,
    protocol: Protocol,
    output: &mut BytesMut,
) -> bool {
    match protocol {
        Protocol::Resp3 => {
            output.extend_from_slice(reply);
            true
        }
        Protocol::Resp2 => write_as_resp2(output, layout, reply).is_ok(),
    }
}
