//! A client's requests as bytes.

use bytes::BytesMut;
use larder_resp::request::Decoder;

/// The bytes that a client has sent, and the decoder that knows how far into the first command it
/// has read.
pub(crate) struct Requests<'a> {
    pub(crate) decoder: &'a mut Decoder,
    pub(crate) input: &'a mut BytesMut,
}
