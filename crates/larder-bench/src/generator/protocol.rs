//! The protocols of the compared servers: requests and expected replies.

use crate::client::command;
use crate::keys::KeySpace;

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The protocol of Redis.
    Resp,
    /// The text protocol of memcached.
    Memcached,
}

impl Protocol {
    /// Returns a GET request.
    pub(crate) fn get(self, key: &str) -> Vec<u8> {
        match self {
            Self::Resp => command(&[b"GET", key.as_bytes()]),
            Self::Memcached => format!("get {key}\r\n").into_bytes(),
        }
    }

    /// Returns the reply to a GET.
    pub(crate) fn value(self, key_space: KeySpace, number: u64) -> Vec<u8> {
        let (key, value) = (key_space.key(number), key_space.value(number));
        let bytes = value.len();
        let (head, end) = match self {
            Self::Resp => (format!("${bytes}\r\n"), "\r\n"),
            Self::Memcached => (format!("VALUE {key} 0 {bytes}\r\n"), "\r\nEND\r\n"),
        };
        [head.as_bytes(), &value, end.as_bytes()].concat()
    }

    /// Returns a SET request.
    pub(crate) fn set(self, key_space: KeySpace, number: u64) -> Vec<u8> {
        let (key, value) = (key_space.key(number), key_space.value(number));
        match self {
            Self::Resp => command(&[b"SET", key.as_bytes(), &value]),
            Self::Memcached => {
                let head = format!("set {key} 0 0 {}\r\n", value.len());
                [head.as_bytes(), &value, b"\r\n"].concat()
            }
        }
    }

    /// Returns the reply to a SET, a line.
    pub(crate) const fn stored(self) -> &'static str {
        match self {
            Self::Resp => "+OK\r\n",
            Self::Memcached => "STORED\r\n",
        }
    }
}
