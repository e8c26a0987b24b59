//! A Redis client that controls what goes into one write, and returns each reply.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::reply::{Frame, Scanner};
use larder_resp::request::write_command;

/// Limit for a reply.
const RESPONSE_LIMIT: Duration = Duration::from_secs(20);
/// Returns parser limits that permit replies longer than any command.
fn limits() -> Limits {
    Limits { elements_max: 4 << 20, line_bytes_max: 1 << 20, ..Limits::default() }
}

pub(crate) struct Client {
    stream: TcpStream,
    unread: BytesMut,
    scanner: Scanner,
}

/// A reply or a push, in either protocol version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Nil,
    Text(String),
    Number(i64),
    Error(String),
    List(Vec<Reply>),
    Push(Vec<Reply>),
}

impl Client {
    /// Connects to this port of 127.0.0.1, in RESP2.
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(RESPONSE_LIMIT)).unwrap();
        Self { stream, unread: BytesMut::new(), scanner: Scanner::new(limits()) }
    }

    /// Switches to RESP3.
    pub(crate) fn resp3(mut self) -> Self {
        assert!(!self.call("HELLO 3").is_error());
        self
    }

    /// Sends a command, see [`words`], and waits for its reply.
    pub(crate) fn call(&mut self, line: &str) -> Reply {
        self.send_commands(&[line]);
        self.reply()
    }

    /// Like [`Client::call`], and asserts the reply.
    pub(crate) fn expect(&mut self, line: &str, reply: impl Into<Reply>) {
        assert_eq!(self.call(line), reply.into(), "{line}");
    }

    /// Sends commands in one write and waits for one reply each.
    pub(crate) fn pipeline(&mut self, lines: &[&str]) -> Vec<Reply> {
        self.send_commands(lines);
        lines.iter().map(|_| self.reply()).collect()
    }

    /// Sends commands in one write without waiting for replies.
    pub(crate) fn send_commands(&mut self, lines: &[&str]) {
        self.send(&encode(lines)).unwrap();
    }

    /// Sends a command of arbitrary bytes and returns its reply.
    pub(crate) fn call_bytes(&mut self, words: &[&[u8]]) -> Reply {
        let mut sent = BytesMut::new();
        write_command(&mut sent, words);
        self.send(&sent).unwrap();
        self.reply()
    }

    /// Sends bytes, in as many writes as needed.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits for the next reply or push.
    pub(crate) fn reply(&mut self) -> Reply {
        self.next().unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Returns the next reply or push, or the error; the end of the connection is an error too.
    pub(crate) fn next(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(length) = self.scanner.scan(&self.unread).map_err(io::Error::other)? {
                let frame = self.unread.split_to(length);
                return Ok(Reply::of(&Frame::parse(&frame).map_err(io::Error::other)?));
            }
            if self.receive()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Returns the replies and pushes that have arrived.
    pub(crate) fn available_replies(&mut self) -> Vec<Reply> {
        self.stream.set_nonblocking(true).unwrap();
        let replies = std::iter::from_fn(|| self.next().ok()).collect();
        self.stream.set_nonblocking(false).unwrap();
        replies
    }

    /// Counts bytes of replies until the end of the connection, or up to this many.
    pub(crate) fn count_bytes(&mut self, up_to: usize) -> usize {
        let mut count = self.unread.len();
        self.unread.clear();
        while count < up_to {
            match self.receive() {
                Ok(0) | Err(_) => break,
                Ok(received) => count += received,
            }
            self.unread.clear();
        }
        count
    }

    /// Returns whether nothing arrives for this long.
    pub(crate) fn is_silent_for(&mut self, duration: Duration) -> bool {
        self.stream.set_read_timeout(Some(duration)).unwrap();
        let received = self.receive();
        self.stream.set_read_timeout(Some(RESPONSE_LIMIT)).unwrap();
        self.unread.is_empty() && received.is_err_and(|error| is_timeout(&error))
    }

    /// Waits until the other end closes. Returns false if something else arrives.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.next().is_err_and(|error| !is_timeout(&error))
    }

    /// Closes the sending side.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 << 10];
        // A process that was stopped for a moment is interrupted in a read with a time limit.
        let count = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if self.unread.is_empty() {
            self.unread.clear();
        }
        self.unread.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

impl Reply {
    fn of(frame: &Frame<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let list = || frame.items().unwrap().map(|item| Self::of(&item)).collect();
        match frame {
            Frame::Null => Self::Nil,
            Frame::Integer(number) => Self::Number(*number),
            Frame::Boolean(is) => Self::Number((*is).into()),
            Frame::Error(error) | Frame::BlobError(error) => Self::Error(text(error)),
            Frame::Simple(bytes) | Frame::Bulk(bytes) => Self::Text(text(bytes)),
            Frame::Double(bytes) | Frame::BigNumber(bytes) => Self::Text(text(bytes)),
            Frame::Verbatim { text: bytes, .. } => Self::Text(text(bytes)),
            Frame::Array(_) | Frame::Map(_) | Frame::Set(_) => Self::List(list()),
            Frame::Push(_) => Self::Push(list()),
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Returns the text of an error.
    pub(crate) fn error(&self) -> &str {
        match self {
            Self::Error(text) => text,
            other => panic!("not an error: {other:?}"),
        }
    }

    /// Returns a number, given as an integer or in digits; nil counts as 0.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Nil => 0,
            Self::Text(digits) => digits.parse().unwrap(),
            Self::Number(number) => u64::try_from(*number).unwrap(),
            other => panic!("not a number: {other:?}"),
        }
    }

    pub(crate) fn texts<const N: usize>(texts: [&str; N]) -> Self {
        Self::List(texts.map(Self::from).to_vec())
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Reply {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Encodes commands.
pub(crate) fn encode(lines: &[&str]) -> Vec<u8> {
    let mut sent = BytesMut::new();
    for line in lines {
        write_command(&mut sent, &words(line));
    }
    sent.to_vec()
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Splits at blanks. Single quotes protect blanks.
fn words(line: &str) -> Vec<&[u8]> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(at, part)| -> Vec<&str> {
        match at % 2 {
            0 => part.split_ascii_whitespace().collect(),
            _ => vec![part],
        }
    });
    words.map(str::as_bytes).collect()
}
