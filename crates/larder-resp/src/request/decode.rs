//! Parses the commands in a read buffer one by one.

use super::{
    command::{Command, Encoding, Span},
    fast_path, inline,
    multibulk::Multibulk,
};
use crate::{error::ProtocolError, limits::Limits, line::LineSearch};

/// Capacity above this, left by a large command, is freed.
const SPANS_KEPT_MAX: usize = 1024;
const TEXT_BYTES_KEPT_MAX: usize = 4096;

/// Parses the commands of one client.
///
/// Arguments borrow from the read buffer, and the list of them is reused, so an ordinary command
/// costs no allocation. For a command that arrives in many pieces, parsing continues where the last
/// piece ended.
///
/// ```
/// use larder_resp::{Limits, request::Decoder};
///
/// let mut decoder = Decoder::new(Limits::default());
/// let mut unread: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nPI";
/// let mut names = Vec::new();
/// loop {
///     let decoded = decoder.decode(unread)?;
///     unread = &unread[decoded.consumed..];
///     let Some(command) = decoded.command else { break };
///     names.push(command.name().to_vec());
/// }
/// assert_eq!(names, [b"GET".to_vec(), b"PING".to_vec()]);
/// assert_eq!(unread, b"*1\r\n$4\r\nPI", "to be decoded again with more bytes");
/// # Ok::<(), larder_resp::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Whether `limits` allow every command that the fast path accepts.
    use_fast_path: bool,
    auth_required: bool,
    stage: Stage,
    spans: Vec<Span>,
    /// The words of an inline command, unquoted.
    text: Vec<u8>,
}

/// The state of the current command. All offsets count from its first byte.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Before its first byte, which tells how the command is encoded.
    Start,
    /// In an inline command that does not end before the offset `searched`, or at all if there is a
    /// zero byte at that offset.
    Inline {
        searched: usize,
        is_endless: bool,
    },
    Multibulk(Multibulk),
}

/// The result of [`Decoder::decode`].
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// Bytes to remove from the start of the buffer once the command has been handled. May be more
    /// than 0 without a command: empty lines and empty arrays are ignored.
    pub consumed: usize,
    /// The command, or `None` if the rest of the buffer does not contain a complete one.
    pub command: Option<Command<'a>>,
}

impl Decoder {
    /// Creates a decoder for a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            use_fast_path: fast_path::is_within(&limits),
            limits,
            auth_required: false,
            stage: Stage::Start,
            spans: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Sets whether the client must authenticate first. Until it has, a command may have 10
    /// arguments of 16 KiB, which is enough for `AUTH` and `HELLO`.
    pub fn set_auth_required(&mut self, required: bool) {
        self.auth_required = required;
    }

    /// Parses the first command in `buf`. Empty lines and empty arrays are ignored.
    ///
    /// `buf` must begin where the last call stopped consuming, and contain at least the bytes that
    /// it left. After an error nothing more can be parsed; another call returns the same error.
    pub fn decode<'a>(&'a mut self, buf: &'a [u8]) -> Result<Decoded<'a>, ProtocolError> {
        let mut start = 0;
        loop {
            let unread = buf.get(start..).unwrap_or_default();
            // Another call after an error starts at the same byte as this one.
            let read = self.read(unread).inspect_err(|_| self.restart())?;
            let Some(length) = read else {
                return Ok(Decoded { consumed: start, command: None });
            };
            start += length;
            let stage = std::mem::replace(&mut self.stage, Stage::Start);
            if !self.spans.is_empty() {
                return Ok(Decoded {
                    consumed: start,
                    command: self.command(stage, unread, length),
                });
            }
        }
    }

    /// Discards the state of an incomplete command: the next call may start at any command.
    pub fn restart(&mut self) {
        self.stage = Stage::Start;
    }

