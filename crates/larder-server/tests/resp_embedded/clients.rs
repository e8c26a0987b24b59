//! Real clients, unmodified.

use std::{env, path::Path, process::Command};

use redis::{Commands, Connection, pipe};

use crate::pair::Alone;

#[test]
fn redis_benchmark_runs() {
    let alone = Alone::start(&[]);
    let port = alone.port.to_string();
    for pipeline in ["1", "16"] {
        let args = ["-p", &port, "-t", "ping,set,get,incr,mset", "-n", "2000", "-c", "20", "-r"];
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(args).args(["1000", "-q", "-P", pipeline]);
        let output = match benchmark.output() {
            Ok(output) => output,
            Err(error) => return missing(&format!("redis-benchmark: {error}")),
        };
        let said = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        for test in ["PING_INLINE:", "PING_MBULK:", "SET:", "GET:", "INCR:", "MSET (10 keys):"] {
            let done = |line: &str| line.starts_with(test) && line.contains("requests per second");
            assert!(said.lines().any(done), "{test} is missing in {said}");
        }
        assert!(!said.contains("rror"), "{said}");
    }
    alone.wire().expect("EXISTS mylist", ":0");
}

#[test]
fn redis_cli_talks() {
    let alone = Alone::start(&[]);
    let port = alone.port.to_string();
    let ask = |args: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &port]).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if ask(&["PING"]).is_none() {
        return;
    }
    for (args, said) in [
        (&["SET", "a", "1"][..], "OK"),
        (&["INCR", "a"], "2"),
        (&["-3", "GET", "a"], "2"),
        (&["-n", "3", "GET", "a"], ""),
        (&["--scan"], "a"),
    ] {
        assert_eq!(ask(args).as_deref(), Some(said), "{args:?}");
    }
}

#[test]
fn redis_py_does_its_usual_work() {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/python");
    if !installed.join("installed").exists() {
        return missing("redis-py: see scripts/setup clients");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/redis_py_alone.py");
    let alone = Alone::start(&[]);
    for protocol in ["2", "3"] {
        let mut python = Command::new("timeout");
        python.arg("60").arg(installed.join("bin/python")).arg(script);
        let output = python.args([&alone.port.to_string(), protocol]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.ends_with("all done\n"), "{said}{failed}");
    }
}

/// Skips a test that cannot be run here, unless all must be.
fn missing(what: &str) {
    let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!all, "{what}");
    eprintln!("skipped: {what}");
}

fn connect(alone: &Alone, protocol: &str) -> Connection {
    let url = format!("redis://127.0.0.1:{}/2{protocol}", alone.port);
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

#[test]
fn the_redis_crate_does_its_usual_work() {
    let alone = Alone::start(&[]);
    for protocol in ["", "?protocol=resp3"] {
        let mut redis = connect(&alone, protocol);
        redis::cmd("FLUSHDB").exec(&mut redis).unwrap();
        redis.set::<_, _, ()>("a", 41).unwrap();
        assert_eq!(redis.incr::<_, _, i64>("a", 1).unwrap(), 42);
        assert_eq!(redis.get::<_, Option<i64>>("a").unwrap(), Some(42));
        assert_eq!(redis.get::<_, Option<i64>>("b").unwrap(), None);
        redis.set_ex::<_, _, ()>("b", "soon gone", 100).unwrap();
        assert!((90..=100).contains(&redis.ttl::<_, i64>("b").unwrap()));
        assert!(redis.rename::<_, _, ()>("nothing", "x").is_err());
        let (first, second): (i64, String) =
            pipe().atomic().incr("a", 1).get("b").query(&mut redis).unwrap();
        assert_eq!((first, second.as_str()), (43, "soon gone"));
        let mut keys: Vec<String> = redis.scan().unwrap().map(Result::unwrap).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(redis.del::<_, i64>(&["a", "b", "c"]).unwrap(), 2);
    }
}
