//! Adds the commands in a server's reply to `COMMAND` to the table.

use super::{
    key_spec::KeySpec,
    name::Name,
    spec::{Arity, Class, SessionCommand, Spec},
    table::Table,
};
use crate::{
    error::ProtocolError,
    reply::{Frame, Items},
};

impl Table {
    /// Adds the commands that the table lacks, from a server's reply to `COMMAND` in RESP2 or RESP3.
    /// Returns how many were added. An error reply adds none: these commands are then unknown, which
    /// is slower but still correct.
    ///
    /// An existing entry is replaced only if the server says that the command writes and the table
    /// says that it does not, or that it comes from a module and the table knows no such command of a
    /// module. Call this on a new table: commands that
    /// another server added would remain.
    pub fn merge_command_reply(&mut self, command_reply: &[u8]) -> Result<usize, ProtocolError> {
        let reply = Frame::parse(command_reply)?;
        let entries = reply.items().into_iter().flatten();
        Ok(entries.map(|entry| self.merge_entry(&entry)).sum())
    }

    /// Merges a command and its subcommands.
    fn merge_entry(&mut self, entry: &Frame<'_>) -> usize {
        let Some(entry) = Entry::parse(entry) else { return 0 };
        let added = self.merge(&entry);
        let subcommands = entry.subcommands.into_iter().flatten();
        let subcommands = subcommands.filter_map(|entry| Entry::parse(&entry));
        added + subcommands.map(|entry| self.merge(&entry)).sum::<usize>()
    }

    /// Returns the number of commands added: 0 or 1.
    fn merge(&mut self, entry: &Entry<'_>) -> usize {
        let known = self.get(&entry.name);
        let is_current = known.is_some_and(|known| !entry.contradicts(known));
        let added = usize::from(!is_current && self.add(entry.spec()));
        self.set_arity(&entry.name, entry.arity);
        self.is_of_server = true;
        added
    }
}

/// An entry of the reply to `COMMAND`.
struct Entry<'a> {
    name: Name,
    arity: Option<Arity>,
    flags: Items<'a>,
    first_key: i64,
    last_key: i64,
    key_step: i64,
    key_specs: Option<Items<'a>>,
    subcommands: Option<Items<'a>>,
}

impl<'a> Entry<'a> {
    /// Returns `None` if this is not a command or its name is too long.
    fn parse(entry: &Frame<'a>) -> Option<Self> {
        let mut fields = entry.items()?;
        let name = Name::new(fields.next()?.as_str_bytes()?)?;
        let arity = fields.next()?.as_integer().and_then(Arity::new);
        let flags = fields.next()?.items()?;
        let [first_key, last_key, key_step] = [
            fields.next()?.as_integer()?,
            fields.next()?.as_integer()?,
            fields.next()?.as_integer()?,
        ];
        let _acl_categories = fields.next();
        let _tips = fields.next();
        let key_specs = fields.next().and_then(|specs| specs.items());
        let subcommands = fields.next().and_then(|subcommands| subcommands.items());
        Some(Self { name, arity, flags, first_key, last_key, key_step, key_specs, subcommands })
    }

    /// Returns whether serving the command by its spec in the table would be incorrect.
    fn contradicts(&self, known: &Spec) -> bool {
        let writes = self.has("write") && !known.class.may_write();
        writes || (self.has("module") && !(known.of_module && self.has_first_key_of(known)))
    }

    /// Returns whether the first key is where the table says. Otherwise this is another command of
    /// the same name.
    fn has_first_key_of(&self, known: &Spec) -> bool {
        match known.keys {
            KeySpec::Range { first, .. } => self.first_key == first.into(),
            KeySpec::Counted { destination, .. } => self.first_key == destination.into(),
            _ => false,
        }
    }

    fn spec(&self) -> Spec {
        let keys = self.keys().unwrap_or(KeySpec::Unknown);
        let class = self.class(keys);
        let keys = if class == Class::WriteUnknown { KeySpec::Unknown } else { keys };
        Spec { blocking: self.has("blocking"), ..Spec::new(self.name, class, keys) }
    }

