//! A fake `larder` for the testkit's own tests: accepts the same flags and serves `GET /livez`.
//!
//! `--fail TEXT` writes the text to standard error and exits with code 78, `--version` writes to
//! standard output and exits with 0, `--port-taken-once` fails the first time. Otherwise it serves
//! on `--http-port`: `/environment` and `/arguments` return what it was started with, `/request`
//! echoes the request, and any other path redirects to `/livez`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for tests"
)]

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let after = |flag: &str| args.iter().skip_while(|arg| *arg != flag).nth(1);
    if let Some(text) = after("--fail") {
        eprintln!("{text}");
        return ExitCode::from(78);
    }
    if args.iter().any(|arg| arg == "--port-taken-once") && File::create_new("taken").is_ok() {
        eprintln!("the port is in use by another program");
        return ExitCode::FAILURE;
    }
    if args.iter().any(|arg| arg == "--version") {
        println!("larder 0.0.0");
        return ExitCode::SUCCESS;
    }
    let port: u16 = after("--http-port").unwrap().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    eprintln!("listening on {port}");
    for client in listener.incoming() {
        answer(&client.unwrap(), &args);
    }
    ExitCode::SUCCESS
}

fn answer(mut client: &TcpStream, args: &[String]) {
    let mut reader = BufReader::new(client);
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let request = head.first().map(String::as_str).unwrap_or_default();
    let (status, body) = match request.split(' ').nth(1).unwrap_or_default() {
        "/livez" => ("200 OK", Vec::new()),
        "/arguments" => ("200 OK", args.join("\n").into_bytes()),
        "/environment" => ("200 OK", environment().into_bytes()),
        "/request" => ("200 OK", echo(&head, reader)),
        _ => ("302 Found", Vec::new()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nlocation: /livez\r\n\
         cache-status: larder; hit\r\nconnection: close\r\n\r\n"
    );
    // The client may have disconnected.
    client.write_all(&[head.into_bytes(), body].concat()).ok();
}

/// Returns the request as received, one line per header, then an empty line and the body.
fn echo(head: &[String], body: impl Read) -> Vec<u8> {
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |digits| digits.parse().unwrap());
    let mut all = format!("{}\n\n", head.join("\n")).into_bytes();
    body.take(length).read_to_end(&mut all).unwrap();
    all
}

fn environment() -> String {
    let lines = env::vars().map(|(name, value)| format!("{name}={value}"));
    lines.collect::<Vec<_>>().join("\n")
}
