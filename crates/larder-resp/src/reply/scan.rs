//! Finds the end of a reply while its bytes arrive, looking at each byte once.

use super::header::{Aggregate, Blob, Header};
use crate::{error::ProtocolError, limits::Limits, line::LineSearch};

/// Finds the end of the reply at the start of a growing buffer.
///
/// It remembers its position, so a reply that arrives in many pieces costs no more than one that
/// arrives whole. It does not recurse, and allocates only for nested aggregates.
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    next: Awaiting,
    open: OpenAggregates,
}

/// What the scanner looks for next.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    Line(LineSearch),
    /// A payload between two offsets, and the CRLF behind it.
    Payload {
        blob: Blob,
        start: usize,
        end: usize,
    },
}

impl Scanner {
    /// Creates a scanner at the start of a reply.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: Awaiting::Line(LineSearch::default()),
            open: OpenAggregates::default(),
        }
    }

    /// Returns the length in bytes of the reply at the start of `buf`, or `None` while it is
    /// incomplete.
    ///
    /// After `None`, call again with the same bytes and those that arrived since. After a length,
    /// call with the bytes behind that reply. After an error the stream cannot be scanned further.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, ProtocolError> {
        loop {
            let Some((element_done, offset)) = self.advance(buf)? else { return Ok(None) };
            if element_done && self.open.close_element() {
                self.next = Awaiting::Line(LineSearch::default());
                return Ok(Some(offset));
            }
        }
    }

    /// Returns how long the buffer must be before the next [`scan`](Self::scan) can make progress:
    /// the capacity worth reserving.
    pub fn bytes_needed(&self) -> usize {
        match &self.next {
            Awaiting::Line(line) => line.after(),
            Awaiting::Payload { end, .. } => end.saturating_add(2),
        }
    }

    /// Returns the length in bytes of `items` replies at the start of `buf`, or `None` if it ends
    /// early.
    pub(super) fn length_of(items: usize, buf: &[u8]) -> Option<usize> {
        if items == 0 {
            return Some(0);
        }
        let mut scanner = Self::new(Limits::NONE);
        scanner.open.enter(items, Limits::NONE.depth_max).ok()?;
        scanner.scan(buf).ok()?
    }

    /// Scans one line or payload. Returns whether it completed an element, and the offset behind it.
    fn advance(&mut self, buf: &[u8]) -> Result<Option<(bool, usize)>, ProtocolError> {
        match &mut self.next {
            Awaiting::Line(line) => {
                let too_big = ProtocolError::LineTooBig;
                let found = line.find(buf, self.limits.line_bytes_max, too_big)?;
                let Some((text, line_feed)) = found else { return Ok(None) };
                if line_feed != b'\n' {
                    return Err(ProtocolError::MissingLineEnd);
                }
                let after = line.after();
                self.next = Awaiting::Line(LineSearch::at(after));
                Ok(Some((self.enter(&Header::parse(text)?, after)?, after)))
            }
            Awaiting::Payload { blob, start, end } => {
                let after = end.saturating_add(2);
                let Some(line_end) = buf.get(*end..after) else { return Ok(None) };
                if line_end != b"\r\n" {
                    return Err(ProtocolError::MissingLineEnd);
                }
                blob.check(buf.get(*start..*end).unwrap_or_default())?;
                self.next = Awaiting::Line(LineSearch::at(after));
                Ok(Some((true, after)))
            }
        }
    }

    /// Acts on the first line of an element, which ends at `after`. Returns whether the line was the
    /// whole element.
    fn enter(&mut self, header: &Header<'_>, after: usize) -> Result<bool, ProtocolError> {
        match *header {
            Header::Scalar(_) => Ok(true),
            Header::Blob(blob, bytes) => {
                if bytes > self.limits.bulk_bytes_max {
                    return Err(ProtocolError::BulkLength);
                }
                let end = after.saturating_add(bytes);
                self.next = Awaiting::Payload { blob, start: after, end };
                Ok(false)
            }
            Header::Aggregate(kind, items) => {
                if kind == Aggregate::Push && self.open.innermost > 0 {
                    return Err(ProtocolError::NestedPush);
                }
                if items == 0 {
                    return Ok(true);
                }
                self.open_level(items, items)
            }
            // The described value is counted in, so that attribute and value end as one element.
            Header::Attribute(items) => self.open_level(items, items.saturating_add(1)),
        }
    }

    /// Enters an aggregate whose first line announces `announced` elements, of which `awaited` end
    /// it.
    fn open_level(&mut self, announced: usize, awaited: usize) -> Result<bool, ProtocolError> {
        if announced > self.limits.elements_max {
            return Err(ProtocolError::MultibulkLength);
        }
        self.open.enter(awaited, self.limits.depth_max)?;
        Ok(false)
    }
}

