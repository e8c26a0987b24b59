//! The conversion to RESP2, compared with the tree that the RESP3 reply was written from.

use crate::garbage::any_garbage;
use crate::value::{Value, any_resp3};
use bytes::{BufMut, BytesMut};
use larder_resp::reply::{self, Frame, Resp2Layout, write_as_resp2};
use proptest::prelude::*;
use proptest::sample::select;

proptest! {
    #[test]
    fn a_reply_is_converted_to_its_tree_in_resp2(
        value in any_resp3(),
        layout in select([Resp2Layout::Plain, Resp2Layout::NullArray].as_slice()),
        attribute in select(["", "|0\r\n", "|1\r\n+ttl\r\n%1\r\n+a\r\n*1\r\n_\r\n"].as_slice()),
    ) {
        let (mut resp3, mut expected, mut found) = Default::default();
        value.write(&mut resp3, attribute.as_bytes());
        write_expected(&mut expected, &value, layout);
        write_as_resp2(&mut found, layout, &resp3).unwrap();
        prop_assert_eq!(&found, &expected);
        prop_assert!(is_resp2(&found));
    }

    #[test]
    fn members_with_scores_are_flattened(
        pairs in proptest::collection::vec((any_resp3(), any_resp3()), 1..9),
    ) {
        let (mut resp3, mut expected, mut found) = Default::default();
        reply::array(&mut resp3, pairs.len());
        reply::array(&mut expected, 2 * pairs.len());
        for (member, score) in &pairs {
            reply::array(&mut resp3, 2);
            for value in [member, score] {
                value.write(&mut resp3, b"");
                write_expected(&mut expected, value, Resp2Layout::Plain);
            }
        }
        write_as_resp2(&mut found, Resp2Layout::FlatPairs, &resp3).unwrap();
        prop_assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn garbage_is_refused_or_becomes_resp2(
        bytes in any_garbage(),
        layout in select([Resp2Layout::Plain, Resp2Layout::NullArray, Resp2Layout::FlatPairs].as_slice()),
    ) {
        let mut out = BytesMut::from("before");
        let written = write_as_resp2(&mut out, layout, &bytes);
        let out = out.strip_prefix(b"before").unwrap();
        prop_assert!(written.is_ok() || out.is_empty());
        if Frame::parse(&bytes).is_ok() {
            // A list in which only the first elements are pairs may be refused.
            prop_assert!(written.is_ok() || layout == Resp2Layout::FlatPairs);
            prop_assert!(written.is_err() || is_resp2(out), "{}", out.escape_ascii());
        }
    }
}

/// Writes what a server would send to a RESP2 client.
fn write_expected(out: &mut BytesMut, value: &Value, layout: Resp2Layout) {
    let all = |out: &mut BytesMut, items: &[Value]| {
        reply::array(out, items.len());
        for item in items {
            write_expected(out, item, layout);
        }
    };
    match value {
        Value::Null if layout == Resp2Layout::NullArray => out.put_slice(b"*-1\r\n"),
        Value::Null => out.put_slice(b"$-1\r\n"),
        Value::Double(number) => reply::bulk(out, number.to_string().as_bytes()),
        Value::Boolean(value) => reply::integer(out, i64::from(*value)),
        Value::Verbatim(text) => reply::bulk(out, text),
        Value::BigNumber(text) => reply::bulk(out, text.as_bytes()),
        Value::BlobError(text) => reply::error(out, text),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => all(out, items),
        Value::Map(pairs) => {
            reply::array(out, 2 * pairs.len());
            for (key, value) in pairs {
                reply::bulk(out, key.as_bytes());
                write_expected(out, value, layout);
            }
        }
        same => same.write(out, b""),
    }
}

/// Returns whether this is one reply, of types that RESP2 has.
fn is_resp2(bytes: &[u8]) -> bool {
    let (mut rest, mut missing) = (bytes, 1);
    while missing > 0 {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return false };
        let (line, after) = (&rest[1..end], &rest[end + 2..]);
        let count = str::from_utf8(line).ok().and_then(|line| line.parse::<i64>().ok());
        rest = match (rest[0], count) {
            (b'+' | b'-', _) | (b':', Some(_)) | (b'$' | b'*', Some(-1)) => after,
            (b'$', Some(length)) => &after[usize::try_from(length).unwrap() + 2..],
            (b'*', Some(count)) => {
                missing += count;
                after
            }
            _ => return false,
        };
        missing -= 1;
    }
    rest.is_empty()
}
