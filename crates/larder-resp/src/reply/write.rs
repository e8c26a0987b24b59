//! Replies written to a buffer. An aggregate is its count, then its elements, written one by one.

use crate::number;
use bytes::{BufMut, BytesMut};

/// A status, such as `OK`; line ends in it become spaces.
pub fn simple(out: &mut BytesMut, text: &[u8]) {
    line(out, b'+', text);
}

/// An error, its code first, such as `ERR unknown command`; line ends in it become spaces.
pub fn error(out: &mut BytesMut, text: &[u8]) {
    line(out, b'-', text);
}

/// An integer.
pub fn integer(out: &mut BytesMut, value: i64) {
    out.put_u8(b':');
    number::write(out, value);
    out.put_slice(b"\r\n");
}

/// A bulk string.
pub fn bulk(out: &mut BytesMut, payload: &[u8]) {
    count(out, b'$', payload.len());
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

/// RESP3's null.
pub fn null(out: &mut BytesMut) {
    out.put_slice(b"_\r\n");
}

/// RESP2's null where a string was asked for.
pub fn null_bulk(out: &mut BytesMut) {
    out.put_slice(b"$-1\r\n");
}

/// RESP2's null where an array was asked for.
pub fn null_array(out: &mut BytesMut) {
    out.put_slice(b"*-1\r\n");
}

/// The start of an array of so many elements.
pub fn array(out: &mut BytesMut, elements: usize) {
    count(out, b'*', elements);
}

/// The start of a map of so many pairs; RESP3 alone.
pub fn map(out: &mut BytesMut, pairs: usize) {
    count(out, b'%', pairs);
}

/// The start of a set of so many elements; RESP3 alone.
pub fn set(out: &mut BytesMut, elements: usize) {
    count(out, b'~', elements);
}

/// The start of a push of so many elements, of which the first is its kind; RESP3 alone.
pub fn push(out: &mut BytesMut, elements: usize) {
    count(out, b'>', elements);
}

/// A line that announces how much follows.
pub(crate) fn count(out: &mut BytesMut, kind: u8, count: usize) {
    match u8::try_from(count) {
        // Nearly all of them, and all of those in a command.
        Ok(one @ 0..=9) => out.put_slice(&[kind, b'0' + one, b'\r', b'\n']),
        Ok(two @ 10..=99) => {
            out.put_slice(&[kind, b'0' + two / 10, b'0' + two % 10, b'\r', b'\n']);
        }
        _ => {
            out.put_u8(kind);
            number::write_length(out, count);
            out.put_slice(b"\r\n");
        }
    }
}

fn line(out: &mut BytesMut, kind: u8, text: &[u8]) {
    out.put_u8(kind);
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut BytesMut)) -> BytesMut {
        let mut out = BytesMut::new();
        write(&mut out);
        out
    }

    #[test]
    fn replies_are_spelled_as_redis_spells_them() {
        assert_eq!(written(|out| simple(out, b"OK")), "+OK\r\n");
        assert_eq!(written(|out| integer(out, -42)), ":-42\r\n");
        assert_eq!(written(|out| bulk(out, b"a\r\nb")), "$4\r\na\r\nb\r\n");
        assert_eq!(written(|out| bulk(out, b"")), "$0\r\n\r\n");
        assert_eq!(written(null), "_\r\n");
        assert_eq!(written(null_bulk), "$-1\r\n");
        assert_eq!(written(null_array), "*-1\r\n");
        assert_eq!(written(|out| array(out, 10)), "*10\r\n");
        assert_eq!(written(|out| map(out, 1)), "%1\r\n");
        assert_eq!(written(|out| set(out, 2)), "~2\r\n");
        assert_eq!(written(|out| push(out, 3)), ">3\r\n");
        for elements in [0, 9, 10, 99, 100, 255, 256, 4_294_967_296] {
            assert_eq!(written(|out| array(out, elements)), format!("*{elements}\r\n"));
        }
    }

    #[test]
    fn a_line_cannot_be_broken_from_inside() {
        assert_eq!(written(|out| error(out, b"ERR a\r\n+OK")), "-ERR a  +OK\r\n");
        assert_eq!(written(|out| simple(out, b"a\nb")), "+a b\r\n");
    }
}
