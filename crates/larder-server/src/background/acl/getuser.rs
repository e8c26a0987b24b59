//! Reads from a reply to `ACL GETUSER` whether a user may read every key.

use larder_resp::reply::Frame;

/// Rules that take no cacheable read away: no such read is in these categories.
const HARMLESS_RULES: [&[u8]; 8] = [
    b"-@admin",
    b"-@blocking",
    b"-@connection",
    b"-@dangerous",
    b"-@pubsub",
    b"-@scripting",
    b"-@transaction",
    b"-@write",
];

/// Flags of a user that take no read away.
const HARMLESS_FLAGS: [&[u8]; 7] = [
    b"on",
    b"nopass",
    b"allkeys",
    b"allcommands",
    b"allchannels",
    b"sanitize-payload",
    b"skip-sanitize-payload",
];

/// Returns whether the user may read every key with every reading command.
///
/// A server may learn to restrict users in new ways, as Valkey 9.1 did with databases. So every
/// field of the reply must be known and unrestricted: an unknown field, flag or value means no.
pub(super) fn may_read_all(reply: &[u8]) -> bool {
    let Ok(frame) = Frame::parse(reply) else { return false };
    let Some(fields) = frame.items() else { return false };
    let mut is_on = false;
    let (mut commands, mut keys) = (false, false);
    for (name, value) in fields.pairs() {
        let is_unrestricted = match name.as_str_bytes() {
            Some(b"flags") => {
                is_on = has_flag_on(&value);
                has_only_harmless_flags(&value)
            }
            Some(b"commands") => {
                commands = value.as_str_bytes().is_some_and(has_all_reads);
                commands
            }
            Some(b"keys") => {
                keys = value.as_str_bytes().is_some_and(has_all_keys);
                keys
            }
            Some(b"databases") => value.as_str_bytes() == Some(b"alldbs"),
            Some(b"selectors") => value.items().is_some_and(|mut items| items.next().is_none()),
            // Neither restricts reads of keys.
            Some(b"passwords" | b"channels") => true,
            _ => false,
        };
        if !is_unrestricted {
            return false;
        }
    }
    is_on && commands && keys
}

fn has_flag_on(flags: &Frame<'_>) -> bool {
    flags.items().is_some_and(|mut items| items.any(|flag| flag.as_str_bytes() == Some(b"on")))
}

fn has_only_harmless_flags(flags: &Frame<'_>) -> bool {
    flags.items().is_some_and(|mut items| {
        items.all(|flag| flag.as_str_bytes().is_some_and(|flag| HARMLESS_FLAGS.contains(&flag)))
    })
}

/// Later rules override earlier ones.
fn has_all_reads(rules: &[u8]) -> bool {
    let words = rules.split(|byte| *byte == b' ');
    words.fold(false, |has, rule| match rule {
        b"+@all" | b"+@read" => true,
        _ if rule.starts_with(b"-") => has && HARMLESS_RULES.contains(&rule),
        _ => has,
    })
}

