//! Which arguments of a command are keys.

use crate::{number, request::Command};

/// The positions of a command's keys; its name is at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySpec {
    /// There are none.
    None,
    /// From `first` to `last`, every `step` arguments. A negative `last` counts from the end: -1 is
    /// the last argument. These are the three numbers in the reply to `COMMAND`.
    Range {
        /// Position of the first key.
        first: u16,
        /// Position of the last key.
        last: i16,
        /// Distance from one key to the next.
        step: u16,
    },
    /// Argument `count` is the number of keys that follow it, one every `step` arguments.
    Counted {
        /// Position of another key in front of the count, or 0.
        destination: u16,
        /// Position of the number of keys.
        count: u16,
        /// Distance from one key to the next.
        step: u16,
    },
    /// The first half of the arguments after `STREAMS`.
    Streams,
    /// Argument 1 only, unless one of these words follows it: then unknown.
    FirstUnless(&'static [&'static str]),
    /// They do not follow from the arguments.
    Unknown,
}

/// The keys of one command.
#[derive(Clone, Debug)]
pub enum CommandKeys<'a> {
    /// Exactly these. Empty if there are too few arguments: Redis refuses such a command.
    Known(KeyArgs<'a>),
    /// Any key may be among them.
    Unknown,
}

/// The keys among a command's arguments.
#[derive(Clone, Debug)]
pub struct KeyArgs<'a> {
    command: Command<'a>,
    /// The position of a key in front of the others, or 0.
    destination: usize,
    next: usize,
    /// The position behind the last one.
    end: usize,
    step: usize,
}

impl KeySpec {
    /// Argument 1 only.
    pub(super) const FIRST: Self = Self::Range { first: 1, last: 1, step: 1 };
    /// All arguments.
    pub(super) const ALL: Self = Self::Range { first: 1, last: -1, step: 1 };

    pub(super) fn of<'a>(&self, command: &Command<'a>) -> CommandKeys<'a> {
        let found = match *self {
            Self::None => Some(KeyArgs::between(command, 0, 0, 1)),
            Self::Range { first, last, step } => {
                let end = position_after(last, command.args().len());
                Some(KeyArgs::between(command, first.into(), end, step.into()))
            }
            Self::Counted { destination, count, step } => {
                counted(command, count.into(), step.into())
                    .map(|keys| keys.with_destination(destination.into()))
            }
            Self::Streams => streams(command),
            Self::FirstUnless(words) => {
                let found = command.args().skip(2).any(|arg| is_one_of(arg, words));
                (!found).then(|| KeyArgs::between(command, 1, 2, 1))
            }
            Self::Unknown => None,
        };
        found.map_or(CommandKeys::Unknown, CommandKeys::Known)
    }
}

impl<'a> KeyArgs<'a> {
    fn between(command: &Command<'a>, first: usize, end: usize, step: usize) -> Self {
        Self { command: *command, destination: 0, next: first, end, step: step.max(1) }
    }

    fn with_destination(self, destination: usize) -> Self {
        Self { destination, ..self }
    }
}

impl<'a> Iterator for KeyArgs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.destination > 0 {
            return self.command.arg(std::mem::take(&mut self.destination));
        }
        if self.next >= self.end {
            return None;
        }
        let key = self.command.arg(self.next);
        self.next = self.next.saturating_add(self.step);
        key
    }
}

/// Returns the position behind `last`, which may count from the end.
fn position_after(last: i16, args: usize) -> usize {
    let from_end = usize::from(last.unsigned_abs()) - usize::from(last < 0);
    match last < 0 {
        true => args.saturating_sub(from_end),
        false => from_end + 1,
    }
}

/// Returns `None` where Redis would refuse the count.
fn counted<'a>(command: &Command<'a>, count: usize, step: usize) -> Option<KeyArgs<'a>> {
    let keys = command.arg(count).and_then(number::parse_length).filter(|keys| *keys > 0)?;
    let end = keys.checked_mul(step)?.checked_add(count + 1)?;
    // The arguments that belong to the last key may be missing.
    let last = end - step;
    (last < command.args().len()).then(|| KeyArgs::between(command, count + 1, end, step))
}

/// Skips the options as Redis does: the name of a group may be `STREAMS` too.
fn streams<'a>(command: &Command<'a>) -> Option<KeyArgs<'a>> {
    let mut at = 1;
    loop {
        let word = command.arg(at)?;
        if is_one_of(word, &["STREAMS"]) {
            break;
        }
        at += option_length(word)?;
    }
    let keys_and_ids = command.args().len() - (at + 1);
    let keys = keys_and_ids.is_multiple_of(2).then_some(keys_and_ids / 2)?;
    Some(KeyArgs::between(command, at + 1, at + 1 + keys, 1))
}

/// Returns the number of arguments that an option of `XREAD` or `XREADGROUP` takes, its name
/// included.
fn option_length(name: &[u8]) -> Option<usize> {
    const LENGTHS: [(&str, usize); 7] = [
        ("NOACK", 1),
        ("BLOCK", 2),
        ("COUNT", 2),
        ("CLAIM", 2),
        ("MAXCOUNT", 2),
        ("MAXSIZE", 2),
        ("GROUP", 3),
    ];
    let known = LENGTHS.iter().find(|(option, _)| name.eq_ignore_ascii_case(option.as_bytes()));
    known.map(|(_, length)| *length)
}

