//! Unmodified Redis clients.

use std::{env, path::Path, process::Command};

use redis::{Commands, Connection, pipe};

use crate::setup::Embedded;

#[test]
fn redis_benchmark_completes() {
    let server = Embedded::start(&[]);
    let port = server.port.to_string();
    for pipeline in ["1", "16"] {
        let args = ["-p", &port, "-t", "ping,set,get,incr,mset", "-n", "2000", "-c", "20", "-r"];
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(args).args(["1000", "-q", "-P", pipeline]);
        let output = match benchmark.output() {
            Ok(output) => output,
            Err(error) => return skip(&format!("redis-benchmark: {error}")),
        };
        let stdout = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
        assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        for test in ["PING_INLINE:", "PING_MBULK:", "SET:", "GET:", "INCR:", "MSET (10 keys):"] {
            let is_result =
                |line: &str| line.starts_with(test) && line.contains("requests per second");
            assert!(stdout.lines().any(is_result), "{test} is missing in {stdout}");
        }
        assert!(!stdout.contains("rror"), "{stdout}");
    }
    server.client().expect("EXISTS mylist", ":0");
}

#[test]
fn redis_cli_works() {
    let server = Embedded::start(&[]);
    let port = server.port.to_string();
    let run = |args: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &port]).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if run(&["PING"]).is_none() {
        return;
    }
    for (args, expected) in [
        (&["SET", "a", "1"][..], "OK"),
        (&["INCR", "a"], "2"),
        (&["-3", "GET", "a"], "2"),
        (&["-n", "3", "GET", "a"], ""),
        (&["--scan"], "a"),
    ] {
        assert_eq!(run(args).as_deref(), Some(expected), "{args:?}");
    }
}

#[test]
fn redis_py_works() {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/python");
    if !installed.join("installed").exists() {
        return skip("redis-py: run scripts/setup clients");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/redis_py_embedded.py");
    let server = Embedded::start(&[]);
    for protocol in ["2", "3"] {
        let mut python = Command::new("timeout");
        python.arg("60").arg(installed.join("bin/python")).arg(script);
        let output = python.args([&server.port.to_string(), protocol]).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stdout.ends_with("all done\n"), "{stdout}{stderr}");
    }
}

/// Reports a skipped test. Panics if `LARDER_REQUIRE_ALL=1`.
fn skip(reason: &str) {
    let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!all, "{reason}");
    eprintln!("skipped: {reason}");
}

fn connect(server: &Embedded, protocol: &str) -> Connection {
    let url = format!("redis://127.0.0.1:{}/2{protocol}", server.port);
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

#[test]
fn the_redis_crate_works() {
    let server = Embedded::start(&[]);
    for protocol in ["", "?protocol=resp3"] {
        let mut redis = connect(&server, protocol);
        redis::cmd("FLUSHDB").exec(&mut redis).unwrap();
        redis.set::<_, _, ()>("a", 41).unwrap();
        assert_eq!(redis.incr::<_, _, i64>("a", 1).unwrap(), 42);
        assert_eq!(redis.get::<_, Option<i64>>("a").unwrap(), Some(42));
        assert_eq!(redis.get::<_, Option<i64>>("b").unwrap(), None);
        redis.set_ex::<_, _, ()>("b", "expires", 100).unwrap();
        assert!((90..=100).contains(&redis.ttl::<_, i64>("b").unwrap()));
        assert!(redis.rename::<_, _, ()>("nothing", "x").is_err());
        let (first, second): (i64, String) =
            pipe().atomic().incr("a", 1).get("b").query(&mut redis).unwrap();
        assert_eq!((first, second.as_str()), (43, "expires"));
        let mut keys: Vec<String> = redis.scan().unwrap().map(Result::unwrap).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(redis.del::<_, i64>(&["a", "b", "c"]).unwrap(), 2);
    }
}
