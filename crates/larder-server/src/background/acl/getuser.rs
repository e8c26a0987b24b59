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

/// Returns whether the user may read every key with every reading command. An unclear reply means
/// no.
pub(super) fn may_read_all(reply: &[u8]) -> bool {
    let Ok(frame) = Frame::parse(reply) else { return false };
    let Some(fields) = frame.items() else { return false };
    let is = |field: &[u8], holds: fn(&[u8]) -> bool| {
        fields.clone().pairs().any(|(name, value)| {
            name.as_str_bytes() == Some(field) && value.as_str_bytes().is_some_and(holds)
        })
    };
    is(b"commands", has_all_reads) && is(b"keys", has_all_keys)
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

    #[test]
    fn replies_of_both_protocol_versions_are_read() {
        for start in ["*6", "%3"] {
            let reply = |commands: &str, keys: &str| {
                format!(
                    "{start}\r\n+flags\r\n*1\r\n+on\r\n+commands\r\n+{commands}\r\n+keys\r\n+{keys}\r\n"
                )
            };
            assert!(may_read_all(reply("+@all", "~*").as_bytes()));
            assert!(may_read_all(reply("+@all", "~a %R~*").as_bytes()));
            assert!(!may_read_all(reply("+@all", "~a*").as_bytes()));
            assert!(!may_read_all(reply("+@all", "%W~*").as_bytes()));
            assert!(!may_read_all(reply("+get", "~*").as_bytes()));
        }
        assert!(!may_read_all(b"$-1\r\n") && !may_read_all(b"_\r\n") && !may_read_all(b""));
    }
}