fn is_one_of(arg: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::Limits, request::Decoder};

    /// Returns the keys in a line, joined by spaces; `?` if they are unknown.
    fn keys(keys: KeySpec, line: &str) -> String {
        let line = format!("{line}\r\n");
        let mut decoder = Decoder::new(Limits::default());
        let command = decoder.decode(line.as_bytes()).unwrap().command.unwrap();
        match keys.of(&command) {
            CommandKeys::Known(found) => found.collect::<Vec<_>>().join(b" ".as_slice()),
            CommandKeys::Unknown => b"?".to_vec(),
        }
        .escape_ascii()
        .to_string()
    }

    #[test]
    fn a_range_counts_from_either_end() {
        let range = |first, last, step| KeySpec::Range { first, last, step };
        for (range, line, expected) in [
            (range(1, 1, 1), "SET a 1 b", "a"),
            (range(1, 2, 1), "RENAME a b c", "a b"),
            (range(1, -1, 1), "DEL a b c", "a b c"),
            (range(1, -1, 2), "MSET a 1 b 2", "a b"),
            (range(1, -1, 2), "MSET a 1 b", "a b"),
            (range(1, -2, 1), "BLPOP a b 0", "a b"),
            (range(2, -1, 1), "BITOP AND a b", "a b"),
            (range(1, 1, 1), "GET", ""),
            (range(1, -1, 1), "DEL", ""),
            (range(1, -2, 1), "BLPOP", ""),
            (range(1, -2, 1), "BLPOP a", ""),
            (range(1, -9, 1), "X a b", ""),
            (range(3, 9, 1), "X a b c d", "c d"),
            (range(1, -1, 0), "X a b", "a b"),
            (range(u16::MAX, i16::MIN, u16::MAX), "X a b", ""),
            (range(u16::MAX, i16::MAX, u16::MAX), "X a b", ""),
        ] {
            assert_eq!(keys(range, line), expected, "{line}");
        }
        assert_eq!(keys(KeySpec::None, "PING a"), "");
        assert_eq!(keys(KeySpec::Unknown, "EVAL a"), "?");
    }

    #[test]
    fn counted_keys_follow_their_number() {
        let counted = |destination, count, step| KeySpec::Counted { destination, count, step };
        for (counted, line, expected) in [
            (counted(0, 1, 1), "ZUNION 2 a b WITHSCORES", "a b"),
            (counted(1, 2, 1), "ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
            (counted(0, 2, 1), "BLMPOP 0 1 a LEFT", "a"),
            (counted(0, 1, 2), "MSETEX 2 a 1 b 2 EX 9", "a b"),
            (counted(0, 1, 2), "MSETEX 2 a 1 b", "a b"),
            (counted(0, 1, 1), "ZUNION", "?"),
            (counted(0, 1, 1), "ZUNION 1", "?"),
            (counted(0, 1, 1), "ZUNION 3 a b", "?"),
            (counted(0, 1, 1), "ZUNION 0 a b", "?"),
            (counted(0, 1, 1), "ZUNION -1 a b", "?"),
            (counted(0, 1, 1), "ZUNION 01 a b", "?"),
            (counted(0, 1, 2), "MSETEX 9223372036854775807 a b", "?"),
            (counted(1, 2, 1), "ZUNIONSTORE d x a", "?"),
        ] {
            assert_eq!(keys(counted, line), expected, "{line}");
        }
    }

    #[test]
    fn streams_are_found_after_the_options() {
        for (line, expected) in [
            ("XREAD STREAMS a b 0 0", "a b"),
            ("XREAD COUNT 2 BLOCK 100 streams a $", "a"),
            ("XREADGROUP GROUP g c STREAMS a >", "a"),
            ("XREADGROUP GROUP STREAMS STREAMS COUNT 1 NOACK STREAMS a b > >", "a b"),
            ("XREADGROUP CLAIM 5 GROUP g c STREAMS a >", "a"),
            ("XREAD MAXCOUNT 5 maxsize 100 STREAMS a b 0 0", "a b"),
            ("XREAD STREAMS", ""),
            ("XREAD STREAMS a b 0", "?"),
            ("XREAD SOONER STREAMS a 0", "?"),
            ("XREAD COUNT", "?"),
            ("XREAD", "?"),
        ] {
            assert_eq!(keys(KeySpec::Streams, line), expected, "{line}");
        }
    }

    #[test]
    fn an_option_that_names_other_keys_makes_them_unknown() {
        let sort = KeySpec::FirstUnless(&["STORE", "BY"]);
        for (line, expected) in [
            ("SORT a LIMIT 0 1", "a"),
            ("SORT STORE LIMIT 0 1", "STORE"),
            ("SORT a store b", "?"),
            ("SORT a LIMIT 0 1 By w_*", "?"),
            ("SORT", ""),
        ] {
            assert_eq!(keys(sort, line), expected, "{line}");
        }
    }
}
