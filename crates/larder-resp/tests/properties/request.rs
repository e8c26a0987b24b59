//! Requests: compared with `redis-protocol`, sent inline, and split into pieces.

use crate::value::any_bytes;
use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::request::{Decoded, Decoder, write_command};
use proptest::prelude::*;
use redis_protocol::resp2;

type Args = Vec<Vec<u8>>;

/// How a client sends a command.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Array,
    Inline,
}

proptest! {
    #[test]
    fn redis_protocol_parses_a_command_that_we_write(args in any_args()) {
        let mut out = BytesMut::new();
        send(&mut out, &args, Sent::Array);
        let (frame, length) = resp2::decode::decode(&out).unwrap().unwrap();
        prop_assert_eq!(length, out.len());
        let args = args.into_iter().map(resp2::types::OwnedFrame::BulkString).collect();
        prop_assert_eq!(frame, resp2::types::OwnedFrame::Array(args));
    }

    #[test]
    fn a_split_stream_has_the_same_commands(
        commands in proptest::collection::vec((any_args(), any_sent()), 1..6),
        ignored in proptest::sample::select(["", "\r\n", "*0\r\n", "*-1\r\n", " \n"].as_slice()),
        piece_lengths in proptest::collection::vec(1_usize..40, 1..40),
    ) {
        let mut stream = BytesMut::new();
        for (args, sent) in &commands {
            stream.extend_from_slice(ignored.as_bytes());
            send(&mut stream, args, *sent);
        }
        stream.extend_from_slice(ignored.as_bytes());
        let expected: Vec<_> = commands.into_iter().map(|(args, _)| args).collect();
        let (read, rewritten) = commands_in_pieces(&stream, piece_lengths.iter().copied().cycle());
        prop_assert_eq!(&read, &expected);

        let mut arrays = BytesMut::new();
        for args in &expected {
            send(&mut arrays, args, Sent::Array);
        }
        prop_assert_eq!(rewritten, arrays);
    }
}

fn any_args() -> impl Strategy<Value = Args> {
    proptest::collection::vec(any_bytes(), 1..8)
}

fn any_sent() -> impl Strategy<Value = Sent> {
    prop_oneof![Just(Sent::Array), Just(Sent::Inline)]
}

fn send(out: &mut BytesMut, args: &Args, sent: Sent) {
    match sent {
        Sent::Array => {
            let args: Vec<_> = args.iter().map(Vec::as_slice).collect();
            write_command(out, &args);
        }
        Sent::Inline => {
            let words: Vec<_> = args.iter().map(|arg| quote(arg)).collect();
            out.extend_from_slice(words.join(b"  ".as_slice()).as_slice());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Quotes a word of an inline command if it needs quotes.
fn quote(arg: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'\x0b' | b'\\');
    if !arg.is_empty() && arg.iter().all(plain) {
        return if arg[0] == b'\x0b' || arg[0] == b'*' { double_quote(arg) } else { arg.to_vec() };
    }
    if arg.iter().any(|byte| matches!(byte, b'\\' | b'\n' | 0)) {
        return double_quote(arg);
    }
    let escaped = arg.iter().flat_map(|byte| match byte {
        b'\'' => vec![b'\\', b'\''],
        _ => vec![*byte],
    });
    [b"'".to_vec(), escaped.collect(), b"'".to_vec()].concat()
}

fn double_quote(arg: &[u8]) -> Vec<u8> {
    let escaped = arg.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        b'\n' => b"\\n".to_vec(),
        b' '..=b'~' => vec![*byte],
        _ => format!("\\x{byte:02x}").into_bytes(),
    });
    [b"\"".to_vec(), escaped.collect(), b"\"".to_vec()].concat()
}

/// Returns all commands of a stream that arrives in pieces, and the bytes that they are written as.
fn commands_in_pieces(
    stream: &[u8],
    piece_lengths: impl Iterator<Item = usize>,
) -> (Vec<Args>, BytesMut) {
    let mut decoder = Decoder::new(Limits::default());
    let (mut start, mut end) = (0, 0);
    let (mut commands, mut rewritten) = (Vec::new(), BytesMut::new());
    for length in piece_lengths {
        end = stream.len().min(end + length);
        loop {
            let Decoded { consumed, command } = decoder.decode(&stream[start..end]).unwrap();
            start += consumed;
            let Some(command) = command else { break };
            commands.push(command.args().map(<[u8]>::to_vec).collect());
            command.write_to(&mut rewritten);
        }
        assert!(decoder.bytes_needed() > end - start, "more could have been read");
        if end == stream.len() {
            break;
        }
    }
    assert_eq!(start, stream.len(), "all is consumed");
    (commands, rewritten)
}
