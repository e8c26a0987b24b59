//! What servers are asked in, and what they answer.

use crate::client::command;
use crate::keys::Family;

/// What a server is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// That of Redis.
    Resp,
    /// The text protocol of memcached.
    Memcached,
}

impl Protocol {
    /// A request for the value of a key.
    pub(crate) fn get(self, key: &str) -> Vec<u8> {
        match self {
            Self::Resp => command(&[b"GET", key.as_bytes()]),
            Self::Memcached => format!("get {key}\r\n").into_bytes(),
        }
    }

    /// The answer to it.
    pub(crate) fn value(self, family: Family, number: u64) -> Vec<u8> {
        let (key, value) = (family.key(number), family.value(number));
        let bytes = value.len();
        let (head, end) = match self {
            Self::Resp => (format!("${bytes}\r\n"), "\r\n"),
            Self::Memcached => (format!("VALUE {key} 0 {bytes}\r\n"), "\r\nEND\r\n"),
        };
        [head.as_bytes(), &value, end.as_bytes()].concat()
    }

    /// A request to keep the value of a key.
    pub(crate) fn set(self, family: Family, number: u64) -> Vec<u8> {
        let (key, value) = (family.key(number), family.value(number));
        match self {
            Self::Resp => command(&[b"SET", key.as_bytes(), &value]),
            Self::Memcached => {
                let head = format!("set {key} 0 0 {}\r\n", value.len());
                [head.as_bytes(), &value, b"\r\n"].concat()
            }
        }
    }

    /// The answer to that, a line.
    pub(crate) const fn stored(self) -> &'static str {
        match self {
            Self::Resp => "+OK\r\n",
            Self::Memcached => "STORED\r\n",
        }
    }
}
