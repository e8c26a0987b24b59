//! A client that returns the raw bytes of replies.

use bytes::{Buf, BytesMut};
use larder_resp::Limits;
use larder_resp::reply::Scanner;
use larder_resp::request::write_command;
use larder_testkit::RedisServer;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any reply in these tests takes.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct RawClient {
    stream: TcpStream,
    unread: BytesMut,
}

impl RawClient {
    /// Connects with RESP2 or RESP3.
    pub(crate) fn open(server: &RedisServer, version: &str) -> Self {
        let stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream, unread: BytesMut::new() };
        let hello = client.line(&format!("HELLO {version}"));
        assert!(!hello.starts_with(b"-"), "{}", hello.escape_ascii());
        client
    }

    /// Returns the reply to a command, given as words separated by spaces.
    pub(crate) fn line(&mut self, line: &str) -> Vec<u8> {
        self.call(&line.split_whitespace().map(str::as_bytes).collect::<Vec<_>>())
    }

    /// Returns the reply to a command.
    pub(crate) fn call(&mut self, args: &[&[u8]]) -> Vec<u8> {
        let mut command = BytesMut::new();
        write_command(&mut command, args);
        self.send(&command)
    }

    /// Returns the reply to a command that is already encoded.
    pub(crate) fn send(&mut self, command: &[u8]) -> Vec<u8> {
        self.stream.write_all(command).unwrap();
        let mut scanner = Scanner::new(Limits::default());
        loop {
            if let Some(length) = scanner.scan(&self.unread).unwrap() {
                let reply = self.unread[..length].to_vec();
                self.unread.advance(length);
                return reply;
            }
            let mut piece = [0; 4096];
            let length = self.stream.read(&mut piece).unwrap();
            assert!(length > 0, "the server closed the connection");
            self.unread.extend_from_slice(&piece[..length]);
        }
    }
}
