//! `HPTTL`: the TTLs of the fields that a reply shows.

use bytes::BytesMut;
use larder_core::NotCached;
use larder_resp::reply::{self, Frame};
use std::time::Duration;

/// The TTLs of more fields than this are not asked.
pub(super) const FIELDS_MAX: usize = 1000;
/// The TTLs of fields whose names are longer than this, all together, are not asked.
const FIELD_NAMES_BYTES_MAX: usize = 64 << 10;

/// Returns whether the TTLs of so many fields with these names may be asked.
pub(super) fn may_be_asked(fields: &[&[u8]]) -> bool {
    fields.len() <= FIELDS_MAX
        && fields.iter().map(|field| field.len()).sum::<usize>() <= FIELD_NAMES_BYTES_MAX
}

/// Writes `HPTTL key FIELDS count field ...`.
pub(super) fn write_command(out: &mut BytesMut, key: &[u8], fields: &[&[u8]]) {
    reply::array(out, 4 + fields.len());
    reply::bulk(out, b"HPTTL");
    reply::bulk(out, key);
    reply::bulk(out, b"FIELDS");
    reply::bulk(out, fields.len().to_string().as_bytes());
    for field in fields {
        reply::bulk(out, field);
    }
}

/// Returns the shortest TTL in a reply to `HPTTL`, or `None` if no field has one. `shown` is the
/// reply to the read, and `fields` how many were asked.
///
/// A field that is gone although the read showed it has died since, and the server may report that
/// later than the near cache would serve it.
pub(super) fn shortest(
    reply: &Frame<'_>,
    fields: usize,
    shown: &Frame<'_>,
) -> Result<Option<Duration>, NotCached> {
    let Frame::Array(ttls) = reply else { return Err(NotCached::TtlUnknown) };
    if ttls.len() != fields {
        return Err(NotCached::TtlUnknown);
    }
    let mut shown_fields = shown.items();
    let mut shortest = None;
    for ttl in ttls.clone() {
        let shown = shown_fields.as_mut().map_or(Some(shown.clone()), Iterator::next);
        match ttl.as_integer().ok_or(NotCached::TtlUnknown)? {
            -1 => {}
            left => match u64::try_from(left) {
                Ok(left) => shortest = Some(shortest.map_or(left, |least: u64| least.min(left))),
                Err(_) if matches!(shown, Some(Frame::Null | Frame::Integer(0))) => {}
                Err(_) => return Err(NotCached::TtlGone),
            },
        }
    }
    Ok(shortest.map(Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortest_of(reply: &str, fields: usize, shown: &str) -> Result<Option<Duration>, NotCached> {
        let parse = |text: &'static str| Frame::parse(text.as_bytes()).unwrap();
        let leak = |text: &str| &*String::leak(text.into());
        shortest(&parse(leak(reply)), fields, &parse(leak(shown)))
    }

    #[test]
    fn the_earliest_deadline_counts() {
        let ms = |ms| Ok(Some(Duration::from_millis(ms)));
        let three = "*3\r\n+a\r\n+b\r\n+c\r\n";
        assert_eq!(shortest_of("*3\r\n:900\r\n:-1\r\n:30\r\n", 3, three), ms(30));
        assert_eq!(shortest_of("*3\r\n:-1\r\n:0\r\n:-1\r\n", 3, three), ms(0));
        assert_eq!(shortest_of("*3\r\n:-1\r\n:-1\r\n:-1\r\n", 3, three), Ok(None));
    }

    #[test]
    fn a_field_that_is_gone_must_not_have_been_shown() {
        for missing in ["_\r\n", ":0\r\n", "*1\r\n_\r\n"] {
            assert_eq!(shortest_of("*1\r\n:-2\r\n", 1, missing), Ok(None), "{missing:?}");
        }
        for shown in ["$1\r\nv\r\n", ":1\r\n", "*1\r\n$1\r\nv\r\n", "%1\r\n+f\r\n+v\r\n"] {
            let gone = shortest_of("*1\r\n:-2\r\n", 1, shown);
            assert_eq!(gone, Err(NotCached::TtlGone), "{shown:?}");
        }
        let both = "*2\r\n_\r\n$1\r\nv\r\n";
        assert_eq!(shortest_of("*2\r\n:-2\r\n:7\r\n", 2, both), Ok(Some(Duration::from_millis(7))));
        assert_eq!(shortest_of("*2\r\n:7\r\n:-2\r\n", 2, both), Err(NotCached::TtlGone));
    }

    #[test]
    fn other_replies_say_nothing() {
        for reply in ["-NOPERM no\r\n", "_\r\n", "*0\r\n", "*2\r\n:1\r\n:1\r\n", "*1\r\n+1\r\n"] {
            let refused = shortest_of(reply, 1, "$1\r\nv\r\n");
            assert_eq!(refused, Err(NotCached::TtlUnknown), "{reply:?}");
        }
    }

    #[test]
    fn long_lists_of_fields_are_not_asked() {
        let field = vec![b'x'; FIELD_NAMES_BYTES_MAX / 2 + 1];
        assert!(may_be_asked(&[&field]) && !may_be_asked(&[&field, &field]));
        let short = [&b"f"[..]; FIELDS_MAX + 1];
        assert!(may_be_asked(&short[1..]) && !may_be_asked(&short));
    }
}
