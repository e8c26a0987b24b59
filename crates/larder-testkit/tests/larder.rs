//! Starting, stopping and asking Larder, tried on its stand-in.
#![allow(clippy::unwrap_used, reason = "tests: a panic is a failure")]

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::catch_unwind;
use std::time::Duration;

use larder_testkit::http::{self, AfterSend};
use larder_testkit::{Larder, LarderBuilder, Signal};

/// What a stand-in that works needs at most.
const LIMIT: Duration = Duration::from_secs(10);

const PROGRAM: &str = env!("CARGO_BIN_EXE_fake-larder");

fn builder() -> LarderBuilder {
    Larder::builder(PROGRAM)
}

#[test]
fn starts_with_what_it_is_given_and_nothing_else() {
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
fn terminates_and_reports_how() {
    let larder = Larder::start(PROGRAM, &[]);
    let (status, took) = larder.terminate();
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
    assert!(took < LIMIT, "{took:?}");
    assert!(TcpStream::connect(("127.0.0.1", larder.port())).is_err());
}

#[test]
fn pauses_resumes_and_is_signalled() {
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
fn dies_with_its_test_even_when_paused() {
    let panicked = catch_unwind(|| {
        let larder = Larder::start(PROGRAM, &[]);
        larder.pause();
        std::panic::panic_any(larder.port());
    });
    let port: u16 = *panicked.unwrap_err().downcast().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_failed_start_shows_the_log() {
    let panicked = catch_unwind(|| builder().args(&["--fail", "no such setting"]).start());
    let message: String = *panicked.err().unwrap().downcast().unwrap();
    assert!(message.contains("no such setting"), "{message}");
}

#[test]
fn a_port_taken_meanwhile_is_replaced() {
    let larder = Larder::start(PROGRAM, &["--port-taken-once"]);
    assert!(larder.log().contains("in use by another program"));
    assert_eq!(http::get(&larder.url("/livez"), &[]).status, 200);
}

#[test]
fn runs_commands_that_end() {
    let finished = builder().arg("--version").run();
    assert!(finished.status.success());
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("larder 0.0.0\n", ""));
    assert_eq!(builder().args(&["--fail", "bad"]).fails_with(), (78, "bad\n".to_owned()));
    assert!(catch_unwind(|| builder().arg("--version").fails_with()).is_err());
}

#[test]
fn requests_arrive_as_written_and_answers_as_sent() {
    let larder = Larder::start(PROGRAM, &[]);
    let url = larder.url("/request");
    let answer = http::put(&url, &[("if-match", "\"tag\"")], "a body");
    assert_eq!((answer.status, answer.cache_status()), (200, "larder; hit"));
    let text = answer.text();
    assert!(text.starts_with("PUT /request HTTP/1.1\n"), "{text}");
    assert!(text.contains("if-match: \"tag\"\n"), "{text}");
    assert!(text.ends_with("\n\na body"), "{text}");
    assert!(http::post(&url, &[], "x").text().starts_with("POST "));
    assert!(http::delete(&url, &[]).text().starts_with("DELETE "));

    let redirect = http::get(&larder.url("/elsewhere"), &[]);
    assert_eq!((redirect.status, redirect.header("location")), (302, Some("/livez")));
}

#[test]
fn raw_bytes_arrive_untouched() {
    let larder = Larder::start(PROGRAM, &[]);
    let answer = http::raw(larder.port(), b"BREW /request HTTP/9\r\nx:y\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nBREW /request HTTP/9\nx:y\n\n"), "{answer}");

    // The head never ends: only the half-close lets the server answer.
    let unfinished = b"GET /livez HTTP/1.1\r\n";
    let answer = http::raw_within(larder.port(), unfinished, AfterSend::HalfClose, LIMIT);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn json_is_read() {
    let answer = http::Response {
        status: 200,
        headers: reqwest::header::HeaderMap::new(),
        body: b"[1]".into(),
    };
    assert_eq!(answer.json()[0], 1);
}
