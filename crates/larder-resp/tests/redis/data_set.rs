//! Keys of every type and size, and every cacheable read in all its forms.

use crate::raw_client::RawClient;

/// Above 128 or 512 entries (its defaults) Redis changes from a listpack to a table.
const ENTRIES_OF_A_TABLE: usize = 600;

/// Fills an empty server. Returns its keys and one that does not exist.
pub(crate) fn fill(client: &mut RawClient) -> Vec<&'static [u8]> {
    strings(client);
    lists(client);
    hashes(client);
    sets(client);
    sorted_sets(client);
    vector_sets(client);
    assert!(!client.line("XADD stream 1-1 f v").starts_with(b"-"));
    let mut keys: Vec<&[u8]> = STRINGS.iter().map(|(key, _)| *key).collect();
    keys.extend(OTHERS.iter().map(|key| key.as_bytes()));
    keys.push(b"missing");
    keys
}

pub(crate) const STRINGS: &[(&[u8], &[u8])] = &[
    (b"empty", b""),
    (b"text", b"some text"),
    (b"line ends\r\n", b"\r\n$-1\r\n*1\r\n"),
    ("schlüssel".as_bytes(), "größe, 大きさ".as_bytes()),
    (b"\xff\0binary", b"\0\x01\xfe\xff_,#\x80"),
    (b"integer", b"12345"),
    (b"negative", b"-9223372036854775808"),
    (b"decimal", b"1.50"),
    (b"long", &[b'x'; 20_000]),
];

const OTHERS: &[&str] = &[
    "list",
    "longlist",
    "hash",
    "largehash",
    "set",
    "intset",
    "largeset",
    "zset",
    "largezset",
    "geo",
    "stream",
    "vectors",
    "exactvectors",
    "bitvectors",
];

fn strings(client: &mut RawClient) {
    for (key, value) in STRINGS {
        assert_eq!(client.call(&[b"SET", key, value]), b"+OK\r\n");
    }
}

fn lists(client: &mut RawClient) {
    add(client, "RPUSH", "list", &[b"a", b"", b"-17", "ü".as_bytes(), b"\r\n\xff"]);
    let long: Vec<_> = numbered(ENTRIES_OF_A_TABLE).chain([vec![b'y'; 9000]]).collect();
    add(client, "RPUSH", "longlist", &slices(&long));
}

fn hashes(client: &mut RawClient) {
    add(
        client,
        "HSET",
        "hash",
        &[b"f", b"v", b"1", b"-2", b"", b"", b"\r\n\xff", "größe".as_bytes()],
    );
    let large: Vec<_> =
        numbered(2 * ENTRIES_OF_A_TABLE).chain([b"f".into(), vec![b'z'; 100]]).collect();
    add(client, "HSET", "largehash", &slices(&large));
}

fn sets(client: &mut RawClient) {
    add(client, "SADD", "set", &[b"m", b"", b"7", "ü".as_bytes(), b"\r\n\xff"]);
    add(client, "SADD", "intset", &[b"-1", b"7", b"9223372036854775807"]);
    let large: Vec<_> = numbered(ENTRIES_OF_A_TABLE).chain([b"m".into()]).collect();
    add(client, "SADD", "largeset", &slices(&large));
}

/// Scores whose texts are hard: seventeen digits, huge, tiny, without end, and minus zero.
const SCORES: &[&str] = &[
    "-inf",
    "-1e300",
    "-12345.678900000001",
    "-2",
    "-0",
    "0",
    "5e-324",
    "1e-7",
    "0.1",
    "0.30000000000000004",
    "1",
    "1.5",
    "3",
    "3.1415926535897931",
    "1e15",
    "123456789012345678",
    "9007199254740993",
    "1e17",
    "1e21",
    "1.7976931348623157e308",
    "inf",
];

fn sorted_sets(client: &mut RawClient) {
    let members: Vec<_> = SCORES.iter().map(|score| format!("m{score}")).collect();
    let pairs = SCORES.iter().zip(&members);
    let few: Vec<_> =
        pairs.flat_map(|(score, member)| [score.as_bytes(), member.as_bytes()]).collect();
    add(
        client,
        "ZADD",
        "zset",
        &[few.as_slice(), &[b"7", b"m", b"8", b"\r\n\xff", b"9", b""]].concat(),
    );
    let scores = (0..ENTRIES_OF_A_TABLE).map(|n| format!("{n}.{n}1e{}", n % 40).into_bytes());
    let many: Vec<_> = scores
        .zip(numbered(ENTRIES_OF_A_TABLE))
        .flat_map(|(score, member)| [score, member])
        .collect();
    add(client, "ZADD", "largezset", &[slices(&many).as_slice(), &[b"7", b"m"]].concat());
    let places: [&[u8]; 9] =
        [b"13.361389", b"38.115556", b"m", b"-179.9", b"-85", b"far", b"0", b"0", b"n"];
    add(client, "GEOADD", "geo", &places);
}

