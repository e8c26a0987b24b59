//! Which reads may be cached, and how a read is encoded as part of a cache key.
//!
//! One Redis key may have several cached replies, one for each read of it. The encoded read is the
//! command without its key: each part preceded by its length, the name in upper case first. Equal
//! commands have equal encodings. That of `GET` is empty, so that the most common read costs
//! nothing.

use super::spec::Spec;
use crate::{
    reply::{self, Resp2Layout},
    request::Command,
};
use bytes::BytesMut;

/// Length of the longest encoded read that is cached. Longer commands are forwarded.
pub const READ_BYTES_MAX: usize = 4 << 10;

/// The read whose encoding is empty.
const GET: &[u8] = b"GET";

/// How the reply to a read may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cacheable {
    /// How the reply is written in RESP2.
    pub resp2_layout: Resp2Layout,
    /// Whether this is `MGET`: each of its keys is cached as a `GET` of its own, and the reply is
    /// assembled from theirs.
    pub is_multi_get: bool,
    /// Whether it reads fields of a hash. Fields may have TTLs of their own, which the key's TTL does
    /// not show.
    pub reads_hash_fields: bool,
    /// The number of arguments, the name included, with which the reply may be cached. With others it
    /// is an error, has another layout, or belongs to several keys.
    pub(super) args_min: usize,
    pub(super) args_max: usize,
}

impl Spec {
    /// Appends the encoded read of `command` to `read`, and returns its key. Returns `None` if the
    /// reply may not be cached, and for `MGET`, whose keys are cached as `GET`s; what was appended
    /// is then unspecified.
    pub fn encode_read<'a>(&self, command: &Command<'a>, read: &mut Vec<u8>) -> Option<&'a [u8]> {
        let cacheable =
            self.cacheable.as_ref().filter(|cacheable| cacheable.accepts(command.args().len()))?;
        let mut args = command.args().skip(1);
        let key = args.next().filter(|_| !cacheable.is_multi_get)?;
        // `matches!` compares the bytes inline; `==` would call `memcmp`.
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
    fn accepts(&self, args: usize) -> bool {
        (self.args_min..=self.args_max).contains(&args)
    }
}

/// Which fields of a hash an encoded read returns. Fields may have TTLs of their own.
#[derive(Clone, Debug)]
pub enum HashRead<'a> {
    /// The fields that the command names.
    Fields(Fields<'a>),
    /// All fields, and the reply is a map from their names.
    Map,
    /// All fields, and the reply is an array of their names.
    Names,
    /// All fields, and the reply does not name them.
    Unnamed,
}

/// The names of fields, in the order of the command.
#[derive(Clone, Debug)]
pub struct Fields<'a>(Parts<'a>);

impl<'a> HashRead<'a> {
    /// Returns which fields a read that [`Spec::encode_read`] encoded returns, or `None` if it does
    /// not read fields. Knows the reads with [`Cacheable::reads_hash_fields`].
    pub fn of(read: &'a [u8]) -> Option<Self> {
        let mut parts = Parts(read);
        match parts.next()? {
            b"HEXISTS" | b"HGET" | b"HMGET" | b"HSTRLEN" => Some(Self::Fields(Fields(parts))),
            b"HGETALL" => Some(Self::Map),
            b"HKEYS" => Some(Self::Names),
            b"HLEN" | b"HVALS" => Some(Self::Unnamed),
            _ => None,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next()
    }
}

/// Writes the command of a read that [`Spec::encode_read`] encoded, with this key.
pub fn write_read_command(out: &mut BytesMut, read: &[u8], key: &[u8]) {
    let mut parts = Parts(read);
    let name = parts.next().unwrap_or(GET);
    reply::array(out, 2 + parts.clone().count());
    reply::bulk(out, name);
    reply::bulk(out, key);
    parts.for_each(|part| reply::bulk(out, part));
}

/// Appends the length of a part, as LEB128, then the part.
fn put_part(read: &mut Vec<u8>, part: &[u8]) {
    let mut length = part.len() as u64;
    while length >= 0x80 {
        read.push((length % 0x80) as u8 | 0x80);
        length /= 0x80;
    }
    read.push((length % 0x80) as u8);
    read.extend_from_slice(part);
}

/// The parts of an encoded read. They end early if the encoding is invalid.
#[derive(Clone, Debug)]
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

    /// Returns the key and the encoded read of a command, if it may be cached.
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
    fn a_read_is_decoded_to_its_command() {
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
    fn encodings_are_equal_when_their_commands_are() {
        assert_eq!(read(&[b"get", b"k"]), b"", "the HTTP listener uses the same");
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
    fn other_commands_and_arities_are_not_cacheable() {
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
    fn hash_reads_are_those_of_the_table() {
        let table = Table::builtin();
        for spec in table.specs() {
            let Some(cacheable) = spec.cacheable.filter(|cacheable| !cacheable.is_multi_get) else {
                continue;
            };
            let args = vec![b"1".as_slice(); cacheable.args_min - 1];
            let command = [&[spec.name.as_bytes()], &*args].concat();
            let is_hash_read = HashRead::of(&read(&command)).is_some();
            assert_eq!(is_hash_read, cacheable.reads_hash_fields, "{}", spec.name);
        }
    }

    #[test]
    fn a_hash_read_names_its_fields() {
        let read = read(&[b"HMGET", b"k", b"f", b"", b"g"]);
        let Some(HashRead::Fields(fields)) = HashRead::of(&read) else { panic!("{read:?}") };
        assert_eq!(fields.collect::<Vec<_>>(), [&b"f"[..], b"", b"g"]);
        assert!(HashRead::of(b"").is_none(), "GET");
        assert!(HashRead::of(b"\x09HGET").is_none(), "an invalid encoding");
    }

    #[test]
    fn an_invalid_encoding_ends_early() {
        for read in [b"\xff".as_slice(), b"\x05HGET", &[0xff; 40], b"\x04HGET\x09x"] {
            let mut out = BytesMut::new();
            write_read_command(&mut out, read, b"k");
            let mut decoder = Decoder::new(Limits::default());
            assert_eq!(decoder.decode(&out).unwrap().consumed, out.len());
        }
    }
}
