//! Whatever a server says of its commands, a name keeps the care that it had, and nothing breaks.
//! The first byte says how long the name is that is asked for afterwards.
#![no_main]

use larder_resp::command::Table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&length, said)) = data.split_first() else { return };
    let mut table = Table::builtin();
    let kept = |table: &Table| table.specs().filter(|spec| spec.cacheable.is_some()).count();
    let before = kept(&table);
    let learned = table.merge_command_reply(said);
    assert!(kept(&table) <= before, "of no command a server says that its reply may be kept");
    if learned.is_err() {
        return;
    }
    let name = said.get(..usize::from(length)).unwrap_or(said);
    table.find(name, None);
    // To be told the same again teaches nothing new.
    assert_eq!(table.merge_command_reply(said), Ok(0));
});
