//! `COMMAND` describes the commands that Larder serves as Redis describes them.

use larder_resp::reply::Frame;

use crate::resp_client::RespClient;
use crate::setup::{Embedded, Servers};

/// Subcommands that the Redis of these tests may lack, because they are newer. Current clients send
/// them.
const NEWER: [&str; 2] = ["client|setinfo", "client|no-touch"];

/// One entry of the command table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    name: String,
    arity: i64,
    flags: Vec<String>,
    /// The first key, the last key and the step between keys.
    keys: Vec<i64>,
}

#[test]
fn command_describes_each_command_as_redis_does() {
    let Some(servers) = Servers::start() else { return };
    for version in ["2", "3"] {
        let mut clients = servers.clients(version);
        let larder_rows = rows(&mut clients.larder, "COMMAND");
        assert!(larder_rows.len() > 70, "{}", larder_rows.len());
        let names: Vec<_> = larder_rows.iter().map(|row| row.name.as_str()).collect();
        let commands = names.iter().filter(|name| !name.contains('|')).count();
        clients.larder.expect("COMMAND COUNT", &format!(":{commands}"));
        let redis_rows = rows(&mut clients.redis, "COMMAND");
        for row in &larder_rows {
            let found = redis_rows.iter().find(|other| other.name == row.name);
            match found {
                // Redis reports WATCH as taking keys. Larder does not, because WATCH accesses none.
                Some(other) if row.name == "watch" => assert_eq!(row.arity, other.arity),
                Some(other) => assert_eq!(row, other),
                None => assert!(NEWER.contains(&row.name.as_str()), "{}", row.name),
            }
        }
        assert_eq!(rows(&mut clients.larder, "COMMAND INFO"), larder_rows);
        assert_eq!(rows(&mut clients.larder, "COMMAND INFO get client").len(), 2 + 8 + 1);
    }
    let mut clients = servers.clients("2");
    clients.larder.expect("COMMAND DOCS", "*0");
    clients.larder.expect("COMMAND DOCS get", "*0");
}

#[test]
fn the_documentation_lists_the_served_commands() {
    let text = include_str!("../../../../docs/differences-from-redis.md");
    let (_, table) = text.split_once("| what | commands |").unwrap();
    let mut named = Vec::new();
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let mut container = String::new();
        for word in row.split('|').nth(2).unwrap().split_whitespace() {
            if word.starts_with('(') {
                container = format!("{}|", named.last().unwrap());
            }
            let name = word.trim_matches(['`', '(', ')']).to_lowercase();
            named.push(format!("{container}{name}"));
            if word.ends_with(')') {
                container.clear();
            }
        }
    }
    named.sort_unstable();
    let rows = rows(&mut Embedded::start(&[]).client(), "COMMAND");
    assert_eq!(named, rows.into_iter().map(|row| row.name).collect::<Vec<_>>());
}

/// Returns the sorted command table in the reply to a `COMMAND` line.
fn rows(client: &mut RespClient, line: &str) -> Vec<Row> {
    let reply = client.line(line);
    let mut rows = Vec::new();
    let frame = Frame::parse(&reply).unwrap();
    frame.items().unwrap().for_each(|command| push_rows(&command, &mut rows));
    rows.sort_unstable();
    rows
}

/// Appends a command and its subcommands.
fn push_rows(command: &Frame<'_>, rows: &mut Vec<Row>) {
    let fields: Vec<_> = command.items().unwrap().collect();
    assert_eq!(fields.len(), 10, "{command:?}");
    let text =
        |frame: &Frame<'_>| String::from_utf8_lossy(frame.as_str_bytes().unwrap()).into_owned();
    let mut flags: Vec<_> = fields[2].items().unwrap().map(|flag| text(&flag)).collect();
    flags.sort_unstable();
    rows.push(Row {
        name: text(&fields[0]),
        arity: fields[1].as_integer().unwrap(),
        flags,
        keys: fields[3..6].iter().map(|field| field.as_integer().unwrap()).collect(),
    });
    fields[9].items().unwrap().for_each(|command| push_rows(&command, rows));
}
