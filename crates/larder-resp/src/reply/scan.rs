//! Where a reply ends: looked for while its bytes arrive, each byte once.

use super::head::{Aggregate, Blob, Head};
use crate::limits::DEPTH_MAX;
use crate::{Limits, ProtocolError};

/// Finds the end of the reply at the start of a buffer that grows.
///
/// It remembers how far it came, so that a reply which arrives in many pieces costs no more than
/// one which arrives whole. It neither allocates nor recurses.
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    /// The offset at which the next line or payload starts.
    taken: usize,
    next: Next,
    open: Open,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The end of a line, which is not before the offset `searched`.
    Line { searched: usize },
    /// `bytes` of payload and their line end.
    Payload { blob: Blob, bytes: usize },
}

impl Scanner {
    /// A scanner at the start of a reply.
    pub fn new(limits: Limits) -> Self {
        Self { limits, taken: 0, next: Next::Line { searched: 0 }, open: Open::default() }
    }

    /// The length in bytes of the reply that `buf` starts with, or `None` while it is incomplete.
    ///
    /// After `None`, call again with the same bytes and those that came since. After a length,
    /// the scanner starts afresh: call with the bytes behind that reply. After an error the
    /// stream is lost.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, ProtocolError> {
        loop {
            let element_done = match self.next {
                Next::Line { searched } => {
                    let Some(line) = self.take_line(buf, searched)? else { return Ok(None) };
                    self.enter(Head::parse(line)?)?
                }
                Next::Payload { blob, bytes } => {
                    let Some(payload) = self.take_payload(buf, bytes)? else { return Ok(None) };
                    blob.frame(payload)?;
                    true
                }
            };
            if element_done && self.open.close_element() {
                return Ok(Some(self.start_afresh()));
            }
        }
    }

    /// How long a buffer must be before the next [`scan`](Self::scan) can get any further: room
    /// worth reserving.
    pub fn bytes_needed(&self) -> usize {
        match self.next {
            Next::Line { searched } => searched.saturating_add(1),
            Next::Payload { bytes, .. } => self.taken.saturating_add(bytes).saturating_add(2),
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

    fn take_line<'b>(
        &mut self,
        buf: &'b [u8],
        searched: usize,
    ) -> Result<Option<&'b [u8]>, ProtocolError> {
        let unseen = buf.get(searched..).unwrap_or_default();
        let found = unseen.iter().position(|byte| *byte == b'\r');
        let end = searched + found.unwrap_or(unseen.len());
        if end.saturating_sub(self.taken) > self.limits.line_bytes_max {
            return Err(ProtocolError::LineTooBig);
        }
        self.next = Next::Line { searched: end };
        match buf.get(end + 1) {
            Some(b'\n') if found.is_some() => {
                let line = buf.get(self.taken..end);
                self.step_to(end + 2);
                Ok(line)
            }
            Some(_) => Err(ProtocolError::MissingLineEnd),
            None => Ok(None),
        }
    }

    fn take_payload<'b>(
        &mut self,
        buf: &'b [u8],
        bytes: usize,
    ) -> Result<Option<&'b [u8]>, ProtocolError> {
        let end = self.taken.saturating_add(bytes);
        match buf.get(end..end.saturating_add(2)) {
            Some(b"\r\n") => {
                let payload = buf.get(self.taken..end);
                self.step_to(end + 2);
                Ok(payload)
            }
            Some(_) => Err(ProtocolError::MissingLineEnd),
            None => Ok(None),
        }
    }

    fn step_to(&mut self, offset: usize) {
        self.taken = offset;
        self.next = Next::Line { searched: offset };
    }

    /// Acts on the first line of an element; says whether that was all of it.
    fn enter(&mut self, head: Head<'_>) -> Result<bool, ProtocolError> {
        match head {
            Head::Line(_) => Ok(true),
            Head::Blob(_, bytes) if bytes > self.limits.bulk_bytes_max => {
                Err(ProtocolError::BulkLength)
            }
            Head::Blob(blob, bytes) => {
                self.next = Next::Payload { blob, bytes };
                Ok(false)
            }
            Head::Aggregate(Aggregate::Push, _) if self.open.depth > 0 => {
                Err(ProtocolError::NestedPush)
            }
            Head::Aggregate(_, 0) => Ok(true),
            Head::Aggregate(_, items) => self.open_level(items, items),
            // The value that follows belongs to the level, so that both end as one element.
            Head::Attribute(items) => self.open_level(items, items.saturating_add(1)),
        }
    }

    fn open_level(&mut self, counted: usize, items: usize) -> Result<bool, ProtocolError> {
        if counted > self.limits.elements_max {
            return Err(ProtocolError::MultibulkLength);
        }
        self.open.enter(items, self.limits.depth_max)?;
        Ok(false)
    }

    fn start_afresh(&mut self) -> usize {
        let length = self.taken;
        self.step_to(0);
        length
    }
}

/// The aggregates that the scanner is inside of, outermost first.
#[derive(Clone, Debug)]
struct Open {
    /// Elements still to come, for each of the first `depth`; never 0.
    missing: [u32; DEPTH_MAX],
    depth: usize,
}

impl Default for Open {
    fn default() -> Self {
        Self { missing: [0; DEPTH_MAX], depth: 0 }
    }
}

impl Open {
    fn enter(&mut self, items: usize, depth_max: usize) -> Result<(), ProtocolError> {
        let items = u32::try_from(items).map_err(|_| ProtocolError::MultibulkLength)?;
        if self.depth >= depth_max {
            return Err(ProtocolError::TooDeep);
        }
        *self.missing.get_mut(self.depth).ok_or(ProtocolError::TooDeep)? = items;
        self.depth += 1;
        Ok(())
    }

    /// Counts an element that is complete, and with it every aggregate that it completes; says
    /// whether none is left.
    fn close_element(&mut self) -> bool {
        while let Some(missing) = self.missing.get_mut(..self.depth).and_then(<[u32]>::last_mut) {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.depth -= 1;
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
        let deepest = nested(DEPTH_MAX + 1);
        let unlimited = Limits { depth_max: usize::MAX, ..Limits::default() };
        assert_eq!(Scanner::new(unlimited).scan(deepest.as_bytes()), Err(ProtocolError::TooDeep));
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
    fn what_is_needed_is_known_from_the_length() {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(b"*2\r\n:1\r\n$1000\r\nab"), Ok(None));
        assert_eq!(scanner.bytes_needed(), 15 + 1000 + 2);
    }
}