fn has_all_keys(patterns: &[u8]) -> bool {
    patterns
        .split(|byte| *byte == b' ')
        .any(|pattern| matches!(pattern, b"~*" | b"%R~*" | b"%RW~*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_are_read_in_order() {
        for rules in [
            "+@all",
            "+@all -@dangerous",
            "-@all +@read",
            "-@all +@read +set -@write",
            "+@all -get +@all",
        ] {
            assert!(has_all_reads(rules.as_bytes()), "{rules}");
        }
        for rules in [
            "",
            "-@all",
            "+@all -get",
            "+@all -@read",
            "+@all -@string",
            "+@all -@fast",
            "-@all +get",
            "+@all -config|get",
            "+@all -@all",
        ] {
            assert!(!has_all_reads(rules.as_bytes()), "{rules}");
        }
    }

    /// A reply of Valkey 9.1.2 in RESP3, to an unrestricted user.
    const FIELDS: [(&str, &str); 7] = [
        ("flags", "~1\r\n+on\r\n"),
        ("passwords", "*1\r\n$2\r\nab\r\n"),
        ("commands", "$5\r\n+@all\r\n"),
        ("keys", "$2\r\n~*\r\n"),
        ("channels", "$0\r\n\r\n"),
        ("databases", "$6\r\nalldbs\r\n"),
        ("selectors", "*0\r\n"),
    ];

    fn reply(fields: &[(&str, &str)]) -> Vec<u8> {
        let pair = |(name, value): &(&str, &str)| format!("${}\r\n{name}\r\n{value}", name.len());
        let pairs: String = fields.iter().map(pair).collect();
        format!("%{}\r\n{pairs}", fields.len()).into_bytes()
    }

    fn reply_with(name: &str, value: &str) -> Vec<u8> {
        let mut fields = FIELDS.to_vec();
        match fields.iter_mut().find(|field| field.0 == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
        reply(&fields)
    }

    #[test]
    fn an_unrestricted_user_may_read_all() {
        assert!(may_read_all(&reply(&FIELDS)));
        // Redis has no databases.
        let redis: Vec<_> = FIELDS.into_iter().filter(|field| field.0 != "databases").collect();
        assert!(may_read_all(&reply(&redis)));
        // RESP2.
        let flat = String::from_utf8(reply(&FIELDS)).unwrap();
        assert!(may_read_all(flat.replacen("%7", "*14", 1).replacen('~', "*", 1).as_bytes()));
        for (name, value) in [
            ("keys", "$7\r\n~a %R~*\r\n"),
            ("flags", "~2\r\n+on\r\n+nopass\r\n"),
            ("passwords", "*0\r\n"),
            ("channels", "$2\r\n&*\r\n"),
        ] {
            assert!(may_read_all(&reply_with(name, value)), "{name} {value}");
        }
    }

    #[test]
    fn a_restricted_user_may_not() {
        for (name, value) in [
            ("keys", "$3\r\n~a*\r\n"),
            ("keys", "$4\r\n%W~*\r\n"),
            ("keys", "$0\r\n\r\n"),
            ("commands", "$4\r\n+get\r\n"),
            ("flags", "~1\r\n+off\r\n"),
            ("flags", "~2\r\n+on\r\n+readonly\r\n"),
            ("databases", "$6\r\ndb=2,3\r\n"),
            ("databases", "$4\r\ndb=0\r\n"),
            ("databases", "$-1\r\n"),
            ("selectors", "*1\r\n$4\r\n~a +\r\n"),
            ("addresses", "$9\r\n127.0.0.1\r\n"),
        ] {
            assert!(!may_read_all(&reply_with(name, value)), "{name} {value}");
        }
        for missing in ["flags", "commands", "keys"] {
            let rest: Vec<_> = FIELDS.into_iter().filter(|field| field.0 != missing).collect();
            assert!(!may_read_all(&reply(&rest)), "without {missing}");
        }
        assert!(!may_read_all(b"$-1\r\n") && !may_read_all(b"_\r\n") && !may_read_all(b""));
    }

    proptest! {
        #[test]
        fn an_unknown_field_means_no(
            name in "[a-z][a-z-]{0,20}", value in "[ -~]{0,20}", at in 0..=FIELDS.len(),
        ) {
            prop_assume!(FIELDS.iter().all(|field| field.0 != name));
            let value = format!("${}\r\n{value}\r\n", value.len());
            let mut fields = FIELDS.to_vec();
            fields.insert(at, (&name, &value));
            prop_assert!(!may_read_all(&reply(&fields)));
        }

        #[test]
        fn an_unknown_flag_means_no(flag in "[a-z][a-z-]{0,20}") {
            prop_assume!(!HARMLESS_FLAGS.contains(&flag.as_bytes()));
            let value = format!("~2\r\n+on\r\n+{flag}\r\n");
            prop_assert!(!may_read_all(&reply_with("flags", &value)));
        }

        #[test]
        fn an_unknown_value_of_databases_means_no(value in "[ -~]{0,20}") {
            prop_assume!(value != "alldbs");
            let value = format!("${}\r\n{value}\r\n", value.len());
            prop_assert!(!may_read_all(&reply_with("databases", &value)));
        }
    }
}