    /// Returns how many unconsumed bytes the buffer must contain before the next
    /// [`decode`](Self::decode) can make progress: the capacity worth reserving.
    pub fn bytes_needed(&self) -> usize {
        match &self.stage {
            Stage::Start => 1,
            Stage::Inline { is_endless: true, .. } => {
                self.limits.inline_bytes_max.saturating_add(1)
            }
            Stage::Inline { searched, .. } => searched.saturating_add(1),
            Stage::Multibulk(multibulk) => multibulk.bytes_needed(),
        }
    }

    /// Continues with the command at the start of `buf`. Returns its length in bytes once it is
    /// complete.
    fn read(&mut self, buf: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if matches!(self.stage, Stage::Start) {
            let Some(first) = buf.first() else { return Ok(None) };
            self.begin(*first);
            if self.use_fast_path {
                if let Some(length) = fast_path::read(buf, &mut self.spans) {
                    return Ok(Some(length));
                }
                self.spans.clear();
            }
        }
        match &mut self.stage {
            Stage::Multibulk(multibulk) => {
                multibulk.read(buf, &self.limits, self.auth_required, &mut self.spans)
            }
            _ => self.read_inline(buf),
        }
    }

    fn begin(&mut self, first: u8) {
        self.spans.clear();
        self.spans.shrink_to(SPANS_KEPT_MAX);
        self.text.clear();
        self.text.shrink_to(TEXT_BYTES_KEPT_MAX);
        self.stage = match first {
            b'*' => Stage::Multibulk(Multibulk::Count(LineSearch::default())),
            _ => Stage::Inline { searched: 0, is_endless: false },
        };
    }

    fn read_inline(&mut self, buf: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Stage::Inline { searched, is_endless } = &mut self.stage else { return Ok(None) };
        let unseen = buf.get(*searched..).unwrap_or_default();
        // Redis searches with `strchr`: behind a zero byte it finds no end of the line, and waits
        // until the line is too long.
        let found = unseen.iter().position(|byte| matches!(byte, b'\n' | 0));
        *searched += found.unwrap_or(unseen.len());
        let is_line = buf.get(*searched) == Some(&b'\n');
        *is_endless = buf.get(*searched) == Some(&0);
        let length = if is_line { *searched } else { buf.len() };
        if length > self.limits.inline_bytes_max {
            return Err(ProtocolError::InlineTooBig);
        }
        let Some(line) = buf.get(..*searched).filter(|_| is_line) else { return Ok(None) };
        inline::split(line, &mut self.text, &mut self.spans)?;
        Ok(Some(line.len() + 1))
    }

