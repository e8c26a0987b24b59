//! The Rust `redis` crate, in both protocol versions.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::Duration;

use redis::{Client, Commands, Connection, RedisResult, Value, cmd, pipe};

use larder_testkit::{Harness, LIMIT};

use crate::setup::start;

#[test]
fn the_client_works_in_resp2() {
    let Some(harness) = start(&[]) else { return };
    work(|| connect(&harness, "resp2"));
    assert!(harness.larder.resp_hits() > 0);
}

#[test]
fn the_client_works_in_resp3() {
    let Some(harness) = start(&[]) else { return };
    work(|| connect(&harness, "resp3"));
    assert!(harness.larder.resp_hits() > 0);
}

#[test]
fn the_client_works_over_the_unix_socket() {
    let Some(harness) = start(&[]) else { return };
    let url = format!("unix://{}", harness.unix_socket().display());
    work(|| open(&url));
}

fn connect(harness: &Harness, protocol: &str) -> Connection {
    open(&format!("redis://127.0.0.1:{}/0?protocol={protocol}", harness.resp_port()))
}

fn open(url: &str) -> Connection {
    let connection = Client::open(url).unwrap().get_connection_with_timeout(LIMIT).unwrap();
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    connection
}

fn work(connect: impl Fn() -> Connection) {
    let mut connection = connect();
    values(&mut connection).unwrap();
    collections(&mut connection).unwrap();
    pipelines(&mut connection).unwrap();
    scripts(&mut connection).unwrap();
    transactions(&mut connection, &mut connect()).unwrap();
    scans(&mut connection).unwrap();
    streams(&mut connection).unwrap();
    subscriptions(&mut connect(), &mut connection).unwrap();
    blocking(&mut connect(), connect(), &mut connection).unwrap();
}

fn values(con: &mut Connection) -> RedisResult<()> {
    let () = con.set("n", 41)?;
    assert_eq!(con.incr::<_, _, i64>("n", 1)?, 42);
    for _ in 0..3 {
        assert_eq!(con.get::<_, i64>("n")?, 42);
        assert_eq!(con.get::<_, Option<String>>("missing")?, None);
        assert_eq!(
            con.mget::<_, Vec<Option<i64>>>(&["n", "missing", "n"])?,
            [Some(42), None, Some(42)]
        );
    }
    let bytes = b"\0\r\n\xff".to_vec();
    let () = con.set_ex("bytes", &bytes, 1000)?;
    assert_eq!(con.get::<_, Vec<u8>>("bytes")?, bytes);
    assert!((1..=1000).contains(&con.ttl::<_, i64>("bytes")?));
    let () = con.setbit("bits", 7, true)?;
    assert!(con.getbit::<_, bool>("bits", 7)?);
    assert_eq!(con.bitcount::<_, i64>("bits")?, 1);
    let () = con.pfadd("visitors", &["a", "b", "c"])?;
    assert_eq!(con.pfcount::<_, i64>("visitors")?, 3);
    assert_eq!(con.del::<_, i64>(&["bytes", "missing"])?, 1);
    let refused = con.get::<_, i64>("bits").and(con.incr::<_, _, i64>("bits", 1));
    assert!(refused.is_err());
    Ok(())
}

fn collections(con: &mut Connection) -> RedisResult<()> {
    let () = con.hset_multiple("user", &[("name", "Ann"), ("age", "41")])?;
    for _ in 0..3 {
        let user: HashMap<String, String> = con.hgetall("user")?;
        assert_eq!(user["name"], "Ann");
        assert_eq!(con.hget::<_, _, i64>("user", "age")?, 41);
    }
    let () = con.rpush("list", &[1, 2, 3, 4])?;
    assert_eq!(con.lpop::<_, Vec<i64>>("list", std::num::NonZeroUsize::new(2))?, [1, 2]);
    assert_eq!(con.lrange::<_, Vec<i64>>("list", 0, -1)?, [3, 4]);
    let () = con.sadd("set", &["x", "y"])?;
    assert!(con.sismember::<_, _, bool>("set", "x")?);
    assert!(!con.sismember::<_, _, bool>("set", "z")?);
    let () = con.zadd_multiple("board", &[(1.5, "ann"), (2.5, "bob")])?;
    for _ in 0..3 {
        let board: Vec<(String, f64)> = con.zrange_withscores("board", 0, -1)?;
        assert_eq!(board, [("ann".into(), 1.5), ("bob".into(), 2.5)]);
        assert_eq!(con.zscore::<_, _, Option<f64>>("board", "ann")?, Some(1.5));
    }
    let () = cmd("GEOADD").arg(&["towns", "13.361389", "38.115556", "Palermo"]).query(con)?;
    let place: Vec<Option<(f64, f64)>> =
        cmd("GEOPOS").arg(&["towns", "Palermo", "no"]).query(con)?;
    assert!(place[0].is_some_and(|(east, _)| (13.0..14.0).contains(&east)) && place[1].is_none());
    Ok(())
}

fn pipelines(con: &mut Connection) -> RedisResult<()> {
    let (old, new, list): (Option<i64>, i64, Vec<i64>) = pipe()
        .get("piped")
        .set("piped", 1)
        .ignore()
        .get("piped")
        .lrange("list", 0, -1)
        .query(con)?;
    assert_eq!((old, new, list), (None, 1, vec![3, 4]));
    let mut many = pipe();
    for n in 0..1000 {
        many.set(format!("many:{n}"), n).ignore().get(format!("many:{n}"));
    }
    let found: Vec<i64> = many.query(con)?;
    assert!(found.iter().copied().eq(0..1000));
    let mut reads = pipe();
    for n in 0..1000 {
        reads.get(format!("many:{n}"));
    }
    for _ in 0..3 {
        assert!(reads.query::<Vec<i64>>(con)?.into_iter().eq(0..1000));
    }
    con.del(&["piped"])
}

