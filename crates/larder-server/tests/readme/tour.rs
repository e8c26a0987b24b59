//! The tour: the blocks of the README that are marked `console`. A line that begins with `$ ` is a
//! command, what follows is its answer.

use crate::{
    LIMIT, PROGRAM,
    comparison::{agrees, lines},
    document, recipe, root,
};
use larder_testkit::{Larder, RedisServer, eventually, free_port, http, require_redis};
use std::process::{Command, Stdio};

/// The addresses of the tour, in whose place the test has free ports.
const LARDER_ADDRESS: &str = "127.0.0.1:8000";
const REDIS_ADDRESS: &str = "127.0.0.1:6379";
const RESP_PORT: &str = "-p 6380 ";

#[test]
fn the_tour_runs_as_written() {
    if !has_curl() {
        return;
    }
    let mut tour = Tour::default();
    let steps = steps(&document("README.md"));
    for step in &steps {
        match step.command.as_str() {
            "make start-redis" if !require_redis() => return,
            "make start-redis" => tour.start_redis(),
            command if command.ends_with("make run") => tour.start_larder(step),
            _ => tour.ask(step),
        }
    }
    assert!(tour.redis.is_some() && tour.larder.is_some(), "the tour starts nothing");
}

#[test]
fn only_blocks_marked_console_are_the_tour() {
    let steps = steps("$ no\n```console\n$ one\n1\n\n2\n$ two\n```\n```sh\n$ no\n```\n");
    let found: Vec<_> = steps.iter().map(|step| (step.line, &*step.command)).collect();
    assert_eq!(found, [(3, "one"), (7, "two")]);
    assert_eq!(steps[0].shown, ["1", "", "2"]);
}

/// A command of the tour and the answer that the README shows.
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
}

fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (at, line) in markdown.lines().enumerate() {
        match (inside, line.strip_prefix("$ ")) {
            _ if line.starts_with("```") => inside = line == "```console",
            (true, Some(command)) => {
                steps.push(Step { line: at + 1, command: command.into(), shown: Vec::new() });
            }
            (true, None) => steps.last_mut().unwrap().shown.push(line.into()),
            (false, _) => {}
        }
    }
    steps
}

/// What runs at this point of the tour.
#[derive(Default)]
struct Tour {
    larder: Option<Larder>,
    /// Where that Larder listens for Redis clients.
    resp_port: u16,
    redis: Option<RedisServer>,
}

impl Tour {
    fn start_redis(&mut self) {
        let recipe = recipe("start-redis");
        assert!(recipe.contains("redis-server --bind 127.0.0.1 --port 6379"), "{recipe}");
        self.redis = Some(RedisServer::start());
    }

    /// `NAME=value make run`: the recipe of the Makefile, with the program that was built.
    fn start_larder(&mut self, step: &Step) {
        let recipe = recipe("run");
        let arguments = recipe.split_once("--bin larder -- ").unwrap().1;
        let in_root = |word: &str| match root().join(word) {
            path if path.is_file() => path.display().to_string(),
            _ => word.to_owned(),
        };
        let variables = step.command.split_whitespace().filter_map(|word| word.split_once('='));
        let arguments: Vec<String> = arguments.split_whitespace().map(in_root).collect();
        self.resp_port = free_port();
        let builder = Larder::builder(PROGRAM)
            .args(&arguments)
            .args(&["--port", &self.resp_port.to_string()]);
        let builder = variables
            .fold(builder, |builder, (name, value)| builder.env(name, self.to_ours(value)));
        // The one before was stopped with Ctrl-C.
        self.larder = None;
        let larder = self.larder.insert(builder.start());

        let ready = larder.url("/readyz");
        eventually(LIMIT, "a Larder that is ready", || {
            http::get(&ready, &[]).text().contains(r#""status":"ok""#)
        });
        // The log goes on after what is shown.
        let shown = [&step.shown[..], &["...".to_owned()]].concat();
        eventually(LIMIT, &format!("this in Larder's log: {shown:?}"), || {
            agrees(&shown, &lines(&self.to_theirs(&self.log())))
        });
    }

    /// Runs a command and compares its answer.
    fn ask(&self, step: &Step) {
        let command = self.to_ours(&step.command);
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = self.to_theirs(&String::from_utf8(output.stdout).unwrap());
        let place = format!("README.md:{}: $ {}", step.line, step.command);
        assert!(
            output.status.success(),
            "{place}\n{}{}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        assert!(
            agrees(&step.shown, &lines(&said)),
            "{place}\n--- the README shows\n{}\n--- the program says\n{said}\n--- its log\n{}",
            step.shown.join("\n"),
            self.log()
        );
    }

    fn to_ours(&self, command: &str) -> String {
        let mut command = command.to_owned();
        if let Some(larder) = &self.larder {
            command = command.replace(LARDER_ADDRESS, &format!("127.0.0.1:{}", larder.port()));
        }
        command = command.replace(RESP_PORT, &format!("-p {} ", self.resp_port));
        if let Some(redis) = &self.redis {
            // As on a terminal.
            let cli = format!("redis-cli --no-raw -p {} ", redis.port());
            command = command.replace(REDIS_ADDRESS, &redis.addr().to_string());
            command = command.replace("redis-cli ", &cli);
        }
        command
    }

    fn to_theirs(&self, said: &str) -> String {
        let mut said = said.to_owned();
        if let Some(larder) = &self.larder {
            said = said.replace(&format!("127.0.0.1:{}", larder.port()), LARDER_ADDRESS);
        }
        if let Some(redis) = &self.redis {
            said = said.replace(&redis.addr().to_string(), REDIS_ADDRESS);
        }
        said
    }

    fn log(&self) -> String {
        self.larder.as_ref().map(Larder::log).unwrap_or_default()
    }
}

/// Whether the tour can be run. Where a skipped test is a failed one, it must be.
fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    let all = std::env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found || !all, "curl not found, and LARDER_REQUIRE_ALL=1");
    if !found {
        eprintln!("skipped: curl not found");
    }
    found
}
