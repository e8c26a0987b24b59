//! The table beside `COMMAND DOCS`: every form of every command that the server documents has the
//! keys that `COMMAND GETKEYS` finds, or the table fences it on purpose.

use crate::keys::{found, found_by_server};
use crate::raw_client::RawClient;
use larder_resp::command::{Class, Table};
use larder_resp::reply::{Frame, Items};
use larder_testkit::{RedisServer, require_redis};

/// Commands whose keys the table leaves unknown in at least one form although the server finds some,
/// and why.
const FENCED: &[(&str, &str)] = &[
    ("EVALSHA_RO", "a script may read other keys"),
    ("EVAL_RO", "a script may read other keys"),
    ("FCALL_RO", "a function may read other keys"),
    ("GEORADIUS", "STORE names a second key"),
    ("GEORADIUSBYMEMBER", "STORE names a second key"),
    ("SORT", "BY and GET read keys by pattern, STORE names a second key"),
    ("SORT_RO", "BY and GET read keys by pattern"),
];

/// Commands that touch no key although the server finds some, and why.
const KEYLESS: &[(&str, &str)] = &[("SPUBLISH", "its argument is a channel")];

/// A command or subcommand, as words, with its arguments.
struct Documented {
    name: String,
    arguments: Vec<Argument>,
}

struct Argument {
    kind: String,
    name: String,
    token: Option<String>,
    is_optional: bool,
    is_multiple: bool,
    has_multiple_tokens: bool,
    arguments: Vec<Argument>,
}

type Words = Vec<String>;

#[test]
fn every_documented_form_has_the_keys_of_the_server() {
    if !require_redis() {
        return;
    }
    let server = RedisServer::start();
    let mut client = RawClient::open(&server, "3");
    let table = Table::builtin();
    let mut compared = 0;
    for command in documented(&mut client) {
        let words = command.name.replace('|', " ");
        // A command that fails here is new: look up what it does, and add it to the table.
        let spec = found(&table, &words).0;
        assert_eq!(spec.name.to_string(), command.name, "in the table");
        for line in [1, 2].into_iter().flat_map(|count| command.lines(count)) {
            compared += usize::from(compare(&table, &mut client, &line));
        }
    }
    assert!(compared > 1500, "{compared} lines");
}

/// Returns whether the server finds keys in a line.
fn compare(table: &Table, client: &mut RawClient, line: &str) -> bool {
    let (spec, keys) = found(table, line);
    let Some(expected) = found_by_server(client, line) else { return false };
    let name = spec.name.to_string();
    let is_listed = |list: &[(&str, &str)]| list.iter().any(|(listed, _)| *listed == name);
    match (spec.class, keys) {
        (Class::Read | Class::OtherRead | Class::Write, Some(keys)) => {
            assert_eq!(keys, expected, "{line}");
        }
        (Class::Read | Class::OtherRead | Class::Write, None) => {
            assert!(is_listed(FENCED), "{line} is fenced");
        }
        (Class::Neutral, _) => assert!(is_listed(KEYLESS), "{line} has keys"),
        (Class::WriteUnknown | Class::FlushAll | Class::Session(_), _) => {}
    }
    true
}

impl Documented {
    fn lines(&self, count: usize) -> Vec<String> {
        let name = self.name.replace('|', " ");
        let forms = sequences(&self.arguments, count).into_iter();
        forms.map(|words| format!("{name} {}", words.join(" "))).collect()
    }
}

/// Returns what is required of these arguments, then one sequence for each form of each argument.
/// What may be repeated is there `count` times.
fn sequences(arguments: &[Argument], count: usize) -> Vec<Words> {
    let forms: Vec<_> = arguments.iter().map(|argument| argument.forms(count)).collect();
    let with = |chosen: usize, words: &[String]| {
        let mut sequence = Words::new();
        for (at, argument) in arguments.iter().enumerate() {
            if at == chosen {
                sequence.extend_from_slice(words);
            } else if !argument.is_optional {
                sequence.extend_from_slice(&forms[at][0]);
            }
        }
        sequence
    };
    let mut sequences = vec![with(usize::MAX, &[])];
    for (at, forms) in forms.iter().enumerate() {
        sequences.extend(forms.iter().map(|words| with(at, words)));
    }
    sequences
}

