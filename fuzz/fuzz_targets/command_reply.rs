//! No reply to `COMMAND` makes a command cacheable, and merging the same reply again adds nothing. The
//! first byte is the length of the name that is looked up afterwards.
#![no_main]

use larder_resp::command::Table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&length, reply)) = data.split_first() else { return };
    let mut table = Table::builtin();
    let cacheable = |table: &Table| table.specs().filter(|spec| spec.cacheable.is_some()).count();
    let before = cacheable(&table);
    let added = table.merge_command_reply(reply);
    assert!(cacheable(&table) <= before, "a server makes no command cacheable");
    if added.is_err() {
        return;
    }
    let name = reply.get(..usize::from(length)).unwrap_or(reply);
    table.find(name, None);
    assert_eq!(table.merge_command_reply(reply), Ok(0));
});
