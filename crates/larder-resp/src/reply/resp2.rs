//! Converts a cached RESP3 reply to RESP2 while copying it, in one pass.

use super::{scan::Scanner, write};
use crate::{error::ProtocolError, number};
use bytes::{BufMut, BytesMut};

/// How a reply is written in RESP2, as far as its RESP3 bytes do not determine that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resp2Layout {
    /// The same values in the same order. Null is `$-1`.
    Plain,
    /// As `Plain`, but null is `*-1`: the command replies with arrays.
    NullArray,
    /// As `Plain`, but an array of pairs becomes a flat array: members followed by their scores.
    FlatPairs,
}

/// Writes `resp3`, one complete reply, as Redis would send it to a RESP2 client.
///
/// Bulk strings, integers, simple strings, errors and arrays keep their bytes; a reply that is one
/// of the first four is copied without a look inside. Null is written as `layout` says. Maps become
/// flat arrays; sets and pushes arrays; doubles, big numbers and verbatim strings bulk strings;
/// booleans 0 or 1. Attributes are omitted.
///
/// On an error nothing is written. No reply of a server causes one: the bytes are not a complete
/// reply, or not every element of a list of pairs is a pair.
pub fn write_as_resp2(
    out: &mut BytesMut,
    layout: Resp2Layout,
    resp3: &[u8],
) -> Result<(), ProtocolError> {
    if let [b'$', b'0'..=b'9', ..] | [b':' | b'+' | b'-', ..] = resp3 {
        out.put_slice(resp3);
        return Ok(());
    }
    let start = out.len();
    out.reserve(resp3.len());
    let written = Rewriter { out, layout, resp3, copied: 0, at: 0 }.rewrite();
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Copies bytes that are the same in both versions in the longest possible runs.
struct Rewriter<'a, 'o> {
    out: &'o mut BytesMut,
    layout: Resp2Layout,
    resp3: &'a [u8],
    /// The offset up to which `resp3` has been written to `out`.
    copied: usize,
    /// The offset up to which `resp3` has been parsed.
    at: usize,
}

impl<'a> Rewriter<'a, '_> {
    fn rewrite(mut self) -> Result<(), ProtocolError> {
        match self.pairs() {
            Some(pairs) => self.flatten(pairs)?,
            None => self.elements(1)?,
        }
        if self.at < self.resp3.len() {
            return Err(ProtocolError::TrailingBytes);
        }
        self.copy_to(self.at);
        Ok(())
    }

    /// Returns the number of pairs if the reply is a list of pairs to be flattened.
    fn pairs(&self) -> Option<usize> {
        let Ok((line, after)) = self.line() else { return None };
        let first_is_a_pair = self.unread(after).starts_with(PAIR);
        let count = line.strip_prefix(b"*").and_then(number::parse_length);
        count.filter(|count| self.layout == Resp2Layout::FlatPairs && *count > 0 && first_is_a_pair)
    }

    fn flatten(&mut self, pairs: usize) -> Result<(), ProtocolError> {
        let elements = pairs.checked_mul(2).ok_or(ProtocolError::MultibulkLength)?;
        let (_, after) = self.line()?;
        self.replace(after, |out| write::array(out, elements));
        for _ in 0..pairs {
            if !self.unread(self.at).starts_with(PAIR) {
                return Err(ProtocolError::Malformed(b'*'));
            }
            self.replace(self.at + PAIR.len(), |_| ());
            self.elements(2)?;
        }
        Ok(())
    }

    /// Rewrites `count` elements and everything nested in them. The nesting does not affect how an
    /// element is written, so a counter replaces a stack.
    fn elements(&mut self, count: usize) -> Result<(), ProtocolError> {
        let mut missing = count;
        while missing > 0 {
            let opened = self.element()?;
            missing = (missing - 1).checked_add(opened).ok_or(ProtocolError::MultibulkLength)?;
        }
        Ok(())
    }

    /// Rewrites one element, or the first line of an aggregate. Returns how many elements that line
    /// announces.
    fn element(&mut self) -> Result<usize, ProtocolError> {
        let (line, after) = self.line()?;
        let (&kind, text) = line.split_first().ok_or(ProtocolError::UnknownType(b'\r'))?;
        let null = if self.layout == Resp2Layout::NullArray {
            write::null_array
        } else {
            write::null_bulk
        };
        match (kind, text) {
            (b'+' | b'-' | b':', _) | (b'$' | b'*', b"-1") => self.at = after,
            (b'$', length) => self.at = self.payload(length, after)?.1,
            (b'*', count) => {
                self.at = after;
                return elements(count);
            }
            (b'_', _) => self.replace(after, null),
            (b',' | b'(', _) => self.replace(after, |out| write::bulk(out, text)),
            (b'#', _) => self.replace(after, |out| write::integer(out, (text == b"t").into())),
            (b'=', length) => {
                let (payload, after) = self.payload(length, after)?;
                let text = payload.get(FORMAT_BYTES..).ok_or(ProtocolError::Malformed(kind))?;
                self.replace(after, |out| write::bulk(out, text));
            }
            (b'!', length) => {
                let (payload, after) = self.payload(length, after)?;
                self.replace(after, |out| write::error(out, payload));
            }
            (b'~' | b'>', count) => return Ok(self.open(after, elements(count)?)),
            (b'%', pairs) => return Ok(self.open(after, twice(pairs)?)),
            (b'|', pairs) => {
                let pairs = twice(pairs)?;
                let bytes = Scanner::length_of(pairs, self.unread(after));
                let end = after + bytes.ok_or(ProtocolError::Incomplete)?;
                self.replace(end, |_| ());
                // The described value is still to come.
                return Ok(1);
            }
            _ => return Err(ProtocolError::UnknownType(kind)),
        }
        Ok(0)
    }

    fn open(&mut self, after: usize, elements: usize) -> usize {
        self.replace(after, |out| write::array(out, elements));
        elements
    }

    /// Returns the next line without its CRLF, and the offset behind that.
    fn line(&self) -> Result<(&'a [u8], usize), ProtocolError> {
        let unread = self.unread(self.at);
        let end = unread.iter().position(|byte| *byte == b'\r').ok_or(ProtocolError::Incomplete)?;
        let line = unread.get(..end).unwrap_or_default();
        match unread.get(end + 1) {
            Some(b'\n') => Ok((line, self.at + end + 2)),
            Some(_) => Err(ProtocolError::MissingLineEnd),
            None => Err(ProtocolError::Incomplete),
        }
    }

    /// Returns the payload at `start`, and the offset behind its CRLF.
    fn payload(&self, length: &[u8], start: usize) -> Result<(&'a [u8], usize), ProtocolError> {
        let length = number::parse_length(length).ok_or(ProtocolError::BulkLength)?;
        let unread = self.unread(start);
        let (payload, rest) = unread.split_at_checked(length).ok_or(ProtocolError::Incomplete)?;
        match rest {
            [b'\r', b'\n', ..] => Ok((payload, start + length + 2)),
            [] | [b'\r'] => Err(ProtocolError::Incomplete),
            _ => Err(ProtocolError::MissingLineEnd),
        }
    }

    fn unread(&self, from: usize) -> &'a [u8] {
        self.resp3.get(from..).unwrap_or_default()
    }

    /// Writes something else in place of the bytes up to `end`.
    fn replace(&mut self, end: usize, write: impl FnOnce(&mut BytesMut)) {
        self.copy_to(self.at);
        write(self.out);
        (self.copied, self.at) = (end, end);
    }

    fn copy_to(&mut self, end: usize) {
        self.out.put_slice(self.resp3.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }
}

