//! Writes replies. An aggregate is written as its count, then its elements one by one.

use crate::number;
use bytes::{BufMut, BytesMut};

/// Writes a status, such as `OK`. Line ends in it become spaces.
pub fn simple(out: &mut BytesMut, text: &[u8]) {
    line(out, b'+', text);
}

/// Writes an error, its code first, such as `ERR unknown command`. Line ends in it become spaces.
pub fn error(out: &mut BytesMut, text: &[u8]) {
    line(out, b'-', text);
}

/// Writes an integer.
pub fn integer(out: &mut BytesMut, value: i64) {
    out.put_u8(b':');
    number::write(out, value);
    out.put_slice(b"\r\n");
}

/// Writes a bulk string.
pub fn bulk(out: &mut BytesMut, payload: &[u8]) {
    count(out, b'$', payload.len());
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

/// Writes the null of RESP3.
pub fn null(out: &mut BytesMut) {
    out.put_slice(b"_\r\n");
}

/// Writes the null of RESP2 in place of a string.
pub fn null_bulk(out: &mut BytesMut) {
    out.put_slice(b"$-1\r\n");
}

/// Writes the null of RESP2 in place of an array.
pub fn null_array(out: &mut BytesMut) {
    out.put_slice(b"*-1\r\n");
}

/// Writes the first line of an array with this many elements.
pub fn array(out: &mut BytesMut, elements: usize) {
    count(out, b'*', elements);
}

/// Writes the first line of a map with this many pairs; RESP3 only.
pub fn map(out: &mut BytesMut, pairs: usize) {
    count(out, b'%', pairs);
}

/// Writes the first line of a set with this many elements; RESP3 only.
pub fn set(out: &mut BytesMut, elements: usize) {
    count(out, b'~', elements);
}

/// Writes the first line of a push with this many elements, its kind included; RESP3 only.
pub fn push(out: &mut BytesMut, elements: usize) {
    count(out, b'>', elements);
}

/// Writes a line with a length or a number of elements.
pub(crate) fn count(out: &mut BytesMut, kind: u8, count: usize) {
    match u8::try_from(count) {
        // The usual case, and nearly every line of a command.
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
    fn replies_are_encoded_as_redis_encodes_them() {
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
    fn line_ends_in_a_line_become_spaces() {
        assert_eq!(written(|out| error(out, b"ERR a\r\n+OK")), "-ERR a  +OK\r\n");
        assert_eq!(written(|out| simple(out, b"a\nb")), "+a b\r\n");
    }
}