/// The aggregates around the scanner's position.
#[derive(Clone, Debug, Default)]
struct OpenAggregates {
    /// Elements still to come in the innermost one; 0 outside of any.
    innermost: u32,
    /// Elements still to come in those around it, outermost first; never 0.
    outer: Vec<u32>,
}

impl OpenAggregates {
    fn enter(&mut self, items: usize, depth_max: usize) -> Result<(), ProtocolError> {
        let items = u32::try_from(items).map_err(|_| ProtocolError::MultibulkLength)?;
        let is_inside = self.innermost > 0;
        if self.outer.len() + usize::from(is_inside) >= depth_max {
            return Err(ProtocolError::TooDeep);
        }
        if is_inside {
            self.outer.push(self.innermost);
        }
        self.innermost = items;
        Ok(())
    }

    /// Counts a complete element, and every aggregate that it completes. Returns whether that
    /// completed the outermost reply.
    fn close_element(&mut self) -> bool {
        while self.innermost > 0 {
            self.innermost -= 1;
            if self.innermost > 0 {
                return false;
            }
            self.innermost = self.outer.pop().unwrap_or(0);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        Scanner::new(Limits::default()).scan(bytes)
    }

    #[test]
    fn every_type_is_scanned() {
        for reply in [
            "+OK\r\n",
            "-ERR no\r\n",
            ":12\r\n",
            ":+12\r\n",
            "$0\r\n\r\n",
            "$4\r\na\r\nb\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*2\r\n*1\r\n:1\r\n*0\r\n",
            "_\r\n",
            ",1.5e3\r\n",
            ",-inf\r\n",
            ",nan\r\n",
            "#t\r\n",
            "!3\r\nERR\r\n",
            "=7\r\ntxt:abc\r\n",
            "(12345678901234567890123\r\n",
            "%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n",
            "~1\r\n#f\r\n",
            ">2\r\n+invalidate\r\n_\r\n",
            "|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n",
            "*2\r\n|1\r\n+ttl\r\n:3\r\n:1\r\n:2\r\n",
            "|0\r\n|1\r\n+a\r\n+b\r\n+c\r\n",
        ] {
            let mut followed = reply.as_bytes().to_vec();
            followed.extend_from_slice(b"+next\r\n");
            assert_eq!(scan(&followed), Ok(Some(reply.len())), "{reply:?}");
            for cut in 0..reply.len() {
                assert_eq!(scan(&followed[..cut]), Ok(None), "{reply:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn invalid_replies_have_their_error() {
        for (reply, error) in [
            ("\r\n", ProtocolError::UnknownType(b'\r')),
            ("HTTP/1.1\r\n", ProtocolError::UnknownType(b'H')),
            ("+a\rb\r\n", ProtocolError::MissingLineEnd),
            ("$1\r\nab\r\n", ProtocolError::MissingLineEnd),
            ("$x\r\n", ProtocolError::BulkLength),
            ("$-2\r\n", ProtocolError::BulkLength),
            ("!-1\r\n", ProtocolError::BulkLength),
            ("*-2\r\n", ProtocolError::MultibulkLength),
            ("%-1\r\n", ProtocolError::MultibulkLength),
            ("$?\r\n", ProtocolError::Streamed),
            ("*?\r\n", ProtocolError::Streamed),
            (":\r\n", ProtocolError::Malformed(b':')),
            (":+-1\r\n", ProtocolError::Malformed(b':')),
            (",one\r\n", ProtocolError::Malformed(b',')),
            ("#true\r\n", ProtocolError::Malformed(b'#')),
            ("_x\r\n", ProtocolError::Malformed(b'_')),
            ("=3\r\ntxt\r\n", ProtocolError::Malformed(b'=')),
            ("*1\r\n>1\r\n+x\r\n", ProtocolError::NestedPush),
            ("*1\r\n>0\r\n", ProtocolError::NestedPush),
        ] {
            assert_eq!(scan(reply.as_bytes()), Err(error), "{reply:?}");
        }
    }

    #[test]
    fn limits_apply_before_the_bytes_arrive() {
        let limits =
            Limits { bulk_bytes_max: 4, elements_max: 4, line_bytes_max: 5, ..Limits::default() };
        for (reply, outcome) in [
            ("$4\r\n", Ok(None)),
            ("$5\r\n", Err(ProtocolError::BulkLength)),
            ("=5\r\n", Err(ProtocolError::BulkLength)),
            ("*4\r\n", Ok(None)),
            ("*5\r\n", Err(ProtocolError::MultibulkLength)),
            ("%2\r\n", Ok(None)),
            ("%3\r\n", Err(ProtocolError::MultibulkLength)),
            ("|3\r\n", Err(ProtocolError::MultibulkLength)),
            ("+1234\r\n", Ok(Some(7))),
            ("+1234", Ok(None)),
            ("+12345", Err(ProtocolError::LineTooBig)),
            ("+12345\r\n", Err(ProtocolError::LineTooBig)),
        ] {
            assert_eq!(Scanner::new(limits).scan(reply.as_bytes()), outcome, "{reply:?}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        let limits = Limits { depth_max: 3, ..Limits::default() };
        let nested = |depth| "*1\r\n".repeat(depth) + ":1\r\n";
        assert_eq!(Scanner::new(limits).scan(nested(3).as_bytes()), Ok(Some(16)));
        let deeper = nested(4);
        assert_eq!(Scanner::new(limits).scan(deeper.as_bytes()), Err(ProtocolError::TooDeep));
        let deepest = nested(100_000);
        let unlimited = Limits { depth_max: usize::MAX, ..Limits::default() };
        assert_eq!(Scanner::new(unlimited).scan(deepest.as_bytes()), Ok(Some(deepest.len())));
    }

    #[test]
    fn a_stream_is_scanned_byte_by_byte() {
        let replies = ["$3\r\nabc\r\n", "*2\r\n+a\r\n*1\r\n_\r\n", ">1\r\n+x\r\n", ":7\r\n"];
        let stream = replies.concat();
        let mut scanner = Scanner::new(Limits::default());
        let (mut start, mut lengths) = (0, Vec::new());
        for end in 1..=stream.len() {
            if let Some(length) = scanner.scan(&stream.as_bytes()[start..end]).unwrap() {
                lengths.push(length);
                start += length;
            }
        }
        assert_eq!(lengths, replies.map(str::len));
    }

    #[test]
    fn scanned_bytes_are_not_read_again() {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(b"*3\r\n:1\r\n+aaaa"), Ok(None));
        assert_eq!(scanner.scan(b"########+\r\r\r\raaa\r\n$9\r\n123456"), Ok(None));
        assert_eq!(scanner.scan(b"######################123456789\r\n"), Ok(Some(33)));
    }

    #[test]
    fn bytes_needed_follows_from_the_length() {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(b"*2\r\n:1\r\n$1000\r\nab"), Ok(None));
        assert_eq!(scanner.bytes_needed(), 15 + 1000 + 2);
    }
}
