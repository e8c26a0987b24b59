//! redis-benchmark, all its default tests: each prints a rate, none an error.

use std::process::Command;

use crate::setup::start;

/// How many tests it does by default.
const TESTS: usize = 20;

#[test]
fn every_test_ends_with_a_rate() {
    let Some(harness) = start(&[]) else { return };
    let (port, socket) = (harness.resp_port().to_string(), harness.unix_socket());
    let socket = socket.to_str().unwrap();
    for way in [["-p", &port], ["-s", socket]] {
        for more in [&["-P", "1"][..], &["-P", "64", "-r", "100"]] {
            measure(&way, more);
        }
    }
    measure(&["-p", &port], &["-3", "-t", "get,hset,lrange_300,spop"]);
    assert!(harness.larder.resp_hits() > 2000);
    assert_eq!(harness.larder.count("/resp/requests/error"), 0);
}

fn measure(way: &[&str], more: &[&str]) {
    let output = Command::new("timeout")
        .args(["60", "redis-benchmark", "-n", "2000", "-c", "20", "--csv"])
        .args(way)
        .args(more)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{way:?} {more:?}: {output:?}");
    let rates = printed.lines().skip(1).map(|line| {
        let rate = line.split("\",\"").nth(1).and_then(|rate| rate.parse::<f64>().ok());
        rate.unwrap_or_else(|| panic!("{way:?} {more:?}: {line}"))
    });
    let rates: Vec<_> = rates.collect();
    assert!(rates.iter().all(|rate| *rate > 0.0), "{printed}");
    assert!(rates.len() >= TESTS || more.contains(&"-t"), "{printed}");
}
