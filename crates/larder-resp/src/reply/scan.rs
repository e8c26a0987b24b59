//! Where a reply ends: looked for while its bytes arrive, each byte once.

use super::header::{Aggregate, Blob, Header};
use crate::line::LineSearch;
use crate::{Limits, ProtocolError};

/// Finds the end of the reply at the start of a buffer that grows.
///
/// It remembers how far it came, so that a reply which arrives in many pieces costs no more than
/// one which arrives whole. It does not recurse, and allocates only for aggregates inside others.
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    next: Awaiting,
    open: OpenAggregates,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    Line(LineSearch),
    /// A payload, from one offset to the other, and its line end.
    Payload {
        blob: Blob,
        start: usize,
        end: usize,
    },
}

impl Scanner {
    /// A scanner at the start of a reply.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: Awaiting::Line(LineSearch::default()),
            open: OpenAggregates::default(),
        }
    }

    /// The length in bytes of the reply that `buf` starts with, or `None` while it is incomplete.
    ///
    /// After `None`, call again with the same bytes and those that came since. After a length,
    /// the scanner starts afresh: call with the bytes behind that reply. After an error the
    /// stream is lost.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, ProtocolError> {
        loop {
            let Some((element_done, offset)) = self.advance(buf)? else { return Ok(None) };
            if element_done && self.open.close_element() {
                self.next = Awaiting::Line(LineSearch::default());
                return Ok(Some(offset));
            }
        }
    }

    /// How long a buffer must be before the next [`scan`](Self::scan) can get any further: room
    /// worth reserving.
    pub fn bytes_needed(&self) -> usize {
        match &self.next {
            Awaiting::Line(line) => line.after(),
            Awaiting::Payload { end, .. } => end.saturating_add(2),
        }
    }

    /// The length in bytes of so many replies at the start of `buf`, or `None` if it ends early.
    pub(super) fn length_of(items: usize, buf: &[u8]) -> Option<usize> {
        if items == 0 {
            return Some(0);
        }
        let mut scanner = Self::new(Limits::NONE);
        scanner.open.enter(items, Limits::NONE.depth_max).ok()?;
        scanner.scan(buf).ok()?
    }

    /// Takes one line or payload: whether an element ended with it, and the offset behind it.
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
                blob.frame(buf.get(*start..*end).unwrap_or_default())?;
                self.next = Awaiting::Line(LineSearch::at(after));
                Ok(Some((true, after)))
            }
        }
    }

    /// Acts on the first line of an element, which ends at `after`; says whether it was all of it.
    fn enter(&mut self, header: &Header<'_>, after: usize) -> Result<bool, ProtocolError> {
        match *header {
            Header::Blob(_, bytes) if bytes > self.limits.bulk_bytes_max => {
                Err(ProtocolError::BulkLength)
            }
            Header::Blob(blob, bytes) => {
                self.next =
                    Awaiting::Payload { blob, start: after, end: after.saturating_add(bytes) };
                Ok(false)
            }
            Header::Aggregate(Aggregate::Push, _) if self.open.innermost > 0 => {
                Err(ProtocolError::NestedPush)
            }
            Header::Line(_) | Header::Aggregate(_, 0) => Ok(true),
            Header::Aggregate(_, items) => self.open_level(items, items),
            // The value that follows belongs to the level, so that both end as one element.
            Header::Attribute(items) => self.open_level(items, items.saturating_add(1)),
        }
    }

    fn open_level(&mut self, counted: usize, items: usize) -> Result<bool, ProtocolError> {
        if counted > self.limits.elements_max {
            return Err(ProtocolError::MultibulkLength);
        }
        self.open.enter(items, self.limits.depth_max)?;
        Ok(false)
    }
}

/// The aggregates that the scanner is inside of.
#[derive(Clone, Debug, Default)]
struct OpenAggregates {
    /// Elements still to come in the innermost one; 0 outside of all.
    innermost: u32,
    /// The same of those around it, outermost first; never 0.
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

    /// Counts an element that is complete, and with it every aggregate that it completes; says
    /// whether none is left.
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
    fn every_type_is_measured() {
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
    fn a_broken_reply_is_named() {
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
    fn limits_hold_before_the_bytes_arrive() {
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
    fn nesting_ends_at_the_limit() {
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
    fn one_scanner_follows_a_stream_byte_by_byte() {
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
    fn what_was_passed_is_not_read_again() {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(b"*3\r\n:1\r\n+aaaa"), Ok(None));
        assert_eq!(scanner.scan(b"########+\r\r\r\raaa\r\n$9\r\n123456"), Ok(None));
        assert_eq!(scanner.scan(b"######################123456789\r\n"), Ok(Some(33)));
    }

    #[test]
    fn what_is_needed_is_known_from_the_length() {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(b"*2\r\n:1\r\n$1000\r\nab"), Ok(None));
        assert_eq!(scanner.bytes_needed(), 15 + 1000 + 2);
    }
}