    fn class(&self, keys: KeySpec) -> Class {
        if self.has("write") {
            match keys {
                KeySpec::Unknown => Class::WriteUnknown,
                _ => Class::Write,
            }
        } else if self.has("readonly") {
            Class::OtherRead
        } else if self.has("pubsub") && self.has("noscript") {
            Class::Session(SessionCommand::Subscribe)
        } else {
            // It may run a script: without either flag it may still read and write.
            Class::WriteUnknown
        }
    }

    /// Returns `None` unless the entry gives the positions of all keys, and the command touches no
    /// others.
    fn keys(&self) -> Option<KeySpec> {
        let moving = ["module", "movablekeys", "touches_arbitrary_keys"];
        let uncertain = moving.iter().any(|flag| self.has(flag))
            || self.key_specs.clone().into_iter().flatten().any(|spec| is_uncertain(&spec));
        (!uncertain).then_some(KeySpec::Range {
            first: positive(self.first_key)?,
            last: i16::try_from(self.last_key).ok()?,
            step: positive(self.key_step)?,
        })
    }

    fn has(&self, flag: &str) -> bool {
        has(self.flags.clone(), flag)
    }
}

fn positive(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| *number > 0)
}

/// Returns whether a key specification is incomplete, or about something other than keys.
fn is_uncertain(spec: &Frame<'_>) -> bool {
    let mut fields = spec.items().into_iter().flat_map(Items::pairs);
    let flags = fields.find(|(name, _)| name.as_str_bytes() == Some(b"flags"));
    let flags = flags.and_then(|(_, flags)| flags.items());
    flags.is_none_or(|flags| has(flags.clone(), "not_key") || has(flags, "incomplete"))
}

