//! Invalid and nearly valid bytes: results stay within the buffer, and do not depend on how the bytes
//! are split into reads.

use larder_resp::reply::{Frame, Scanner};
use larder_resp::request::{Decoded, Decoder};
use larder_resp::{Limits, ProtocolError};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_scanned_reply_can_be_parsed(bytes in any_garbage()) {
        let scanned = Scanner::new(Limits::default()).scan(&bytes);
        if let Ok(Some(length)) = scanned {
            prop_assert!(0 < length && length <= bytes.len());
            visit(&Frame::parse(&bytes[..length]).unwrap());
        }
        let viewed = Frame::parse(&bytes).map(|frame| visit(&frame));
        prop_assert_eq!(viewed.is_ok(), scanned == Ok(Some(bytes.len())));
    }

    #[test]
    fn scanning_byte_by_byte_gives_the_same_result(bytes in any_garbage(), limits in any_limits()) {
        let mut scanner = Scanner::new(limits);
        let in_pieces = (0..=bytes.len())
            .map(|end| scanner.scan(&bytes[..end]))
            .find(|outcome| *outcome != Ok(None));
        let whole = Scanner::new(limits).scan(&bytes);
        prop_assert_eq!(in_pieces.unwrap_or(Ok(None)), whole);
    }

    #[test]
    fn decoding_byte_by_byte_gives_the_same_commands(
        bytes in any_garbage(),
        limits in any_limits(),
        auth_required in any::<bool>(),
    ) {
        let read = |step| {
            let mut decoder = Decoder::new(limits);
            decoder.set_auth_required(auth_required);
            commands(&mut decoder, &bytes, step)
        };
        prop_assert_eq!(read(1), read(bytes.len().max(1)));
    }
}

/// Random sequences of pieces of RESP.
pub(crate) fn any_garbage() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"\r\n",
        b"\r",
        b"\n",
        b"*1\r\n",
        b"*2\r\n",
        b"*-1\r\n",
        b"%1\r\n",
        b"|1\r\n",
        b"~0\r\n",
        b">1\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"$3\r\nabc\r\n",
        b"$2\r\n",
        b"=4\r\ntxt:\r\n",
        b"!1\r\nx\r\n",
        b":1\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1\r\n",
        b"(9\r\n",
        b"+a\r\n",
        b"-e\r\n",
        b"\"",
        b"'",
        b"\\x",
        b"GET a",
        b"$?",
        b"*9999999999\r\n",
        b"$18446744073709551615\r\n",
        b"%9223372036854775807\r\n",
        b"*100\r\n",
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn any_limits() -> impl Strategy<Value = Limits> {
    (0_usize..6, 0_usize..6, 0_usize..12, 0_usize..4, 0_usize..12).prop_map(
        |(bulk_bytes_max, elements_max, inline_bytes_max, depth_max, line_bytes_max)| Limits {
            bulk_bytes_max,
            elements_max,
            inline_bytes_max,
            depth_max,
            line_bytes_max,
        },
    )
}

/// Visits every element, and checks the number of elements of each aggregate.
fn visit(frame: &Frame<'_>) {
    let Some(items) = frame.items() else { return };
    let announced = items.len();
    assert_eq!(items.map(|item| visit(&item)).count(), announced);
}

type Commands = Vec<Vec<Vec<u8>>>;

/// Returns the commands of a stream that arrives `step` bytes at a time, and how it ended.
fn commands(
    decoder: &mut Decoder,
    stream: &[u8],
    step: usize,
) -> (Commands, Result<usize, ProtocolError>) {
    let (mut start, mut end, mut commands) = (0, 0, Vec::new());
    loop {
        match decoder.decode(&stream[start..end]) {
            Err(error) => return (commands, Err(error)),
            Ok(Decoded { consumed, command }) => {
                assert!(consumed <= end - start);
                start += consumed;
                match command {
                    Some(command) => {
                        commands.push(command.args().map(<[u8]>::to_vec).collect());
                    }
                    None if end == stream.len() => return (commands, Ok(start)),
                    None => end = stream.len().min(end + step),
                }
            }
        }
    }
}
