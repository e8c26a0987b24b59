//! The command table, asked about any arguments.

use crate::garbage::any_garbage;
use crate::value::any_bytes;
use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::command::{CommandKeys, Spec, Table, write_read_command};
use larder_resp::request::{Command, Decoder, write_command};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::LazyLock;

static TABLE: LazyLock<Table> = LazyLock::new(Table::builtin);

proptest! {
    #[test]
    fn any_arguments_have_keys_among_them_and_a_read_that_leads_back(
        args in vec(any_argument(), 0..9),
    ) {
        for spec in TABLE.specs() {
            let name = spec.name.as_bytes();
            let words = name.split(|byte| *byte == b'|').chain(args.iter().map(Vec::as_slice));
            let words: Vec<_> = words.collect();
            sent(&words, |command| {
                if let CommandKeys::Known(mut keys) = spec.keys_of(command) {
                    assert!(keys.all(|key| words[1..].contains(&key)), "{name:?} {args:?}");
                }
                check_read(spec, command);
            });
        }
    }

    #[test]
    fn any_name_has_a_spec_that_is_no_less_careful_than_its_own(
        name in any_argument(),
        args in vec(any_argument(), 0..3),
    ) {
        let words: Vec<_> = [&name].into_iter().chain(&args).map(Vec::as_slice).collect();
        sent(&words, |command| {
            let spec = TABLE.spec(command);
            let name = spec.name.as_bytes();
            let upper: Vec<_> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
            let subcommand = upper.get(1).map(|word| [&upper[0], b"|".as_slice(), word].concat());
            let unknown = name.is_empty() && spec.class.may_write();
            assert!(unknown || name == upper[0] || subcommand.is_some_and(|full| name == full));
        });
    }

    #[test]
    fn garbage_completes_nothing_and_breaks_nothing(bytes in any_garbage(), read in any_garbage()) {
        let mut table = TABLE.clone();
        let learned = table.merge_command_reply(&bytes).unwrap_or(0);
        prop_assert_eq!(table.specs().count(), TABLE.specs().count() + learned);
        write_read_command(&mut BytesMut::new(), &read, b"k");
    }
}

/// Words that mean something to some command, numbers, and anything else.
fn any_argument() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "GET",
        "mget",
        "CLIENT",
        "Tracking",
        "CONFIG|GET",
        "STREAMS",
        "GROUP",
        "COUNT",
        "BLOCK",
        "STORE",
        "BY",
        "0",
        "1",
        "2",
        "3",
        "-1",
        "9223372036854775807",
        "",
    ];
    prop_oneof![3 => select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()), 1 => any_bytes()]
}

fn sent(words: &[&[u8]], check: impl FnOnce(&Command<'_>)) {
    let mut bytes = BytesMut::new();
    write_command(&mut bytes, words);
    check(&Decoder::new(Limits::default()).decode(&bytes).unwrap().command.unwrap());
}

/// What is written from a read is the command that it was made of, its name in upper case.
fn check_read(spec: &Spec, command: &Command<'_>) {
    let mut read = Vec::new();
    let Some(key) = spec.encode_read(command, &mut read) else { return };
    let (mut expected, mut found) = (BytesMut::new(), BytesMut::new());
    write_command(&mut expected, &command.args().collect::<Vec<_>>());
    write_read_command(&mut found, &read, key);
    assert_eq!(found, expected);
}