fn has(flags: Items<'_>, flag: &str) -> bool {
    flags
        .filter_map(|found| found.as_str_bytes())
        .any(|found| found.eq_ignore_ascii_case(flag.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply;
    use bytes::BytesMut;

    /// The positions of the first and the last key, and the step, as in `COMMAND`.
    type Range = (i64, i64, i64);

    /// Writes an entry. `subcommands` are entries too.
    fn entry(
        name: &str,
        flags: &str,
        keys: Range,
        key_spec: &str,
        subcommands: &[BytesMut],
    ) -> BytesMut {
        let mut out = BytesMut::new();
        reply::array(&mut out, 10);
        reply::bulk(&mut out, name.as_bytes());
        reply::integer(&mut out, -1);
        words(&mut out, flags);
        for number in [keys.0, keys.1, keys.2] {
            reply::integer(&mut out, number);
        }
        words(&mut out, "@all");
        reply::array(&mut out, 0);
        reply::array(&mut out, 1);
        reply::map(&mut out, 2);
        reply::bulk(&mut out, b"notes");
        reply::null(&mut out);
        reply::bulk(&mut out, b"flags");
        words(&mut out, key_spec);
        reply::array(&mut out, subcommands.len());
        for entry in subcommands {
            out.extend_from_slice(entry);
        }
        out
    }

    fn words(out: &mut BytesMut, words: &str) {
        reply::set(out, words.split_whitespace().count());
        words.split_whitespace().for_each(|word| reply::simple(out, word.as_bytes()));
    }

    fn merged(entries: &[BytesMut]) -> (Table, usize) {
        let mut out = BytesMut::new();
        reply::array(&mut out, entries.len());
        for entry in entries {
            out.extend_from_slice(entry);
        }
        let mut table = Table::builtin();
        let added = table.merge_command_reply(&out).unwrap();
        (table, added)
    }

    fn spec_of(flags: &str, keys: Range, key_spec: &str) -> (Class, KeySpec, bool) {
        let (table, _) = merged(&[entry("new.command", flags, keys, key_spec, &[])]);
        let spec = table.find(b"NEW.Command", None);
        assert_eq!(spec.name.as_bytes(), b"NEW.COMMAND");
        (spec.class, spec.keys, spec.blocking)
    }

    #[test]
    fn a_new_command_has_the_class_of_its_flags() {
        let known = KeySpec::Range { first: 1, last: -1, step: 2 };
        let unknown = KeySpec::Unknown;
        let at = (1, -1, 2);
        let subscribe = Class::Session(SessionCommand::Subscribe);
        for (flags, keys, key_spec, expected) in [
            ("write fast", at, "RW update", (Class::Write, known, false)),
            ("write blocking", at, "RW", (Class::Write, known, true)),
            ("readonly", at, "RO access", (Class::OtherRead, known, false)),
            ("write movablekeys", at, "RW", (Class::WriteUnknown, unknown, false)),
            ("readonly movablekeys", at, "RO", (Class::OtherRead, unknown, false)),
            ("readonly blocking movablekeys", at, "RO", (Class::OtherRead, unknown, true)),
            ("write", at, "RW incomplete", (Class::WriteUnknown, unknown, false)),
            ("readonly", at, "NOT_KEY", (Class::OtherRead, unknown, false)),
            ("readonly TOUCHES_ARBITRARY_KEYS", at, "RO", (Class::OtherRead, unknown, false)),
            ("write", (0, 0, 0), "", (Class::WriteUnknown, unknown, false)),
            ("readonly", (0, 0, 0), "", (Class::OtherRead, unknown, false)),
            ("write", (0, 1, 1), "RW", (Class::WriteUnknown, unknown, false)),
            ("write", (1, 1, 0), "RW", (Class::WriteUnknown, unknown, false)),
            ("write", (-1, 1, 1), "RW", (Class::WriteUnknown, unknown, false)),
            ("write", (1, 70_000, 1), "RW", (Class::WriteUnknown, unknown, false)),
            ("write module", at, "RW", (Class::WriteUnknown, unknown, false)),
            ("readonly module", at, "RO", (Class::OtherRead, unknown, false)),
            ("fast", at, "RO", (Class::WriteUnknown, unknown, false)),
            ("", (0, 0, 0), "", (Class::WriteUnknown, unknown, false)),
            ("pubsub noscript", (0, 0, 0), "", (subscribe, unknown, false)),
            ("pubsub", (0, 0, 0), "", (Class::WriteUnknown, unknown, false)),
        ] {
            assert_eq!(spec_of(flags, keys, key_spec), expected, "{flags}, {key_spec}");
        }
    }

    #[test]
    fn existing_entries_stay_unless_serving_them_would_be_incorrect() {
        let (table, added) = merged(&[
            entry("get", "readonly", (2, 2, 1), "RO", &[]),
            entry("strlen", "write", (1, 1, 1), "RW", &[]),
            entry("ttl", "readonly module", (1, 1, 1), "RO", &[]),
            entry("ping", "write", (0, 0, 0), "", &[]),
            entry("pfcount", "readonly", (1, 1, 1), "RO", &[]),
        ]);
        assert_eq!(added, 3);
        assert_eq!(table.find(b"GET", None).class, Class::Read);
        assert_eq!(table.find(b"GET", None).keys, KeySpec::FIRST);
        assert_eq!(table.find(b"STRLEN", None).class, Class::Write);
        assert!(table.find(b"STRLEN", None).cacheable.is_none());
        assert_eq!(table.find(b"TTL", None).keys, KeySpec::Unknown);
        assert_eq!(table.find(b"PING", None).class, Class::WriteUnknown);
        assert_eq!(table.find(b"PFCOUNT", None).class, Class::Write);
    }

    #[test]
    fn known_commands_of_modules_stay_unless_they_have_other_keys() {
        let (table, added) = merged(&[
            entry("vcard", "readonly module fast", (1, 1, 1), "RO", &[]),
            entry("json.mget", "readonly module", (1, 1, 1), "RO", &[]),
            entry("tdigest.merge", "write module", (1, 1, 1), "RW", &[]),
            entry("vdim", "write module", (1, 1, 1), "RW", &[]),
            entry("vemb", "readonly module", (2, 2, 1), "RO", &[]),
            entry("json.set", "write module", (0, 0, 0), "", &[]),
            entry("cms.merge", "write module", (2, 2, 1), "RW", &[]),
        ]);
        assert_eq!(added, 4);
        let find = |name: &str| table.find(name.as_bytes(), None);
        assert!(find("VCARD").cacheable.is_some());
        assert_eq!(find("JSON.MGET").keys, KeySpec::Range { first: 1, last: -2, step: 1 });
        assert_ne!(find("TDIGEST.MERGE").keys, KeySpec::Unknown);
        for (name, class) in [
            ("VDIM", Class::WriteUnknown),
            ("VEMB", Class::OtherRead),
            ("JSON.SET", Class::WriteUnknown),
            ("CMS.MERGE", Class::WriteUnknown),
        ] {
            assert_eq!((find(name).class, find(name).keys), (class, KeySpec::Unknown), "{name}");
            assert!(find(name).cacheable.is_none());
        }
    }

    #[test]
    fn subcommands_are_added_with_and_without_their_container() {
        let read = |name| entry(name, "readonly", (2, 2, 1), "RO", &[]);
        let long = read("a-name-that-is-longer-than-any-that-a-server-would-have");
        let (table, added) = merged(&[
            entry("object", "", (0, 0, 0), "", &[read("object|freq"), read("object|shape")]),
            entry("ping", "", (0, 0, 0), "", &[read("ping|slowly")]),
            entry("fresh", "", (0, 0, 0), "", &[read("fresh|fish"), long]),
        ]);
        assert_eq!(added, 4, "one of them a container");
        let find =
            |name: &str, argument: &str| table.find(name.as_bytes(), Some(argument.as_bytes()));
        assert_eq!(find("OBJECT", "shape").class, Class::OtherRead);
        assert_eq!(find("OBJECT", "other").class, Class::WriteUnknown);
        assert_eq!(find("PING", "Slowly").class, Class::OtherRead);
        assert_eq!(find("PING", "hello").class, Class::Neutral);
        assert_eq!(find("FRESH", "FISH").class, Class::OtherRead);
        assert_eq!(find("FRESH", "fruit").class, Class::WriteUnknown);
        assert_eq!(find("FRESH|FISH", "k").class, Class::WriteUnknown);
    }

    #[test]
    fn a_command_has_the_arity_that_the_server_gives() {
        let (table, _) = merged(&[
            entry("get", "readonly", (1, 1, 1), "RO", &[]),
            entry("object", "", (0, 0, 0), "", &[entry("object|freq", "", (2, 2, 1), "RO", &[])]),
        ]);
        let arity = |name: &str, argument: &str| {
            let spec = table.find(name.as_bytes(), Some(argument.as_bytes()));
            spec.arity.map(|arity| [0, 1, 2].map(|args| arity.allows(args)))
        };
        assert!(table.is_of_server() && !Table::builtin().is_of_server());
        assert_eq!(arity("GET", "k"), Some([false, true, true]));
        assert_eq!(arity("OBJECT", "freq"), Some([false, true, true]));
        assert_eq!(arity("OBJECT", "encoding"), None);
        assert_eq!(arity("STRLEN", "k"), None);
        let exact = Arity::new(2).unwrap();
        assert!(!exact.allows(1) && exact.allows(2) && !exact.allows(3));
        assert_eq!((Arity::new(0), Arity::new(1 << 20)), (None, None));
    }

    #[test]
    fn other_replies_add_nothing() {
        for reply in ["-NOPERM no\r\n", "*0\r\n", "_\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n"] {
            assert_eq!(Table::builtin().merge_command_reply(reply.as_bytes()), Ok(0), "{reply:?}");
        }
        assert!(Table::builtin().merge_command_reply(b"*1\r\n").is_err());
    }
}
