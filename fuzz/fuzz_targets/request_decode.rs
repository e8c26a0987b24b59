//! Commands do not depend on how the stream is split, and are the same when they are written and
//! decoded again. The first byte is the size of the pieces.
#![no_main]

use bytes::BytesMut;
use larder_resp::request::Decoder;
use larder_resp::{Limits, ProtocolError};
use libfuzzer_sys::fuzz_target;

type Commands = Vec<Vec<Vec<u8>>>;

fuzz_target!(|data: &[u8]| {
    let Some((&step, stream)) = data.split_first() else { return };
    let limits = Limits { elements_max: 64, inline_bytes_max: 32, ..Limits::default() };
    let mut rewritten = BytesMut::new();
    let whole = decode(stream, stream.len(), limits, &mut rewritten);
    assert_eq!(decode(stream, usize::from(step).max(1), limits, &mut BytesMut::new()), whole);

    let again = decode(&rewritten, rewritten.len(), limits, &mut BytesMut::new());
    assert_eq!(again, (whole.0, None));
});

/// Returns the commands, also written to `out`, and the error that ended them.
fn decode(
    stream: &[u8],
    step: usize,
    limits: Limits,
    out: &mut BytesMut,
) -> (Commands, Option<ProtocolError>) {
    let mut decoder = Decoder::new(limits);
    let (mut start, mut end, mut commands) = (0, 0, Vec::new());
    loop {
        let decoded = match decoder.decode(&stream[start..end]) {
            Ok(decoded) => decoded,
            Err(error) => return (commands, Some(error)),
        };
        start += decoded.consumed;
        match decoded.command {
            Some(command) => {
                commands.push(command.args().map(<[u8]>::to_vec).collect());
                command.write_to(out);
            }
            None if end == stream.len() => return (commands, None),
            None => end = stream.len().min(end + step),
        }
    }
}