/// Redis since 8.0 has them.
fn vector_sets(client: &mut RawClient) {
    for (key, quantization) in
        [("vectors", "Q8"), ("exactvectors", "NOQUANT"), ("bitvectors", "BIN")]
    {
        for (n, member) in ["m", "n", "1", "far"].into_iter().enumerate() {
            let values = SCORES[4 * n + 4..4 * n + 8].join(" ");
            let attributes = if n == 0 { "SETATTR {\"f\":[1.50,\"\u{fc}\"]}" } else { "" };
            client.line(&format!(
                "VADD {key} VALUES 4 {values} {member} {quantization} {attributes}"
            ));
        }
    }
}

fn add(client: &mut RawClient, command: &str, key: &str, args: &[&[u8]]) {
    let reply = client.call(&[&[command.as_bytes(), key.as_bytes()], args].concat());
    assert!(reply.starts_with(b":"), "{command} {key}: {}", reply.escape_ascii());
}

fn numbered(count: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|n| format!("entry {n}").into_bytes())
}

fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

/// Reads, with the arguments after the key, to be sent for every key.
pub(crate) const READS: &[&str] = &[
    "GET",
    "EXISTS",
    "STRLEN",
    "HGET f",
    "HGET 1",
    "HGET no",
    "HMGET f no 1",
    "HMGET no",
    "HGETALL",
    "GETRANGE 0 -1",
    "GETRANGE 2 3",
    "GETRANGE 9 1",
    "TYPE",
    "HLEN",
    "HEXISTS f",
    "HEXISTS no",
    "HKEYS",
    "HVALS",
    "HSTRLEN f",
    "HSTRLEN no",
    "LLEN",
    "LINDEX 0",
    "LINDEX -1",
    "LINDEX 10000",
    "LRANGE 0 -1",
    "LRANGE 1 2",
    "LRANGE 5 1",
    "SCARD",
    "SISMEMBER m",
    "SISMEMBER no",
    "SMISMEMBER m no 7",
    "SMEMBERS",
    "ZCARD",
    "ZSCORE m",
    "ZSCORE m-0",
    "ZSCORE m-inf",
    "ZSCORE m0.30000000000000004",
    "ZSCORE m9007199254740993",
    "ZSCORE no",
    "ZMSCORE m no minf m5e-324 m1e21 m3.1415926535897931",
    "ZMSCORE no",
    "ZRANK m",
    "ZRANK no",
    "ZREVRANK m",
    "ZREVRANK no",
    "ZRANGE 0 -1",
    "ZRANGE 0 -1 WITHSCORES",
    "ZRANGE 3 5 REV withscores",
    "ZRANGE 9 1 WITHSCORES",
    "ZRANGE 0 100 BYSCORE",
    "ZRANGE inf -inf BYSCORE REV LIMIT 1 3 WITHSCORES",
    "ZRANGE [a (z BYLEX LIMIT 0 2",
    "ZREVRANGE 0 -1",
    "ZREVRANGE 0 -1 WITHSCORES",
    "ZRANGEBYSCORE -inf +inf",
    "ZRANGEBYSCORE -inf +inf WITHSCORES",
    "ZRANGEBYSCORE (1 5 WITHSCORES LIMIT 0 2",
    "ZREVRANGEBYSCORE +inf -inf",
    "ZREVRANGEBYSCORE +inf -inf WITHSCORES LIMIT 0 1",
    "ZRANGEBYLEX - +",
    "ZRANGEBYLEX [m (n LIMIT 0 1",
    "ZREVRANGEBYLEX + -",
    "ZCOUNT -inf +inf",
    "ZCOUNT (1 2",
    "BITCOUNT",
    "BITCOUNT 0 1",
    "BITCOUNT 0 9 BIT",
    "GETBIT 3",
    "GETBIT 100000",
    "BITPOS 1",
    "BITPOS 0 2",
    "BITPOS 1 2 9 BIT",
    "GEOPOS m far no",
    "GEOPOS no",
    "GEOPOS",
    "GEODIST m far",
    "GEODIST m n km",
    "GEODIST m no",
    "GEOHASH m no far",
    "GEOHASH",
    "VCARD",
    "VDIM",
    "VEMB m",
    "VEMB m RAW",
    "VEMB no",
    "VEMB no RAW",
    "VGETATTR m",
    "VGETATTR n",
    "VGETATTR no",
    "VISMEMBER m",
    "VISMEMBER no",
    "VLINKS m",
    "VLINKS m WITHSCORES",
    "VLINKS no",
    "VLINKS no WITHSCORES",
];