fn scripts(con: &mut Connection) -> RedisResult<()> {
    let script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])";
    let reply: i64 = cmd("EVAL").arg(script).arg(1).arg("scripted").arg(7).query(con)?;
    assert_eq!((reply, con.get::<_, i64>("scripted")?), (7, 7));
    let sha: String =
        cmd("SCRIPT").arg(&["LOAD", "return redis.call('INCR', 'scripted')"]).query(con)?;
    for expected in 8..20 {
        assert_eq!(cmd("EVALSHA").arg(&sha).arg(0).query::<i64>(con)?, expected);
        assert_eq!(con.get::<_, i64>("scripted")?, expected);
    }
    let library = "#!lua name=lib\nredis.register_function('put', function(keys, args) \
                   return redis.call('SET', keys[1], args[1]) end)";
    let () = cmd("FUNCTION").arg(&["LOAD", "REPLACE", library]).query(con)?;
    for expected in 0..5 {
        let () = cmd("FCALL").arg("put").arg(1).arg("called").arg(expected).query(con)?;
        assert_eq!(con.get::<_, i64>("called")?, expected);
    }
    Ok(())
}

fn transactions(con: &mut Connection, other: &mut Connection) -> RedisResult<()> {
    let () = con.set("account", 100)?;
    // Another client writes in between once: the second attempt succeeds.
    let mut attempts = 0;
    let (after,): (i64,) = redis::transaction(con, &["account"], |con, pipe| {
        attempts += 1;
        let amount: i64 = con.get("account")?;
        if attempts == 1 {
            let () = other.set("account", 500)?;
        }
        pipe.set("account", amount + 1).ignore().get("account").query(con)
    })?;
    assert_eq!((attempts, after), (2, 501));
    assert_eq!(con.get::<_, i64>("account")?, 501);
    let (one, two): (i64, i64) = pipe().atomic().incr("t", 1).incr("t", 1).query(con)?;
    assert_eq!((one, two), (1, 2));
    con.del(&["t"])
}

fn scans(con: &mut Connection) -> RedisResult<()> {
    let found = con.scan_match::<_, String>("many:*")?.count();
    assert_eq!(found, 1000);
    let fields: BTreeMap<String, String> = con.hscan("user")?.collect::<RedisResult<_>>()?;
    assert_eq!(fields.len(), 2);
    assert_eq!(con.sscan::<_, String>("set")?.count(), 2);
    Ok(())
}

fn streams(con: &mut Connection) -> RedisResult<()> {
    let () = cmd("XADD").arg(&["log", "1-1", "event", "start"]).query(con)?;
    let () = cmd("XGROUP").arg(&["CREATE", "log", "readers", "0"]).query(con)?;
    let read = ["GROUP", "readers", "me", "COUNT", "1", "STREAMS", "log", ">"];
    let entries: Value = cmd("XREADGROUP").arg(&read).query(con)?;
    assert!(format!("{entries:?}").contains("event"), "{entries:?}");
    assert_eq!(cmd("XACK").arg(&["log", "readers", "1-1"]).query::<i64>(con)?, 1);
    con.del(&["log"])
}

fn subscriptions(subscriber: &mut Connection, con: &mut Connection) -> RedisResult<()> {
    {
        let mut subscriptions = subscriber.as_pubsub();
        subscriptions.subscribe(&["news", "sport"])?;
        subscriptions.psubscribe("w*")?;
        for (channel, text) in [("news", "one"), ("weather", "two"), ("sport", "three")] {
            assert_eq!(con.publish::<_, _, i64>(channel, text)?, 1);
            let message = subscriptions.get_message()?;
            assert_eq!(message.get_channel_name(), channel);
            assert_eq!(message.get_payload::<String>()?, text);
        }
    }
    // All subscriptions have ended, so it is an ordinary client again.
    let () = subscriber.set("after", "v")?;
    assert_eq!(subscriber.get::<_, String>("after")?, "v");
    Ok(())
}

fn blocking(
    first: &mut Connection,
    mut second: Connection,
    con: &mut Connection,
) -> RedisResult<()> {
    let waiting = thread::spawn(move || -> RedisResult<Option<(String, i64)>> {
        second.blpop(&["jobs:a", "jobs:b"], 0.0)
    });
    while info(con, "blocked_clients")? != "1" {
        thread::sleep(Duration::from_millis(3));
    }
    let () = con.rpush("jobs:b", 1)?;
    assert_eq!(waiting.join().unwrap()?, Some(("jobs:b".into(), 1)));
    let nothing: Option<(String, i64)> = first.brpop(&["jobs:a"], 0.01)?;
    assert_eq!(nothing, None);
    let () = con.rpush("jobs:a", &[2, 3])?;
    let moved: Option<i64> =
        cmd("BLMOVE").arg(&["jobs:a", "done", "LEFT", "RIGHT", "0"]).query(first)?;
    assert_eq!((moved, first.lrange("done", 0, -1)?), (Some(2), vec![2]));
    con.del(&["jobs:a", "done"])
}

fn info(con: &mut Connection, field: &str) -> RedisResult<String> {
    let text: String = cmd("INFO").arg("clients").query(con)?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    Ok(fields.find(|(name, _)| *name == field).map(|(_, value)| value.to_owned()).unwrap())
}
