//! A connection that returns the exact bytes of replies.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use larder_resp::Limits;
use larder_resp::reply::Scanner;
use larder_resp::request::write_command;

/// Limit for a reply.
const RESPONSE_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct RespClient {
    stream: TcpStream,
    unread: BytesMut,
}

impl RespClient {
    /// Connects to this port of 127.0.0.1.
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(RESPONSE_LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: BytesMut::new() }
    }

    /// Switches to this protocol version.
    pub(crate) fn speaking(mut self, version: &str) -> Self {
        let hello = self.line(&format!("HELLO {version}"));
        assert!(!hello.starts_with(b"-"), "{}", hello.escape_ascii());
        self
    }

    /// Sends a command, written as in redis-cli (see [`words`]), and returns its reply.
    pub(crate) fn line(&mut self, line: &str) -> Vec<u8> {
        self.send(&written(line));
        self.reply()
    }

    /// Sends a command of arbitrary bytes and returns its reply.
    pub(crate) fn call(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut command = BytesMut::new();
        write_command(&mut command, words);
        self.send(&command);
        self.reply()
    }

    /// Sends a command and asserts its reply, in which line ends are written as spaces:
    /// `expect("MGET a b", "*2 $1 1 $-1")`.
    pub(crate) fn expect(&mut self, line: &str, expected: &str) {
        let reply = readable(&self.line(line));
        assert_eq!(reply, expected, "{line}");
    }

    /// Sends a command and asserts the bytes of its reply.
    pub(crate) fn expect_bytes(&mut self, line: &str, expected: &[u8]) {
        let reply = self.line(line);
        assert!(reply == expected, "{line}: {} bytes, not these {}", reply.len(), expected.len());
    }

    /// Asserts the next reply or push, written as for [`RespClient::expect`].
    pub(crate) fn expect_next(&mut self, expected: &str) {
        assert_eq!(readable(&self.reply()), expected);
    }

    /// Sends bytes unchanged.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Like [`RespClient::send`], but the other end may have closed the connection.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Closes the sending side.
    pub(crate) fn finish(&mut self) {
        // If the server has closed the connection already, this fails.
        self.stream.shutdown(Shutdown::Write).ok();
    }

    /// Sends these bytes, closes the sending side, and returns everything that comes back.
    pub(crate) fn exchange(mut self, bytes: &[u8]) -> Vec<u8> {
        // The server may close the connection before it has read everything.
        self.try_send(bytes).ok();
        self.finish();
        self.rest()
    }

    /// Waits for the next reply or push.
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut scanner = Scanner::new(Limits::default());
        loop {
            if let Some(length) = scanner.scan(&self.unread).unwrap() {
                let reply = self.unread[..length].to_vec();
                self.unread.advance(length);
                return reply;
            }
            let count = self.receive().unwrap();
            assert!(count > 0, "closed after {}", self.unread.escape_ascii());
        }
    }

    /// Returns everything up to the end of the connection. A reset counts as an end: a server sends
    /// one if it closes the connection before it has read everything.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        loop {
            match self.receive() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("not closed: {error}"),
            }
        }
        self.unread.split().to_vec()
    }

    /// Waits until the other end closes or a byte arrives. Returns whether it has closed.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.receive() {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Returns whether nothing arrives for this long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let received = self.receive();
        self.stream.set_read_timeout(Some(RESPONSE_LIMIT)).unwrap();
        self.unread.is_empty() && received.is_err()
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 << 10];
        let count = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

/// Encodes a command.
pub(crate) fn written(line: &str) -> Vec<u8> {
    let words = words(line);
    let mut command = BytesMut::new();
    write_command(&mut command, &words.iter().map(Vec::as_slice).collect::<Vec<_>>());
    command.to_vec()
}

/// Splits at blanks. Single quotes protect blanks, and `\xHH` is a byte.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').unwrap_or_else(|| panic!("open quote: {line}")),
            None => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        words.push(unescape(word));
        rest = after.trim_start();
    }
    words
}

fn unescape(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Returns a reply with its line ends as spaces.
pub(crate) fn readable(reply: &[u8]) -> String {
    String::from_utf8_lossy(reply).trim_end().replace("\r\n", " ")
}
