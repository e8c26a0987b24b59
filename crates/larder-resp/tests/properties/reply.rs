//! Replies: compared with `redis-protocol`, and split into pieces.

use crate::value::{Value, any_resp2, any_resp3};
use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::reply::{Frame, Scanner};
use proptest::prelude::*;
use redis_protocol::{resp2, resp3};

proptest! {
    #[test]
    fn redis_protocol_parses_resp3_that_we_write(value in any_resp3()) {
        let mut out = BytesMut::new();
        value.write(&mut out, b"");
        let (frame, length) = resp3::decode::complete::decode(&out).unwrap().unwrap();
        prop_assert_eq!(length, out.len());
        prop_assert_eq!(frame, value.to_resp3());
    }

    #[test]
    fn we_parse_resp3_that_redis_protocol_writes(value in any_resp3()) {
        let frame = value.to_resp3();
        let mut bytes = vec![0; 1 << 16];
        let length = resp3::encode::complete::encode(&mut bytes, &frame, false).unwrap();
        bytes.truncate(length);
        // The maps of redis-protocol have no order: compare in its representation.
        prop_assert_eq!(Value::read(Frame::parse(&bytes).unwrap()).to_resp3(), frame);
    }

    #[test]
    fn redis_protocol_parses_resp2_that_we_write(value in any_resp2()) {
        let mut out = BytesMut::new();
        value.write_resp2(&mut out);
        let (frame, length) = resp2::decode::decode(&out).unwrap().unwrap();
        prop_assert_eq!(length, out.len());
        prop_assert_eq!(frame, value.to_resp2());
    }

    #[test]
    fn we_parse_resp2_that_redis_protocol_writes(value in any_resp2()) {
        let mut bytes = vec![0; 1 << 16];
        let length = resp2::encode::encode(&mut bytes, &value.to_resp2(), false).unwrap();
        bytes.truncate(length);
        prop_assert_eq!(Value::read(Frame::parse(&bytes).unwrap()), value);
    }

    #[test]
    fn a_split_stream_has_the_same_replies(
        values in proptest::collection::vec(any_resp3(), 1..6),
        piece_lengths in proptest::collection::vec(1_usize..40, 1..40),
        attribute in proptest::sample::select(["", "|0\r\n", "|1\r\n+ttl\r\n%1\r\n+a\r\n*1\r\n:1\r\n"].as_slice()),
    ) {
        let mut stream = BytesMut::new();
        for value in &values {
            // A push has no attributes.
            let attribute = if matches!(value, Value::Push(_)) { "" } else { attribute };
            value.write(&mut stream, attribute.as_bytes());
        }
        let replies = replies_in_pieces(&stream, piece_lengths.iter().copied().cycle());
        prop_assert_eq!(replies, values);
    }
}

/// Returns all replies of a stream that arrives in pieces.
fn replies_in_pieces(stream: &[u8], piece_lengths: impl Iterator<Item = usize>) -> Vec<Value> {
    let mut scanner = Scanner::new(Limits::default());
    let (mut start, mut end, mut replies) = (0, 0, Vec::new());
    for length in piece_lengths {
        end = stream.len().min(end + length);
        while let Some(length) = scanner.scan(&stream[start..end]).unwrap() {
            replies.push(Value::read(Frame::parse(&stream[start..start + length]).unwrap()));
            start += length;
        }
        assert!(scanner.bytes_needed() > end - start, "more could have been read");
        if end == stream.len() {
            break;
        }
    }
    replies
}
