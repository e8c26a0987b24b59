//! A fast path for the usual command: a complete array of a few short arguments. It is parsed in one
//! pass, without the state machine that an incomplete command needs.

use super::command::Span;
use crate::limits::Limits;

/// Maximum number of arguments, and maximum length of one: what fits in one and two digits.
const ARGS_MAX: usize = 9;
const ARG_BYTES_MAX: usize = 99;
/// Length of the longest line that the fast path accepts, without its CRLF.
const LINE_BYTES_MAX: usize = 3;

/// Returns whether `limits` allow everything that the fast path accepts, so that it need not check
/// them.
pub(super) fn is_within(limits: &Limits) -> bool {
    limits.elements_max >= ARGS_MAX
        && limits.bulk_bytes_max >= ARG_BYTES_MAX
        && limits.inline_bytes_max >= LINE_BYTES_MAX
}

/// Appends the arguments of the command at the start of `buf`, and returns its length in bytes.
/// Returns `None` if the command is not a usual one or is incomplete; `spans` is then unspecified.
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
        // As in `multibulk`, the CRLF behind an argument is not checked.
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
    fn only_short_and_complete_commands_are_accepted() {
        let command = b"*2\r\n$3\r\nGET\r\n$12\r\nabcdefghijkl\r\n";
        assert_eq!(length(command), Some(command.len()));
        assert_eq!(length(&[command, &b"*1\r\n"[..]].concat()), Some(command.len()));
        for bytes in 0..command.len() {
            assert_eq!(length(&command[..bytes]), None, "{bytes} bytes of it");
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
