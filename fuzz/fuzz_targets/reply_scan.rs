//! The lengths of replies do not depend on how the stream is split. The first byte is the size of the
//! pieces.
#![no_main]

use larder_resp::reply::Scanner;
use larder_resp::{Limits, ProtocolError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&step, stream)) = data.split_first() else { return };
    let limits = Limits { elements_max: 64, depth_max: 4, line_bytes_max: 32, ..Limits::default() };
    let whole = scan(stream, stream.len(), limits);
    assert_eq!(scan(stream, usize::from(step).max(1), limits), whole);
    assert!(whole.0.iter().sum::<usize>() <= stream.len());
});

/// Returns the lengths of the replies, and the error that ended them.
fn scan(stream: &[u8], step: usize, limits: Limits) -> (Vec<usize>, Option<ProtocolError>) {
    let mut scanner = Scanner::new(limits);
    let (mut start, mut end, mut lengths) = (0, 0, Vec::new());
    loop {
        match scanner.scan(&stream[start..end]) {
            Ok(Some(length)) => {
                start += length;
                lengths.push(length);
            }
            Ok(None) if end == stream.len() => return (lengths, None),
            Ok(None) => end = stream.len().min(end + step),
            Err(error) => return (lengths, Some(error)),
        }
    }
}
