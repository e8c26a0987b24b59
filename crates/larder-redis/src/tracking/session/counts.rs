//! Which databases have keys or fields that can expire, as `INFO keyspace` counts them.

use larder_core::Moment;
use larder_resp::reply::Frame;
use std::{mem, time::Duration};

/// A longer reply to `INFO keyspace`, as from a server with hundreds of databases, costs more than
/// it saves.
pub(super) const COUNTS_BYTES_MAX: usize = 8 << 10;
/// How often a database whose fields can expire is counted again.
const RECOUNT_PAUSE: Duration = Duration::from_secs(1);
/// The number of keys with fields that can expire: on Redis, on Valkey.
const VOLATILE: [&str; 2] = ["subexpiry", "keys_with_volatile_items"];

/// The counts that the server gave last. One reply covers all databases.
#[derive(Default)]
pub(super) struct ExpiryCounts {
    databases: Vec<Database>,
    answered: Option<Moment>,
    /// Whether they must be asked behind what has been written so far.
    is_due: bool,
    /// Whether the server does not answer `INFO keyspace`, or not usefully.
    is_refused: bool,
}

/// What can expire in a database that has keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Database {
    number: u32,
    pub(super) keys_expire: bool,
    pub(super) fields_expire: bool,
}

impl ExpiryCounts {
    /// Applies a reply to `INFO keyspace`.
    pub(super) fn on_reply(&mut self, reply: &Frame<'_>, now: Moment) {
        let text = reply.as_str_bytes().filter(|text| text.len() <= COUNTS_BYTES_MAX);
        self.is_refused = text.is_none();
        self.databases = text.map(parse).unwrap_or_default();
        self.answered = Some(now);
    }

    /// Returns what could expire in a database when it was counted last. `None` if it was not
    /// counted, or had no key then.
    pub(super) fn database(&self, number: u32) -> Option<Database> {
        self.databases.iter().find(|database| database.number == number).copied()
    }

    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Has the counts asked behind what has been written so far.
    pub(super) fn require(&mut self) {
        self.is_due = true;
    }

    /// Has the counts asked again if they are old, and the server does answer.
    pub(super) fn refresh(&mut self, now: Moment) {
        let is_old = self.answered.is_none_or(|answered| answered.plus(RECOUNT_PAUSE) <= now);
        self.is_due |= is_old && !self.is_refused;
    }

    /// Returns whether the counts must be asked now.
    pub(super) fn take_due(&mut self) -> bool {
        mem::take(&mut self.is_due)
    }
}

/// Parses lines like `db0:keys=2,expires=0,avg_ttl=0,subexpiry=1`.
fn parse(text: &[u8]) -> Vec<Database> {
    String::from_utf8_lossy(text).lines().filter_map(parse_line).collect()
}

/// What a line does not count may expire.
fn parse_line(line: &str) -> Option<Database> {
    let (number, counts) = line.strip_prefix("db")?.split_once(':')?;
    let is_zero = |names: &[&str]| {
        let mut counts = counts.split(',').filter_map(|count| count.split_once('='));
        counts.any(|(name, count)| names.contains(&name) && count == "0")
    };
    Some(Database {
        number: number.parse().ok()?,
        keys_expire: !is_zero(&["expires"]),
        fields_expire: !is_zero(&VOLATILE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(reply: &Frame<'_>) -> ExpiryCounts {
        let mut counts = ExpiryCounts::default();
        counts.on_reply(reply, Moment::START);
        counts
    }

    fn is_refreshed(mut counts: ExpiryCounts, now: Moment) -> bool {
        counts.refresh(now);
        counts.take_due()
    }

    #[test]
    fn both_servers_say_what_can_expire_in_each_database() {
        let redis = "# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0,subexpiry=0\r\n\
            db3:keys=1,expires=1,avg_ttl=9,subexpiry=12\r\n";
        let valkey = redis.replace("subexpiry", "keys_with_volatile_items");
        for text in [redis, &valkey] {
            let counts = counted(&Frame::Bulk(text.as_bytes()));
            let database = |number, expire| {
                Some(Database { number, keys_expire: expire, fields_expire: expire })
            };
            assert_eq!(counts.database(0), database(0, false));
            assert_eq!(counts.database(3), database(3, true));
            assert_eq!(counts.database(1), None, "it has no keys");
        }
    }

    #[test]
    fn what_is_not_counted_may_expire() {
        for line in ["db0:keys=2", "db0:keys=2,expires=,subexpiry=00", "db0:"] {
            let database = counted(&Frame::Bulk(line.as_bytes())).database(0).unwrap();
            assert!(database.keys_expire && database.fields_expire, "{line}");
        }
    }

    #[test]
    fn an_error_or_a_long_reply_refuses_the_counts() {
        let long = vec![b'x'; COUNTS_BYTES_MAX + 1];
        for reply in [Frame::Error(b"NOPERM no"), Frame::Bulk(&long), Frame::Null] {
            let counts = counted(&reply);
            assert!(counts.is_refused() && counts.database(0).is_none(), "{reply:?}");
            assert!(
                !is_refreshed(counts, Moment::START.plus(RECOUNT_PAUSE)),
                "it is not asked again"
            );
        }
    }

    #[test]
    fn counts_are_asked_again_after_a_pause() {
        let counts = || counted(&Frame::Bulk(b"# Keyspace\r\n"));
        assert!(is_refreshed(ExpiryCounts::default(), Moment::START));
        assert!(!is_refreshed(counts(), Moment::START));
        assert!(is_refreshed(counts(), Moment::START.plus(RECOUNT_PAUSE)));
    }
}
