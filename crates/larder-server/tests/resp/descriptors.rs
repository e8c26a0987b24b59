//! More clients than file descriptors.

use larder_testkit::{LIMIT, Larder, RedisServer, eventually, http, require_redis};

use crate::resp_client::RespClient;

#[test]
fn clients_beyond_the_file_descriptors_are_told_so_and_health_is_reported() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let few_files = r#"ulimit -n 200; exec "$0" "$@""#;
    let larder = Larder::builder("/bin/sh")
        .args(&["-c", few_files, env!("CARGO_BIN_EXE_larder")])
        .env("REDIS_URL", redis.url())
        .resp()
        .start();
    larder.wait_until_coherent();
    let mut clients: Vec<_> = (0..400).map(|_| RespClient::open(larder.resp_port())).collect();
    // Each PING needs a connection of the client's own to Redis.
    let (mut answered, mut unreachable, mut refused) = (0, 0, 0);
    for client in &mut clients {
        client.try_send(b"PING\r\n").ok();
        match String::from_utf8(client.reply()).unwrap() {
            reply if reply == "+PONG\r\n" => answered += 1,
            reply if reply.contains("ulimit -n") => unreachable += 1,
            reply if reply.contains("max number of clients") => refused += 1,
            reply => panic!("{reply}"),
        }
        assert_eq!(http::get(&larder.url("/readyz"), &[]).status, 200);
    }
    let all = format!("{answered} answered, {unreachable} unreachable, {refused} refused");
    assert!(answered + unreachable > 100 && refused > 200, "{all}");
    let log = larder.log();
    assert!(log.matches("WARN").count() < 10, "{log}");
    drop(clients);
    eventually(LIMIT, "the clients to be gone", || {
        let mut client = RespClient::open(larder.resp_port());
        client.try_send(b"PING\r\n").is_ok() && client.reply() == b"+PONG\r\n"
    });
}
