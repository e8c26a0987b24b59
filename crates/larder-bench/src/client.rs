//! A small blocking client: fills servers before a run and asks them about themselves.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use crate::generator::Protocol;
use crate::keys::Family;
use crate::stop::Stop;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How many values are on their way together, and how many bytes of them.
const WRITES_MAX: usize = 1000;
const WRITE_BYTES_MAX: usize = 4 << 20;

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(ANSWER_LIMIT))?;
        let replies = BufReader::new(socket.try_clone()?);
        Ok(Self { socket, replies })
    }

    /// One command; its reply, which must be a string. A missing value is an empty one.
    pub(crate) fn ask(&mut self, words: &[&str]) -> io::Result<String> {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        self.socket.write_all(&command(&words))?;
        self.reply()
    }

    /// Sets these keys of a family, in the protocol that the server understands.
    pub(crate) fn fill(
        &mut self,
        protocol: Protocol,
        family: Family,
        numbers: Range<u64>,
        stop: &Stop,
    ) -> io::Result<()> {
        let writes_max = (WRITE_BYTES_MAX / family.value_bytes()).clamp(1, WRITES_MAX) as u64;
        let mut start = numbers.start;
        while start < numbers.end {
            stop.check()?;
            let end = numbers.end.min(start + writes_max);
            let writes = (start..end).flat_map(|number| protocol.set(family, number));
            self.socket.write_all(&writes.collect::<Vec<u8>>())?;
            for _ in start..end {
                self.line(protocol.stored())?;
            }
            start = end;
        }
        Ok(())
    }

    /// A line that must be this one.
    fn line(&mut self, wanted: &str) -> io::Result<()> {
        let mut line = String::new();
        self.replies.read_line(&mut line)?;
        let wrong = || io::Error::other(format!("answered {line:?}"));
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
        let bytes = bytes.ok_or_else(|| io::Error::other(format!("answered {line:?}")))?;
        let mut text = String::new();
        self.replies.by_ref().take(bytes + 2).read_to_string(&mut text)?;
        text.truncate(text.trim_end_matches("\r\n").len());
        Ok(text)
    }
}

/// A command as it goes over the wire.
pub(crate) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
