//! The default port of the RESP listener, where another program uses it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};

use larder_testkit::{LIMIT, Larder, LarderBuilder};
use tempfile::TempDir;

/// An address whose default port nothing else uses, so that the test can occupy it.
const BIND: &str = "127.0.0.77";
const DEFAULT_PORT: u16 = 6380;

fn program() -> LarderBuilder {
    Larder::builder(env!("CARGO_BIN_EXE_larder"))
}

#[test]
fn a_unix_socket_is_served_while_the_default_port_is_in_use() {
    // If it cannot be bound, another program listens on every address.
    let _occupied = TcpListener::bind((BIND, DEFAULT_PORT)).ok();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("larder.sock");
    let larder = program().args(&["--bind", BIND, "--unixsocket", path.to_str().unwrap()]).start();
    let mut socket = UnixStream::connect(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    socket.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
    let log = larder.log();
    assert!(log.contains("the default port is in use"), "{log}");
}

#[test]
fn a_unix_socket_in_use_is_an_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("larder.sock");
    let _other = UnixListener::bind(&path).unwrap();
    let port = larder_testkit::free_port().to_string();
    let args = ["--port", "0", "--http-port", &port, "--unixsocket", path.to_str().unwrap()];
    let (_, text) = program().args(&args).fails_with();
    assert!(text.contains("cannot listen for Redis clients"), "{text}");
}

#[test]
fn a_configured_port_in_use_is_an_error() {
    let occupied = TcpListener::bind((BIND, 0)).unwrap();
    let resp_port = occupied.local_addr().unwrap().port().to_string();
    let port = larder_testkit::free_port().to_string();
    let args = ["--bind", BIND, "--http-port", &port, "--port", &resp_port];
    let (_, text) = program().args(&args).fails_with();
    assert!(text.contains("cannot listen for Redis clients"), "{text}");
}
