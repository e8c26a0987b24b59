//! The builtin table agrees with a server's reply to `COMMAND`.

use crate::raw_client::RawClient;
use larder_resp::command::{Class, KeySpec, Spec, Table};
use larder_resp::reply::Frame;
use larder_testkit::{RedisServer, require_redis};

/// A command or subcommand in the reply to `COMMAND`.
pub(crate) struct Described {
    /// In upper case, `XGROUP|CREATE` for a subcommand.
    pub(crate) name: String,
    pub(crate) flags: Vec<String>,
    pub(crate) keys: [i64; 3],
}

impl Described {
    pub(crate) fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|found| found == flag)
    }

    pub(crate) fn spec<'t>(&self, table: &'t Table) -> &'t Spec {
        let (name, argument) = self
            .name
            .split_once('|')
            .map_or((&*self.name, None), |(name, argument)| (name, Some(argument.as_bytes())));
        table.find(name.as_bytes(), argument)
    }
}

/// Returns all commands and subcommands of the server.
pub(crate) fn described(client: &mut RawClient) -> Vec<Described> {
    let reply = client.line("COMMAND");
    let entries = Frame::parse(&reply).unwrap().items().unwrap();
    let mut all = Vec::new();
    entries.for_each(|entry| describe(&entry, &mut all));
    assert!(all.len() > 300, "a full server has more");
    all
}

fn describe(entry: &Frame<'_>, all: &mut Vec<Described>) {
    let fields: Vec<_> = entry.items().unwrap().collect();
    let text =
        |field: &Frame<'_>| String::from_utf8(field.as_str_bytes().unwrap().to_vec()).unwrap();
    let flags = fields[2].items().unwrap().map(|flag| text(&flag)).collect();
    let keys = [3, 4, 5].map(|at| fields[at].as_integer().unwrap());
    all.push(Described { name: text(&fields[0]).to_uppercase(), flags, keys });
    let subcommands = fields[9].items();
    subcommands.into_iter().flatten().for_each(|entry| describe(&entry, all));
}

#[test]
fn no_class_is_weaker_than_what_the_command_does() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let table = Table::builtin();
    for command in described(&mut RawClient::open(&server, "3")) {
        let (name, class) = (&*command.name, command.spec(&table).class);
        match class {
            Class::Read => assert!(command.is("readonly"), "{name} is cacheable"),
            _ if command.is("write") => assert!(class.may_write(), "{name} writes"),
            Class::OtherRead | Class::Write | Class::WriteUnknown | Class::FlushAll => {}
            // Draws ASCII art, but has the flag `readonly`.
            Class::Neutral if name == "LOLWUT" => {}
            Class::Neutral | Class::Session(_) => {
                assert!(!command.is("readonly") && !command.is("movablekeys"), "{name} has keys");
            }
        }
        if class == Class::OtherRead {
            let reads_keys = name.ends_with("KEYSINSLOT");
            assert!(command.is("readonly") || reads_keys, "{name} is not marked readonly");
        }
    }
}

#[test]
fn blocking_commands_are_those_of_the_server() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let table = Table::builtin();
    for command in described(&mut RawClient::open(&server, "3")) {
        // Servers before 7.2 do not mark WAIT as blocking.
        let blocks = command.is("blocking") || command.name == "WAIT";
        assert_eq!(command.spec(&table).blocking, blocks, "{}", command.name);
    }
}

#[test]
fn key_ranges_are_those_of_the_server() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let table = Table::builtin();
    for command in described(&mut RawClient::open(&server, "3")) {
        let spec = command.spec(&table);
        let touches_keys = matches!(spec.class, Class::Read | Class::OtherRead | Class::Write);
        // It has a slot of the cluster where others have a key.
        if !touches_keys || command.is("movablekeys") || command.name == "CLUSTERSCAN" {
            continue;
        }
        let found = match spec.keys {
            KeySpec::Range { first, last, step } => [first.into(), last.into(), step.into()],
            KeySpec::None | KeySpec::Unknown => [0; 3],
            other => panic!("{}: {other:?} without movable keys", command.name),
        };
        assert_eq!(found, command.keys, "{}", command.name);
    }
}

#[test]
fn a_server_adds_no_commands() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let described = described(&mut RawClient::open(&server, "3"));
    let builtin = Table::builtin();
    // A command that fails here is new: look up what it does, and add it to the table.
    for command in &described {
        assert_eq!(command.spec(&builtin).name.to_string(), command.name);
    }
    for version in ["2", "3"] {
        let mut table = Table::builtin();
        let reply = RawClient::open(&server, version).line("COMMAND");
        assert_eq!(table.merge_command_reply(&reply), Ok(0), "RESP{version}");
    }
}

#[test]
fn specs_from_a_server_are_equal_to_the_builtin_ones_or_safer() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let mut client = RawClient::open(&server, "3");
    let builtin = Table::builtin();
    let mut table = Table::builtin();
    table.merge_command_reply(&under_new_names(&client.line("COMMAND"))).unwrap();
    for command in described(&mut client) {
        let known = command.spec(&builtin);
        let name = format!("~{}", command.name);
        let added = Described { name, ..command };
        let (name, spec) = (&added.name, added.spec(&table));
        assert_eq!(spec.name.to_string(), *name);
        assert!(!matches!(spec.class, Class::Read | Class::Neutral), "{name}: {:?}", spec.class);
        // PFCOUNT is marked readonly: the cached count that it writes is not visible to clients.
        let may_write = known.class.may_write() && name != "~PFCOUNT";
        assert!(spec.class.may_write() || !may_write, "{name}: {:?}", spec.class);
        if matches!(spec.class, Class::Write | Class::OtherRead) && spec.keys != KeySpec::Unknown {
            assert_eq!(spec.keys, known.keys, "{name}");
        }
    }
}

/// Prefixes every name in a reply to `COMMAND` with `~`.
fn under_new_names(reply: &[u8]) -> Vec<u8> {
    const ENTRY: &[u8] = b"*10\r\n$";
    let mut renamed = Vec::new();
    let mut rest = reply;
    while let Some(at) = rest.windows(ENTRY.len()).position(|window| window == ENTRY) {
        let (before, after) = rest.split_at(at + ENTRY.len());
        let digits = after.iter().position(|byte| *byte == b'\r').unwrap();
        let length: usize = str::from_utf8(&after[..digits]).unwrap().parse().unwrap();
        renamed.extend_from_slice(before);
        renamed.extend_from_slice(format!("{}\r\n~", length + 1).as_bytes());
        rest = &after[digits + 2..];
    }
    [renamed.as_slice(), rest].concat()
}