/// The first line of a pair.
const PAIR: &[u8] = b"*2\r\n";
/// Length of the format of a verbatim string: `txt:`.
const FORMAT_BYTES: usize = 4;

fn elements(count: &[u8]) -> Result<usize, ProtocolError> {
    number::parse_length(count).ok_or(ProtocolError::MultibulkLength)
}

fn twice(count: &[u8]) -> Result<usize, ProtocolError> {
    elements(count)?.checked_mul(2).ok_or(ProtocolError::MultibulkLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(layout: Resp2Layout, resp3: &str) -> Result<String, ProtocolError> {
        let mut out = BytesMut::from("before");
        let written = write_as_resp2(&mut out, layout, resp3.as_bytes());
        let out = String::from_utf8(out.to_vec()).unwrap();
        let out = out.strip_prefix("before").unwrap().to_owned();
        assert!(written.is_ok() || out.is_empty(), "a part of {resp3:?} was written");
        written.map(|()| out)
    }

    #[test]
    fn every_type_is_converted() {
        for (resp3, resp2) in [
            ("$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"),
            (":-1\r\n", ":-1\r\n"),
            ("+OK\r\n", "+OK\r\n"),
            ("-ERR no\r\n", "-ERR no\r\n"),
            ("_\r\n", "$-1\r\n"),
            ("$-1\r\n", "$-1\r\n"),
            ("*-1\r\n", "*-1\r\n"),
            (",1.5\r\n", "$3\r\n1.5\r\n"),
            (",-inf\r\n", "$4\r\n-inf\r\n"),
            ("(-99\r\n", "$3\r\n-99\r\n"),
            ("#t\r\n", ":1\r\n"),
            ("#f\r\n", ":0\r\n"),
            ("=7\r\ntxt:abc\r\n", "$3\r\nabc\r\n"),
            ("!8\r\nERR\r\nno\n\r\n", "-ERR  no \r\n"),
            ("*0\r\n", "*0\r\n"),
            ("~0\r\n", "*0\r\n"),
            ("%0\r\n", "*0\r\n"),
            ("~2\r\n+a\r\n_\r\n", "*2\r\n+a\r\n$-1\r\n"),
            ("%1\r\n+a\r\n%1\r\n+b\r\n#t\r\n", "*2\r\n+a\r\n*2\r\n+b\r\n:1\r\n"),
            (">2\r\n+a\r\n:1\r\n", "*2\r\n+a\r\n:1\r\n"),
            ("|1\r\n+ttl\r\n*2\r\n:1\r\n_\r\n~1\r\n:2\r\n", "*1\r\n:2\r\n"),
            ("*2\r\n|1\r\n+a\r\n+b\r\n|0\r\n_\r\n:2\r\n", "*2\r\n$-1\r\n:2\r\n"),
        ] {
            assert_eq!(rewritten(Resp2Layout::Plain, resp3).as_deref(), Ok(resp2), "{resp3:?}");
        }
    }

    #[test]
    fn null_follows_the_layout_at_any_depth() {
        let reply = "*2\r\n_\r\n*1\r\n_\r\n";
        let arrays = "*2\r\n*-1\r\n*1\r\n*-1\r\n";
        assert_eq!(rewritten(Resp2Layout::NullArray, reply).as_deref(), Ok(arrays));
        let bulks = "*2\r\n$-1\r\n*1\r\n$-1\r\n";
        assert_eq!(rewritten(Resp2Layout::FlatPairs, reply).as_deref(), Ok(bulks));
    }

    #[test]
    fn pairs_are_flattened_only_with_flat_pairs() {
        let pairs = "*2\r\n*2\r\n+a\r\n,1\r\n*2\r\n+b\r\n,2\r\n";
        let flat = "*4\r\n+a\r\n$1\r\n1\r\n+b\r\n$1\r\n2\r\n";
        assert_eq!(rewritten(Resp2Layout::FlatPairs, pairs).as_deref(), Ok(flat));
        let nested = "*2\r\n*2\r\n+a\r\n$1\r\n1\r\n*2\r\n+b\r\n$1\r\n2\r\n";
        assert_eq!(rewritten(Resp2Layout::Plain, pairs).as_deref(), Ok(nested));
        for same in ["*0\r\n", "*2\r\n+a\r\n+b\r\n", "*1\r\n*1\r\n:1\r\n"] {
            assert_eq!(rewritten(Resp2Layout::FlatPairs, same).as_deref(), Ok(same));
        }
    }

    #[test]
    fn incomplete_and_invalid_replies_are_refused() {
        for resp3 in [
            "",
            "*1\r\n",
            "_\r",
            "_\rx",
            "~1\r\n$3\r\nab",
            "~1\r\n$2\r\nabcd",
            "~1\r\n$-2\r\n",
            "%x\r\n",
            "%9223372036854775807\r\n",
            "*2\r\n%4611686018427387904\r\n",
            "=3\r\ntxt\r\n",
            "|1\r\n+a\r\n",
            "_\r\n_\r\n",
            "\r\n",
            "?\r\n",
        ] {
            assert!(rewritten(Resp2Layout::Plain, resp3).is_err(), "{resp3:?}");
        }
        for pairs in ["*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n", "*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n:3\r\n"] {
            assert!(rewritten(Resp2Layout::FlatPairs, pairs).is_err(), "{pairs:?}");
        }
    }
}