    fn command<'a>(&'a self, stage: Stage, unread: &'a [u8], length: usize) -> Option<Command<'a>> {
        let encoding = match stage {
            Stage::Multibulk(_) => Encoding::Multibulk(unread.get(..length)?),
            _ => Encoding::Inline(&self.text),
        };
        Some(Command { encoding, spans: &self.spans })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    type Commands = Vec<Vec<Vec<u8>>>;

    /// Returns all commands in `buf`, and the number of bytes left.
    fn decode_all(decoder: &mut Decoder, buf: &[u8]) -> Result<(Commands, usize), ProtocolError> {
        let (mut rest, mut commands) = (buf, Vec::new());
        loop {
            let Decoded { consumed, command } = decoder.decode(rest)?;
            rest = &rest[consumed..];
            let Some(command) = command else { return Ok((commands, rest.len())) };
            commands.push(command.args().map(<[u8]>::to_vec).collect());
        }
    }

    fn decode(buf: &[u8]) -> Result<(Commands, usize), ProtocolError> {
        decode_all(&mut Decoder::new(Limits::default()), buf)
    }

    fn strings(commands: &[&[&str]]) -> Commands {
        let bytes = |command: &&[&str]| command.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        commands.iter().map(bytes).collect()
    }

    #[test]
    fn pipelined_commands_come_one_by_one() {
        let buf = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\nPING x\r\n*1\r\n$0\r\n\r\n*1\r\n$4\r\nPI";
        let (commands, left) = decode(buf).unwrap();
        assert_eq!(commands, strings(&[&["GET", "a\r\nb"], &["PING", "x"], &[""]]));
        assert_eq!(left, "*1\r\n$4\r\nPI".len());
    }

    #[test]
    fn empty_commands_are_consumed_and_ignored() {
        for ignored in ["\r\n", "\n", "  \t\r\n", "*0\r\n", "*-1\r\n", "*-10\r\n"] {
            let buf = ignored.repeat(2) + "PING\r\n" + ignored;
            assert_eq!(decode(buf.as_bytes()), Ok((strings(&[&["PING"]]), 0)), "{ignored:?}");
        }
    }

    #[test]
    fn line_feeds_are_not_checked_as_in_redis() {
        let buf = b"*1\rX$4\rYPINGzz*1\r\n$1\r\nx\r\n";
        assert_eq!(decode(buf), Ok((strings(&[&["PING"], &["x"]]), 0)));
        assert_eq!(decode(b"ECHO a\r\r\n"), Ok((strings(&[&["ECHO", "a"]]), 0)));
    }

    /// Redis 7.0, Redis 8 and Valkey 9 find no line end behind a zero byte.
    #[test]
    fn an_inline_command_with_a_zero_byte_never_ends() {
        for buf in ["PING\0x\r\n", "\0\r\nPING\r\n", "ECHO 'a\0b'\n", "PING\0"] {
            let mut decoder = Decoder::new(Limits::default());
            let left = decode_all(&mut decoder, buf.as_bytes());
            assert_eq!(left, Ok((Vec::new(), buf.len())), "{buf:?}");
            assert_eq!(decoder.bytes_needed(), 65_537, "{buf:?}");
            let longest = buf.to_owned() + &"\n".repeat(65_536 - buf.len());
            assert_eq!(decode_all(&mut decoder, longest.as_bytes()), Ok((Vec::new(), 65_536)));
            let over = longest + "\n";
            let error = decode_all(&mut decoder, over.as_bytes());
            assert_eq!(error, Err(ProtocolError::InlineTooBig), "{buf:?}");
        }
        assert_eq!(decode(b"PING\r\nPING\0\r\n"), Ok((strings(&[&["PING"]]), 7)));
        let escaped = decode(br#"ECHO "\x00""#.as_slice()).unwrap();
        assert_eq!(escaped.1, 11, "it is no zero byte before it is unquoted");
    }

    #[test]
    fn invalid_commands_have_their_error() {
        for (buf, error) in [
            ("*\r\n", ProtocolError::MultibulkLength),
            ("*+1\r\n", ProtocolError::MultibulkLength),
            ("*01\r\n", ProtocolError::MultibulkLength),
            ("*1048577\r\n", ProtocolError::MultibulkLength),
            ("*1\r\n$-1\r\n", ProtocolError::BulkLength),
            ("*1\r\n$-0\r\n", ProtocolError::BulkLength),
            ("*1\r\n$536870913\r\n", ProtocolError::BulkLength),
            ("*1\r\n$99999999999999999999\r\n", ProtocolError::BulkLength),
            ("*1\r\n:4\r\n", ProtocolError::ExpectedBulk(b':')),
            ("*1\r\n\r\n", ProtocolError::ExpectedBulk(b'\r')),
            ("SET \"a\r\n", ProtocolError::UnbalancedQuotes),
        ] {
            assert_eq!(decode(buf.as_bytes()), Err(error), "{buf:?}");
        }
        for (buf, left) in [("*1048576\r\n", 10), ("*1\r\n$536870912\r\n", 16), ("*1\r\nx", 5)] {
            assert_eq!(decode(buf.as_bytes()), Ok((Vec::new(), left)), "{buf:?}");
        }
    }

    #[test]
    fn line_lengths_are_limited() {
        let digits = |count| "1".repeat(count);
        for (start, error) in [
            ("A", ProtocolError::InlineTooBig),
            ("*", ProtocolError::MultibulkCountTooBig),
            ("*1\r\n$", ProtocolError::BulkCountTooBig),
        ] {
            let full = start.to_owned() + &digits(65_535);
            assert_eq!(decode(full.as_bytes()), Ok((Vec::new(), full.len())), "{start:?}");
            let over = full + "1";
            assert_eq!(decode(over.as_bytes()), Err(error), "{start:?}");
        }
    }

    #[test]
    fn unauthenticated_clients_have_lower_limits() {
        let mut decoder = Decoder::new(Limits::default());
        decoder.set_auth_required(true);
        assert_eq!(decode_all(&mut decoder, b"*10\r\n$16384\r\n"), Ok((Vec::new(), 13)));
        for (buf, error) in [
            ("*11\r\n", ProtocolError::UnauthenticatedMultibulkLength),
            ("*1\r\n$16385\r\n", ProtocolError::UnauthenticatedBulkLength),
        ] {
            let mut decoder = Decoder::new(Limits::default());
            decoder.set_auth_required(true);
            assert_eq!(decode_all(&mut decoder, buf.as_bytes()), Err(error), "{buf:?}");
            decoder = Decoder::new(Limits::default());
            decoder.set_auth_required(false);
            assert_eq!(decode_all(&mut decoder, buf.as_bytes()), Ok((Vec::new(), buf.len())));
        }
    }

    #[test]
    fn arguments_borrow_from_the_buffer() {
        let mut decoder = Decoder::new(Limits::default());
        let buf = b"\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n";
        let command = decoder.decode(buf).unwrap().command.unwrap();
        assert_eq!(command.name(), b"get");
        assert_eq!(command.arg(1).unwrap().as_ptr(), buf[19..].as_ptr());
        assert_eq!(command.arg(2), None);
        assert_eq!(command.args().len(), 2);
    }

    #[test]
    fn write_to_writes_an_array() {
        let mut decoder = Decoder::new(Limits::default());
        for (sent, written) in [
            (b"\n*1\r\n$4\r\nPING\r\n".as_slice(), "*1\r\n$4\r\nPING\r\n"),
            (b"ECHO 'a b'\n", "*2\r\n$4\r\nECHO\r\n$3\r\na b\r\n"),
        ] {
            let mut out = BytesMut::new();
            decoder.decode(sent).unwrap().command.unwrap().write_to(&mut out);
            assert_eq!(out, written);
        }
    }

    #[test]
    fn parsed_bytes_are_not_read_again() {
        let mut decoder = Decoder::new(Limits::default());
        assert!(decoder.decode(b"*2\r\n$3\r\nGET\r\n$1").unwrap().command.is_none());
        let command = decoder.decode(b"########get##$1\r\nk\r\n").unwrap().command.unwrap();
        assert_eq!(command.args().collect::<Vec<_>>(), [b"get".as_slice(), b"k"]);
        assert!(decoder.decode(b"PING aaa").unwrap().command.is_none());
        let command = decoder.decode(b"PING a\na\r\n").unwrap().command.unwrap();
        assert_eq!(command.args().collect::<Vec<_>>(), [b"PING".as_slice(), b"a", b"a"]);
    }

    #[test]
    fn bytes_needed_follows_from_the_length() {
        let mut decoder = Decoder::new(Limits::default());
        let left = decode_all(&mut decoder, b"PING\r\n*1\r\n$1000\r\nab").unwrap().1;
        assert_eq!((left, decoder.bytes_needed()), (13, 11 + 1000 + 2));
    }

    #[test]
    fn memory_of_a_large_command_is_freed() {
        let mut decoder = Decoder::new(Limits::default());
        let large = "*5000\r\n".to_owned() + &"$1\r\nx\r\n".repeat(5000);
        assert_eq!(decode_all(&mut decoder, large.as_bytes()).unwrap().0[0].len(), 5000);
        let line = "a".repeat(60_000) + "\n";
        assert_eq!(decode_all(&mut decoder, line.as_bytes()).unwrap().0[0][0].len(), 60_000);
        decode_all(&mut decoder, b"PING\r\n").unwrap();
        assert!(decoder.spans.capacity() <= SPANS_KEPT_MAX);
        assert!(decoder.text.capacity() <= TEXT_BYTES_KEPT_MAX);
    }
}
