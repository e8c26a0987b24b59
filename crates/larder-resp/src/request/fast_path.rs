//! The usual command: an array of a few short arguments, all of it there. It is read at one go,
//! without the steps between which a command in pieces waits for the next.

use super::command::Span;
use crate::Limits;

/// Arguments of the most, and bytes of the longest, that are read here.
const ARGS_MAX: usize = 9;
const ARG_BYTES_MAX: usize = 99;
/// Bytes of the longest line that is read here, without its end.
const LINE_BYTES_MAX: usize = 3;

/// Whether no limit lies below what is read here, so that none need be looked at.
pub(super) fn is_within(limits: &Limits) -> bool {
    limits.elements_max >= ARGS_MAX
        && limits.bulk_bytes_max >= ARG_BYTES_MAX
        && limits.inline_bytes_max >= LINE_BYTES_MAX
}

/// Adds the arguments of the command that `buf` starts with, and returns its length in bytes.
/// `None`, whatever was added, where it is not a usual one or not whole.
#[inline]
pub(super) fn read(buf: &[u8], spans: &mut Vec<Span>) -> Option<usize> {
    let [b'*', count @ b'1'..=b'9', b'\r', b'\n', ..] = buf else { return None };
    let mut at = 4;
    for _ in 0..count - b'0' {
        let (line, bytes) = match buf.get(at..)? {
            [b'$', one @ b'0'..=b'9', b'\r', b'\n', ..] => (4, one - b'0'),
            [b'$', ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', b'\n', ..] => {
                (5, (ten - b'0') * 10 + (one - b'0'))
            }
            _ => return None,
        };
        let start = at + line;
        let end = start + usize::from(bytes);
        spans.push(Span { start, end });
        // As elsewhere, the end of the line behind an argument is passed over unread.
        at = end + 2;
    }
    (at <= buf.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(buf: &[u8]) -> Option<usize> {
        read(buf, &mut Vec::new())
    }

    #[test]
    fn only_what_is_short_and_whole_is_read() {
        let usual = b"*2\r\n$3\r\nGET\r\n$12\r\nabcdefghijkl\r\n";
        assert_eq!(length(usual), Some(usual.len()));
        assert_eq!(length(&[usual, &b"*1\r\n"[..]].concat()), Some(usual.len()));
        for bytes in 0..usual.len() {
            assert_eq!(length(&usual[..bytes]), None, "{bytes} bytes of it");
        }
        for other in [
            "PING\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*01\r\n$4\r\nPING\r\n",
            "*10\r\n",
            "*1\r\n$04\r\nPING\r\n",
            "*1\r\n$-1\r\n",
            "*1\r\n$100\r\n",
            "*1\n$4\nPING\r\n",
            "*1\r\n:4\r\nPING\r\n",
        ] {
            assert_eq!(length(other.as_bytes()), None, "{other:?}");
        }
    }
}
