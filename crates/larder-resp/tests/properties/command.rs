//! The command table, with any arguments.

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
    fn keys_are_arguments_and_reads_decode_to_their_command(
        args in vec(any_argument(), 0..9),
    ) {
        for spec in TABLE.specs() {
            let name = spec.name.as_bytes();
            let words = name.split(|byte| *byte == b'|').chain(args.iter().map(Vec::as_slice));
            let words: Vec<_> = words.collect();
            decoded(&words, |command| {
                if let CommandKeys::Known(mut keys) = spec.keys_of(command) {
                    assert!(keys.all(|key| words[1..].contains(&key)), "{name:?} {args:?}");
                }
                check_read(spec, command);
            });
        }
    }

    #[test]
    fn a_name_has_its_own_spec_or_that_of_an_unknown_command(
        name in any_argument(),
        args in vec(any_argument(), 0..3),
    ) {
        let words: Vec<_> = [&name].into_iter().chain(&args).map(Vec::as_slice).collect();
        decoded(&words, |command| {
            let spec = TABLE.spec(command);
            let name = spec.name.as_bytes();
            let upper: Vec<_> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
            let subcommand = upper.get(1).map(|word| [&upper[0], b"|".as_slice(), word].concat());
            let unknown = name.is_empty() && spec.class.may_write();
            assert!(unknown || name == upper[0] || subcommand.is_some_and(|full| name == full));
        });
    }

    #[test]
    fn garbage_adds_no_wrong_commands(bytes in any_garbage(), read in any_garbage()) {
        let mut table = TABLE.clone();
        let added = table.merge_command_reply(&bytes).unwrap_or(0);
        prop_assert_eq!(table.specs().count(), TABLE.specs().count() + added);
        write_read_command(&mut BytesMut::new(), &read, b"k");
    }
}

/// Names and options of commands, numbers, and any bytes.
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

fn decoded(words: &[&[u8]], check: impl FnOnce(&Command<'_>)) {
    let mut bytes = BytesMut::new();
    write_command(&mut bytes, words);
    check(&Decoder::new(Limits::default()).decode(&bytes).unwrap().command.unwrap());
}

/// Checks that an encoded read decodes to its command, with the name in upper case.
fn check_read(spec: &Spec, command: &Command<'_>) {
    let mut read = Vec::new();
    let Some(key) = spec.encode_read(command, &mut read) else { return };
    let (mut expected, mut found) = (BytesMut::new(), BytesMut::new());
    write_command(&mut expected, &command.args().collect::<Vec<_>>());
    write_read_command(&mut found, &read, key);
    assert_eq!(found, expected);
}
