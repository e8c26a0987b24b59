//! A small blocking client that fills servers before a run and reads their INFO.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use crate::generator::Protocol;
use crate::keys::KeySpace;
use crate::stop::Stop;

/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many values one pipeline writes, and how many bytes of them.
const PIPELINE_MAX: usize = 1000;
const PIPELINE_BYTES_MAX: usize = 4 << 20;

/// A connection.
pub(crate) struct Client {
    socket: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
        let replies = BufReader::new(socket.try_clone()?);
        Ok(Self { socket, replies })
    }

    /// Sends a command and returns its reply, which must be a string. Null becomes an empty string.
    pub(crate) fn call(&mut self, words: &[&str]) -> io::Result<String> {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        self.socket.write_all(&command(&words))?;
        self.reply()
    }

    /// Sets these keys in the protocol of the server.
    pub(crate) fn fill(
        &mut self,
        protocol: Protocol,
        key_space: KeySpace,
        numbers: Range<u64>,
        stop: &Stop,
    ) -> io::Result<()> {
        let writes_max =
            (PIPELINE_BYTES_MAX / key_space.value_bytes()).clamp(1, PIPELINE_MAX) as u64;
        let mut start = numbers.start;
        while start < numbers.end {
            stop.check()?;
            let end = numbers.end.min(start + writes_max);
            let writes = (start..end).flat_map(|number| protocol.set(key_space, number));
            self.socket.write_all(&writes.collect::<Vec<u8>>())?;
            for _ in start..end {
                self.expect_line(protocol.stored())?;
            }
            start = end;
        }
        Ok(())
    }

    /// Reads a line and checks it.
    fn expect_line(&mut self, wanted: &str) -> io::Result<()> {
        let mut line = String::new();
        self.replies.read_line(&mut line)?;
        let wrong = || io::Error::other(format!("unexpected reply {line:?}"));
        (line == wanted).then_some(()).ok_or_else(wrong)
    }

    fn reply(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.replies.read_line(&mut line)?;
        let line = line.trim_end();
        if line.starts_with('+') || line == "$-1" {
            return Ok(line.trim_start_matches('+').replace("$-1", ""));
        }
        let bytes = line.strip_prefix('$').and_then(|digits| digits.parse::<u64>().ok());
        let bytes = bytes.ok_or_else(|| io::Error::other(format!("unexpected reply {line:?}")))?;
        let mut text = String::new();
        self.replies.by_ref().take(bytes + 2).read_to_string(&mut text)?;
        text.truncate(text.trim_end_matches("\r\n").len());
        Ok(text)
    }
}

/// Encodes a command.
pub(crate) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
