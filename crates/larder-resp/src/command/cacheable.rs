//! Reads that may be kept, and the names under which they are.
//!
//! Several replies stand side by side under one key, each with the read that it answers. The read
//! is the command without its key, in bytes that are equal when the commands are: each part
//! behind its length, the name in upper case first. That of `GET` is empty, so that the commonest
//! costs nothing.

use super::Spec;
use crate::reply::{self, Resp2Layout};
use crate::request::Command;
use bytes::BytesMut;

/// Bytes in the longest read that is kept. A command whose arguments take more is relayed.
pub const READ_BYTES_MAX: usize = 4 << 10;

/// The read that has an empty name.
const GET: &[u8] = b"GET";

/// How the reply to a read may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cacheable {
    /// What becomes of the reply in RESP2.
    pub resp2_layout: Resp2Layout,
    /// Whether each key is a `GET` of its own: `MGET`. The reply is put together from theirs.
    pub is_multi_get: bool,
    /// Whether it looks at fields of a hash. They may have times to live of their own, which the
    /// key's does not tell of.
    pub reads_hash_fields: bool,
    /// Arguments that it may have, the name included. Outside of these the reply is an error, or
    /// of another shape, or of several keys.
    pub(super) args_min: usize,
    pub(super) args_max: usize,
}

impl Spec {
    /// Adds to `read` under which name the reply to `command` may be kept, and returns its key.
    /// `None` if it may not be kept, whatever was added; also for `MGET`, whose keys are each kept
    /// under the empty name.
    pub fn encode_read<'a>(&self, command: &Command<'a>, read: &mut Vec<u8>) -> Option<&'a [u8]> {
        let cacheable =
            self.cacheable.as_ref().filter(|cacheable| cacheable.keeps(command.args().len()))?;
        let mut args = command.args().skip(1);
        let key = args.next().filter(|_| !cacheable.is_multi_get)?;
        // As a pattern it is compared in place.
        if !matches!(self.name.as_bytes(), GET) {
            let before = read.len();
            put_part(read, self.name.as_bytes());
            for arg in args {
                if read.len() - before + arg.len() > READ_BYTES_MAX {
                    return None;
                }
                put_part(read, arg);
            }
        }
        Some(key)
    }
}

impl Cacheable {
    fn keeps(&self, args: usize) -> bool {
        (self.args_min..=self.args_max).contains(&args)
    }
}

/// Writes the command that asks for `read`, which [`Spec::encode_read`] made, of this key.
pub fn write_read_command(out: &mut BytesMut, read: &[u8], key: &[u8]) {
    let mut parts = Parts(read);
    let name = parts.next().unwrap_or(GET);
    reply::array(out, 2 + parts.clone().count());
    reply::bulk(out, name);
    reply::bulk(out, key);
    parts.for_each(|part| reply::bulk(out, part));
}

/// A part behind its length: seven bits a byte, the lowest first, all but the last with the
/// eighth bit set.
fn put_part(read: &mut Vec<u8>, part: &[u8]) {
    let mut length = part.len() as u64;
    while length >= 0x80 {
        read.push((length % 0x80) as u8 | 0x80);
        length /= 0x80;
    }
    read.push((length % 0x80) as u8);
    read.extend_from_slice(part);
}

