//! All default tests of redis-benchmark: each prints a rate and no error.

use std::process::Command;

use crate::setup::start;

/// Number of its default tests.
const TESTS: usize = 20;

#[test]
fn every_test_prints_a_rate() {
    let Some(harness) = start(&[]) else { return };
    let (port, socket) = (harness.resp_port().to_string(), harness.unix_socket());
    let socket = socket.to_str().unwrap();
    for address in [["-p", &port], ["-s", socket]] {
        for options in [&["-P", "1"][..], &["-P", "64", "-r", "100"]] {
            measure(&address, options);
        }
    }
    measure(&["-p", &port], &["-3", "-t", "get,hset,lrange_300,spop"]);
    assert!(harness.larder.resp_hits() > 2000);
    assert_eq!(harness.larder.count("/resp/requests/error"), 0);
}

fn measure(address: &[&str], options: &[&str]) {
    let output = Command::new("timeout")
        .args(["60", "redis-benchmark", "-n", "2000", "-c", "20", "--csv"])
        .args(address)
        .args(options)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{address:?} {options:?}: {output:?}"
    );
    let rates = printed.lines().skip(1).map(|line| {
        let rate = line.split("\",\"").nth(1).and_then(|rate| rate.parse::<f64>().ok());
        rate.unwrap_or_else(|| panic!("{address:?} {options:?}: {line}"))
    });
    let rates: Vec<_> = rates.collect();
    assert!(rates.iter().all(|rate| *rate > 0.0), "{printed}");
    assert!(rates.len() >= TESTS || options.contains(&"-t"), "{printed}");
}
