//! Starting, stopping and querying Larder, tested with a fake one.
#![allow(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::catch_unwind;
use std::time::Duration;

use larder_testkit::http::{self, AfterSend};
use larder_testkit::{Larder, LarderBuilder, Signal};

/// Limit for a fake Larder that works.
const LIMIT: Duration = Duration::from_secs(10);

const PROGRAM: &str = env!("CARGO_BIN_EXE_fake-larder");

fn builder() -> LarderBuilder {
    Larder::builder(PROGRAM)
}

#[test]
fn passes_only_the_given_arguments_and_environment() {
    let larder = builder()
        .arg("serve")
        .args(&["--maxmemory", "1mb"])
        .env("REDIS_URL", "redis://given")
        .config_text("[http]\nbind = \"127.0.0.1\"\n")
        .start();
    let arguments = http::get(&larder.url("/arguments"), &[]).text();
    let arguments: Vec<&str> = arguments.lines().collect();
    let port = larder.port().to_string();
    let [serve @ .., config, file, flag, number] = arguments.as_slice() else {
        panic!("{arguments:?}");
    };
    assert_eq!(serve, ["serve", "--maxmemory", "1mb"]);
    assert_eq!([*config, *flag, *number], ["--config", "--http-port", &port]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "[http]\nbind = \"127.0.0.1\"\n");

    let environment = http::get(&larder.url("/environment"), &[]).text();
    let mut names: Vec<&str> =
        environment.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["PATH", "REDIS_URL"]);
    assert!(larder.log().contains("listening on"));
    assert_eq!(larder.stdout(), "");
}

#[test]
fn terminate_returns_the_exit_status() {
    let larder = Larder::start(PROGRAM, &[]);
    let (status, took) = larder.terminate();
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
    assert!(took < LIMIT, "{took:?}");
    assert!(TcpStream::connect(("127.0.0.1", larder.port())).is_err());
}

#[test]
fn pause_resume_and_signal_reach_the_process() {
    let larder = Larder::start(PROGRAM, &[]);
    larder.pause();
    let request = b"GET /livez HTTP/1.1\r\n\r\n";
    let silence =
        http::raw_within(larder.port(), request, AfterSend::Wait, Duration::from_millis(50));
    assert_eq!(silence, b"");
    larder.resume();
    assert_eq!(http::get(&larder.url("/livez"), &[]).status, 200);
    larder.signal(Signal::INT);
    assert_eq!(larder.wait().signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_panicking_test_kills_even_a_paused_larder() {
    let panicked = catch_unwind(|| {
        let larder = Larder::start(PROGRAM, &[]);
        larder.pause();
        std::panic::panic_any(larder.port());
    });
    let port: u16 = *panicked.unwrap_err().downcast().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_failed_start_panics_with_the_log() {
    let panicked = catch_unwind(|| builder().args(&["--fail", "no such setting"]).start());
    let message: String = *panicked.err().unwrap().downcast().unwrap();
    assert!(message.contains("no such setting"), "{message}");
}

#[test]
fn a_port_that_was_taken_is_replaced() {
    let larder = Larder::start(PROGRAM, &["--port-taken-once"]);
    assert!(larder.log().contains("in use by another program"));
    assert_eq!(http::get(&larder.url("/livez"), &[]).status, 200);
}

#[test]
fn run_returns_status_and_output() {
    let finished = builder().arg("--version").run();
    assert!(finished.status.success());
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("larder 0.0.0\n", ""));
    assert_eq!(builder().args(&["--fail", "bad"]).fails_with(), (78, "bad\n".to_owned()));
    assert!(catch_unwind(|| builder().arg("--version").fails_with()).is_err());
}

#[test]
fn requests_and_responses_pass_unchanged() {
    let larder = Larder::start(PROGRAM, &[]);
    let url = larder.url("/request");
    let response = http::put(&url, &[("if-match", "\"tag\"")], "a body");
    assert_eq!((response.status, response.cache_status()), (200, "larder; hit"));
    let text = response.text();
    assert!(text.starts_with("PUT /request HTTP/1.1\n"), "{text}");
    assert!(text.contains("if-match: \"tag\"\n"), "{text}");
    assert!(text.ends_with("\n\na body"), "{text}");
    assert!(http::post(&url, &[], "x").text().starts_with("POST "));
    assert!(http::delete(&url, &[]).text().starts_with("DELETE "));

    let redirect = http::get(&larder.url("/elsewhere"), &[]);
    assert_eq!((redirect.status, redirect.header("location")), (302, Some("/livez")));
}

#[test]
fn raw_bytes_pass_unchanged() {
    let larder = Larder::start(PROGRAM, &[]);
    let response = http::raw(larder.port(), b"BREW /request HTTP/9\r\nx:y\r\n\r\n");
    let response = String::from_utf8(response).unwrap();
    assert!(response.ends_with("\r\n\r\nBREW /request HTTP/9\nx:y\n\n"), "{response}");

    // The request head is incomplete, so only the half-close lets the server respond.
    let unfinished = b"GET /livez HTTP/1.1\r\n";
    let response = http::raw_within(larder.port(), unfinished, AfterSend::HalfClose, LIMIT);
    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_json_body_is_parsed() {
    let response = http::Response {
        status: 200,
        headers: reqwest::header::HeaderMap::new(),
        body: b"[1]".into(),
    };
    assert_eq!(response.json()[0], 1);
}
