//! What `COMMAND` says of the commands that are served is what Redis says of them.

use larder_resp::reply::Frame;

use crate::pair::{Alone, Pair};
use crate::wire::Wire;

/// Commands of later versions, which today's clients send.
const NEWER: [&str; 2] = ["client|setinfo", "client|no-touch"];

/// One command: name, arity, flags, and where its keys stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    name: String,
    arity: i64,
    flags: Vec<String>,
    keys: Vec<i64>,
}

#[test]
fn commands_are_described_as_in_redis() {
    let Some(pair) = Pair::start() else { return };
    for version in ["2", "3"] {
        let mut both = pair.both(version);
        let ours = rows(&mut both.larder, "COMMAND");
        assert!(ours.len() > 70, "{}", ours.len());
        let names: Vec<_> = ours.iter().map(|row| row.name.as_str()).collect();
        let commands = names.iter().filter(|name| !name.contains('|')).count();
        both.larder.expect("COMMAND COUNT", &format!(":{commands}"));
        let theirs = rows(&mut both.redis, "COMMAND");
        for row in &ours {
            let same = theirs.iter().find(|theirs| theirs.name == row.name);
            match same {
                // Redis gives WATCH's keys; it touches none.
                Some(theirs) if row.name == "watch" => assert_eq!(row.arity, theirs.arity),
                Some(theirs) => assert_eq!(row, theirs),
                None => assert!(NEWER.contains(&row.name.as_str()), "{}", row.name),
            }
        }
        assert_eq!(rows(&mut both.larder, "COMMAND INFO"), ours);
        assert_eq!(rows(&mut both.larder, "COMMAND INFO get client").len(), 2 + 8 + 1);
    }
    let mut both = pair.both("2");
    both.larder.expect("COMMAND DOCS", "*0");
    both.larder.expect("COMMAND DOCS get", "*0");
}

#[test]
fn the_documents_name_the_commands_that_are_served() {
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
    let rows = rows(&mut Alone::start(&[]).wire(), "COMMAND");
    assert_eq!(named, rows.into_iter().map(|row| row.name).collect::<Vec<_>>());
}

fn rows(wire: &mut Wire, line: &str) -> Vec<Row> {
    let reply = wire.line(line);
    let mut rows = Vec::new();
    let frame = Frame::parse(&reply).unwrap();
    frame.items().unwrap().for_each(|command| read(&command, &mut rows));
    rows.sort_unstable();
    rows
}

/// A command and its subcommands.
fn read(command: &Frame<'_>, rows: &mut Vec<Row>) {
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
    fields[9].items().unwrap().for_each(|command| read(&command, rows));
}
