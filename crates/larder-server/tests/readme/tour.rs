//! Runs the tour, which is all `console` blocks of the README. A line that begins with `$ ` is a
//! command, and the lines after it are its output.

use crate::{
    LIMIT, PROGRAM,
    comparison::{lines, matches},
    document, recipe, root,
};
use larder_testkit::{Larder, RedisServer, eventually, http, require_redis};
use std::process::{Command, Stdio};

/// The addresses in the tour. The test replaces them with those of the servers it starts.
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
            _ => tour.run(step),
        }
    }
    assert!(
        tour.redis.is_some() && tour.larder.is_some(),
        "the tour does not start both Redis and Larder"
    );
}

#[test]
fn only_console_blocks_belong_to_the_tour() {
    let steps = steps("$ no\n```console\n$ one\n1\n\n2\n$ two\n```\n```sh\n$ no\n```\n");
    let found: Vec<_> = steps.iter().map(|step| (step.line, &*step.command)).collect();
    assert_eq!(found, [(3, "one"), (7, "two")]);
    assert_eq!(steps[0].shown, ["1", "", "2"]);
}

/// A command of the tour and the output that the README shows.
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

/// The servers that run at this point of the tour.
#[derive(Default)]
struct Tour {
    larder: Option<Larder>,
    /// The port of that Larder's RESP listener.
    resp_port: u16,
    redis: Option<RedisServer>,
}

impl Tour {
    fn start_redis(&mut self) {
        let recipe = recipe("start-redis");
        assert!(recipe.contains("redis-server --bind 127.0.0.1 --port 6379"), "{recipe}");
        self.redis = Some(RedisServer::start());
    }

    /// Runs `NAME=value make run`: the recipe in the Makefile, but with the program under test.
    fn start_larder(&mut self, step: &Step) {
        let recipe = recipe("run");
        let arguments = recipe.split_once("--bin larder -- ").unwrap().1;
        let in_root = |word: &str| match root().join(word) {
            path if path.is_file() => path.display().to_string(),
            _ => word.to_owned(),
        };
        let variables = step.command.split_whitespace().filter_map(|word| word.split_once('='));
        let arguments: Vec<String> = arguments.split_whitespace().map(in_root).collect();
        let builder = Larder::builder(PROGRAM).resp().args(&arguments);
        let builder = variables.fold(builder, |builder, (name, value)| {
            builder.env(name, self.with_real_addresses(value))
        });
        // The tour stops the previous Larder with Ctrl-C.
        self.larder = None;
        let larder = self.larder.insert(builder.start());
        self.resp_port = larder.resp_port();

        let ready = larder.url("/readyz");
        eventually(LIMIT, "Larder to be ready", || {
            http::get(&ready, &[]).text().contains(r#""status":"ok""#)
        });
        // The README shows only the first lines of the log.
        let shown = [&step.shown[..], &["...".to_owned()]].concat();
        eventually(LIMIT, &format!("Larder to log {shown:?}"), || {
            matches(&shown, &lines(&self.with_documented_addresses(&self.log())))
        });
    }

    /// Runs a command and compares its output.
    fn run(&self, step: &Step) {
        let command = self.with_real_addresses(&step.command);
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stdout = self.with_documented_addresses(&String::from_utf8(output.stdout).unwrap());
        let place = format!("README.md:{}: $ {}", step.line, step.command);
        assert!(
            output.status.success(),
            "{place}\n{}{}",
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        assert!(
            matches(&step.shown, &lines(&stdout)),
            "{place}\n--- the README shows\n{}\n--- the program printed\n{stdout}\n--- Larder's log\n{}",
            step.shown.join("\n"),
            self.log()
        );
    }

    /// Replaces the addresses of the tour with those of the running servers.
    fn with_real_addresses(&self, command: &str) -> String {
        let mut command = command.to_owned();
        if let Some(larder) = &self.larder {
            command = command.replace(LARDER_ADDRESS, &format!("127.0.0.1:{}", larder.port()));
        }
        command = command.replace(RESP_PORT, &format!("-p {} ", self.resp_port));
        if let Some(redis) = &self.redis {
            // Without a terminal, redis-cli would print raw replies.
            let cli = format!("redis-cli --no-raw -p {} ", redis.port());
            command = command.replace(REDIS_ADDRESS, &redis.addr().to_string());
            command = command.replace("redis-cli ", &cli);
        }
        command
    }

    /// Replaces the addresses of the running servers with those of the tour.
    fn with_documented_addresses(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(larder) = &self.larder {
            text = text.replace(&format!("127.0.0.1:{}", larder.port()), LARDER_ADDRESS);
        }
        if let Some(redis) = &self.redis {
            text = text.replace(&redis.addr().to_string(), REDIS_ADDRESS);
        }
        text
    }

    fn log(&self) -> String {
        self.larder.as_ref().map(Larder::log).unwrap_or_default()
    }
}

/// Returns whether curl, which the tour needs, is installed. Panics if it is not and
/// `LARDER_REQUIRE_ALL=1`.
fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    let all = std::env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found || !all, "curl not found, and LARDER_REQUIRE_ALL=1");
    if !found {
        eprintln!("skipped: curl not found");
    }
    found
}
