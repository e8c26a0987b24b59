//! What a server holds in order to invalidate keys: its tracking table.

use larder_resp::reply::Frame;

/// The size of a server's tracking table, which serves all clients that track keys there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackingTable {
    /// Keys that some client may have cached.
    pub keys: u64,
    /// Pairs of such a key and a client. Those of a client that has left stay until their key
    /// changes.
    pub items: u64,
    /// `tracking-table-max-keys`; `None` if it is unlimited, or if Larder's user may not ask for it.
    pub keys_max: Option<u64>,
}

/// Returns `tracking_total_keys` and `tracking_total_items` from a reply to `INFO stats`.
pub(crate) fn sizes(reply: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(Frame::parse(reply).ok()?.as_str_bytes()?).ok()?;
    let field = |name| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| *field == name)?.1.trim().parse().ok()
    };
    Some((field("tracking_total_keys")?, field("tracking_total_items")?))
}

/// Returns the number from a reply to `CONFIG GET` of one limit; `None` if it is 0, which means no
/// limit.
pub(crate) fn limit(reply: &[u8]) -> Option<u64> {
    let (_, value) = Frame::parse(reply).ok()?.items()?.pairs().next()?;
    let limit = std::str::from_utf8(value.as_str_bytes()?).ok()?.parse().ok()?;
    (limit > 0).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_found_in_both_protocols() {
        let text = "# Stats\r\ntracking_total_keys:12\r\ntracking_total_items:34\r\n";
        let bulk = format!("${}\r\n{text}\r\n", text.len());
        let verbatim = format!("={}\r\ntxt:{text}\r\n", text.len() + 4);
        assert_eq!(sizes(bulk.as_bytes()), Some((12, 34)));
        assert_eq!(sizes(verbatim.as_bytes()), Some((12, 34)));
        assert_eq!(sizes(b"$0\r\n\r\n"), None, "an older server has no such field");
    }

    #[test]
    fn no_limit_is_zero() {
        let reply = |kind: &str, limit: &str| {
            let length = limit.len();
            format!("{kind}\r\n$23\r\ntracking-table-max-keys\r\n${length}\r\n{limit}\r\n")
        };
        assert_eq!(limit(reply("%1", "1000000").as_bytes()), Some(1_000_000));
        assert_eq!(limit(reply("*2", "5").as_bytes()), Some(5));
        assert_eq!(limit(reply("*2", "0").as_bytes()), None);
        assert_eq!(limit(b"*0\r\n"), None);
    }
}