/// The parts of a read; they end where it is none.
#[derive(Clone)]
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut length = 0;
        let mut shift = 0;
        loop {
            let (byte, after) = self.0.split_first()?;
            self.0 = after;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        let (part, after) = self.0.split_at_checked(length)?;
        self.0 = after;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::command::Table;
    use crate::request::{Decoder, write_command};

    /// The key and the read of a command; nothing if it is not kept.
    fn encode(args: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut sent = BytesMut::new();
        write_command(&mut sent, args);
        let mut decoder = Decoder::new(Limits::default());
        let command = decoder.decode(&sent).unwrap().command.unwrap();
        let mut read = b"of another command".to_vec();
        let table = Table::builtin();
        let key = table.spec(&command).encode_read(&command, &mut read)?;
        Some((key.to_vec(), read.strip_prefix(b"of another command").unwrap().to_vec()))
    }

    fn read(args: &[&[u8]]) -> Vec<u8> {
        encode(args).unwrap().1
    }

    #[test]
    fn a_read_is_written_out_as_the_command_that_it_was() {
        let long = [b'x'; 300];
        for args in [
            [b"GET".as_slice(), b"k"].as_slice(),
            &[b"HGETALL", b"a\r\n"],
            &[b"HGET", b"k", b"f"],
            &[b"HGET", b"k", b""],
            &[b"HMGET", b"", &long, b"\xff\0", &long[..127], &long[..128]],
            &[b"ZRANGE", b"k", b"0", b"-1", b"WITHSCORES"],
        ] {
            let (key, read) = encode(args).unwrap();
            assert_eq!(key, args[1]);
            let (mut sent, mut again) = (BytesMut::new(), BytesMut::new());
            write_command(&mut sent, args);
            write_read_command(&mut again, &read, &key);
            assert_eq!(again, sent);
        }
    }

    #[test]
    fn reads_are_equal_when_their_commands_are() {
        assert_eq!(read(&[b"get", b"k"]), b"", "the one that the HTTP listener asks for too");
        assert_eq!(read(&[b"hget", b"k", b"f"]), read(&[b"HGET", b"other", b"f"]));
        let all: &[&[&[u8]]] = &[
            &[b"GET", b"k"],
            &[b"TYPE", b"k"],
            &[b"HGET", b"k", b"f"],
            &[b"HGET", b"k", b"F"],
            &[b"HGET", b"k", b""],
            &[b"HMGET", b"k", b"f"],
            &[b"HMGET", b"k", b"f", b"g"],
            &[b"HMGET", b"k", b"fg"],
            &[b"HMGET", b"k", b"f", b"g", b""],
            &[b"HMGET", b"k", b"f\x01g"],
        ];
        let reads: std::collections::HashSet<_> = all.iter().map(|args| read(args)).collect();
        assert_eq!(reads.len(), all.len());
        assert!(reads.iter().all(|read| read.first() != Some(&0)), "no read begins with a zero");
    }

    #[test]
    fn what_is_not_on_the_list_in_this_form_is_not_kept() {
        let long = [b'x'; READ_BYTES_MAX];
        for args in [
            [b"GET".as_slice()].as_slice(),
            &[b"GET", b"k", b"extra"],
            &[b"EXISTS", b"a", b"b"],
            &[b"MGET", b"a"],
            &[b"ZRANK", b"k", b"m", b"WITHSCORE"],
            &[b"HGET", b"k"],
            &[b"HGET", b"k", &long],
            &[b"HMGET", b"k", &long[..READ_BYTES_MAX / 2], &long[..READ_BYTES_MAX / 2]],
            &[b"TTL", b"k"],
            &[b"SET", b"k", b"v"],
            &[b"FROBNICATE", b"k"],
        ] {
            assert_eq!(encode(args), None, "{}", args.join(b" ".as_slice()).escape_ascii());
        }
        assert!(encode(&[b"HGET", b"k", &long[..READ_BYTES_MAX - 10]]).is_some());
        assert!(encode(&[b"EXISTS", b"a"]).is_some());
    }

    #[test]
    fn a_read_that_was_not_made_here_ends_where_it_makes_no_sense() {
        for read in [b"\xff".as_slice(), b"\x05HGET", &[0xff; 40], b"\x04HGET\x09x"] {
            let mut out = BytesMut::new();
            write_read_command(&mut out, read, b"k");
            let mut decoder = Decoder::new(Limits::default());
            assert_eq!(decoder.decode(&out).unwrap().consumed, out.len());
        }
    }
}