impl Argument {
    /// Returns the words of each form of this argument, the shortest first.
    fn forms(&self, count: usize) -> Vec<Words> {
        let repeat = if self.is_multiple { count } else { 1 };
        let mut forms = Vec::new();
        for form in self.single_forms(count) {
            let mut words = Words::new();
            for at in 0..repeat {
                if at == 0 || self.has_multiple_tokens {
                    words.extend(self.token.clone());
                }
                // Distinct keys, or a set would hide one that is missing.
                let distinct = |word: &String| match word.starts_with("key-") {
                    true => format!("{word}-{at}"),
                    false => word.clone(),
                };
                words.extend(form.iter().map(distinct));
            }
            forms.push(words);
        }
        forms
    }

    fn single_forms(&self, count: usize) -> Vec<Words> {
        match self.kind.as_str() {
            "pure-token" => vec![Words::new()],
            "key" => vec![vec![format!("key-{}", self.name)]],
            // The number of keys or fields that follow.
            _ if self.name.starts_with("num") => vec![vec![count.to_string()]],
            "integer" | "double" | "unix-time" => vec![vec!["1".into()]],
            "oneof" => self.arguments.iter().flat_map(|choice| choice.forms(count)).collect(),
            "block" => sequences(&self.arguments, count),
            _ => vec![vec!["x".into()]],
        }
    }
}

fn documented(client: &mut RawClient) -> Vec<Documented> {
    let reply = client.line("COMMAND DOCS");
    let mut all = Vec::new();
    for (name, docs) in Frame::parse(&reply).unwrap().items().unwrap().pairs() {
        document(&text(&name), &docs, &mut all);
    }
    assert!(all.len() > 300, "a full server documents more");
    all
}

fn document(name: &str, docs: &Frame<'_>, all: &mut Vec<Documented>) {
    let arguments = arguments(docs);
    all.push(Documented { name: name.to_uppercase(), arguments });
    let subcommands = field(docs, "subcommands").and_then(|subcommands| subcommands.items());
    for (name, docs) in subcommands.into_iter().flat_map(Items::pairs) {
        document(&text(&name), &docs, all);
    }
}

fn arguments(docs: &Frame<'_>) -> Vec<Argument> {
    let arguments = field(docs, "arguments").and_then(|arguments| arguments.items());
    arguments.into_iter().flatten().map(|argument| argument_of(&argument)).collect()
}

fn argument_of(docs: &Frame<'_>) -> Argument {
    let flags: Vec<_> = field(docs, "flags")
        .and_then(|flags| flags.items())
        .map(|flags| flags.map(|flag| text(&flag)).collect())
        .unwrap_or_default();
    let has = |flag: &str| flags.iter().any(|found| found == flag);
    Argument {
        kind: text(&field(docs, "type").unwrap()),
        name: text(&field(docs, "name").unwrap()),
        token: field(docs, "token").map(|token| text(&token)),
        is_optional: has("optional"),
        is_multiple: has("multiple"),
        has_multiple_tokens: has("multiple_token"),
        arguments: arguments(docs),
    }
}

fn field<'a>(docs: &Frame<'a>, name: &str) -> Option<Frame<'a>> {
    let mut fields = docs.items()?.pairs();
    let found = fields.find(|(found, _)| found.as_str_bytes() == Some(name.as_bytes()));
    found.map(|(_, value)| value)
}

fn text(frame: &Frame<'_>) -> String {
    String::from_utf8(frame.as_str_bytes().unwrap().to_vec()).unwrap()
}
