"""Exercises redis-py against the server at PORT: python redis_py.py PORT PROTOCOL"""

import asyncio
import sys
import threading
import time

import redis
import redis.asyncio

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
LIMIT = 20  # seconds to wait for a reply


def connect(**more):
    settings = dict(port=PORT, protocol=PROTOCOL, socket_timeout=LIMIT, decode_responses=True)
    return redis.Redis(**(settings | more))


def strings(r):
    assert r.set("name", "Ann") is True
    for _ in range(3):
        assert r.get("name") == "Ann"
        assert r.mget("name", "missing") == ["Ann", None]
    assert r.set("name", "Bob", get=True) == "Ann"
    assert r.set("name", "x", nx=True) is None
    assert r.append("name", "by") == 5 and r.strlen("name") == 5
    assert r.getrange("name", 0, 2) == "Bob"
    assert r.incr("n") == 1 and r.incrby("n", 41) == 42 and r.incrbyfloat("n", 0.5) == 42.5
    assert r.set("timed", "v", ex=1000) is True and 0 < r.ttl("timed") <= 1000
    assert r.persist("timed") and r.ttl("timed") == -1 and r.ttl("missing") == -2
    assert r.rename("timed", "renamed") and r.exists("timed", "renamed") == 1
    assert r.type("renamed") == "string" and r.delete("renamed", "missing") == 1
    binary = connect(decode_responses=False)
    binary.set(b"\xff\x00", b"\r\n\x00\xfe")
    assert binary.get(b"\xff\x00") == b"\r\n\x00\xfe"
    try:
        r.lpush("name", "v")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)
    else:
        raise AssertionError("LPUSH on a string succeeded")


def hashes(r):
    assert r.hset("user", mapping={"name": "Ann", "age": 41}) == 2
    for _ in range(3):
        assert r.hgetall("user") == {"name": "Ann", "age": "41"}
        assert r.hget("user", "age") == "41" and r.hget("user", "missing") is None
        assert r.hmget("user", "name", "missing") == ["Ann", None]
    assert r.hincrby("user", "age") == 42 and r.hlen("user") == 2
    assert r.hexists("user", "age") and r.hkeys("user") == ["name", "age"]
    assert r.hdel("user", "age") == 1 and r.hgetall("user") == {"name": "Ann"}
    assert dict(r.hscan_iter("user")) == {"name": "Ann"}


def lists(r):
    assert r.rpush("list", "a", "b", "c", "d") == 4
    for _ in range(3):
        assert r.lrange("list", 0, -1) == ["a", "b", "c", "d"]
    assert r.lindex("list", 1) == "b" and r.llen("list") == 4
    assert r.lpop("list") == "a" and r.rpop("list", 2) == ["d", "c"]
    assert r.lmove("list", "other", "LEFT", "RIGHT") == "b" and r.lrange("list", 0, -1) == []


def sets(r):
    assert r.sadd("set", "a", "b", "c") == 3
    for _ in range(3):
        assert r.smembers("set") == {"a", "b", "c"}
        assert r.sismember("set", "a") == 1 and r.smismember("set", ["a", "z"]) == [1, 0]
    r.sadd("set2", "b")
    assert r.sinter("set", "set2") == {"b"} and r.sdiff("set", "set2") == {"a", "c"}
    assert r.sunionstore("set3", "set", "set2") == 3 and r.scard("set3") == 3
    assert set(r.sscan_iter("set")) == {"a", "b", "c"}


def sorted_sets(r):
    assert r.zadd("board", {"ann": 1.5, "bob": 2.5, "cid": 3}) == 3
    for _ in range(3):
        board = [(member, score) for member, score in r.zrange("board", 0, -1, withscores=True)]
        assert board == [("ann", 1.5), ("bob", 2.5), ("cid", 3.0)], board
        assert r.zscore("board", "ann") == 1.5 and r.zrank("board", "cid") == 2
        assert r.zmscore("board", ["ann", "missing"]) == [1.5, None]
    assert r.zincrby("board", 10, "ann") == 11.5
    assert r.zrevrange("board", 0, 0) == ["ann"]
    assert r.zrangebyscore("board", 2, 3) == ["bob", "cid"] and r.zcount("board", 2, 3) == 2
    assert [list(pair) for pair in r.zpopmin("board", 1)] == [["bob", 2.5]]
    assert dict(r.zscan_iter("board")) == {"ann": 11.5, "cid": 3.0}


def streams(r):
    assert r.xadd("log", {"event": "start"}, id="1-1") == "1-1"
    assert r.xadd("log", {"event": "stop"}, id="1-2") == "1-2"
    assert r.xlen("log") == 2
    assert r.xrange("log") == [("1-1", {"event": "start"}), ("1-2", {"event": "stop"})]
    assert "1-2" in str(r.xread({"log": "1-1"}))
    assert r.xgroup_create("log", "readers", "0") is True
    assert "start" in str(r.xreadgroup("readers", "me", {"log": ">"}, count=1))
    assert r.xpending("log", "readers")["pending"] == 1
    assert r.xack("log", "readers", "1-1") == 1
    assert r.xinfo_stream("log")["length"] == 2


def geo(r):
    r.geoadd("towns", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"))
    for _ in range(3):
        assert 166 < r.geodist("towns", "Palermo", "Catania", unit="km") < 167
        assert round(r.geopos("towns", "Palermo")[0][0]) == 13
    near = r.geosearch("towns", longitude=15, latitude=37, radius=200, unit="km", sort="ASC")
    assert near == ["Catania", "Palermo"]


def bits(r):
    assert r.setbit("bits", 7, 1) == 0 and r.getbit("bits", 7) == 1
    assert r.bitcount("bits") == 1 and r.bitpos("bits", 1) == 7
    assert r.bitfield("field").set("u8", 0, 255).get("u4", 4).execute() == [0, 15]
    assert r.pfadd("visitors", "a", "b") == 1 and r.pfcount("visitors") == 2


def scripts(r):
    put = r.register_script("return redis.call('SET', KEYS[1], ARGV[1])")
    hidden = r.register_script("return redis.call('INCR', 'hidden')")
    r.script_flush()
    for n in range(1, 20):
        put(keys=["scripted"], args=[n])
        assert r.get("scripted") == str(n)
        assert hidden() == n and r.get("hidden") == str(n)
    library = "redis.register_function('twice', function(keys, args) return args[1] * 2 end)"
    r.function_load("#!lua name=lib\n" + library, replace=True)
    assert r.fcall("twice", 0, 21) == 42
    assert r.function_delete("lib")


def transactions(r):
    pipe = r.pipeline(transaction=True)
    assert pipe.set("t", 1).incr("t").get("t").execute() == [True, 2, "2"]
    attempts = []

    def increment_after_conflict(pipe):
        attempts.append(pipe.get("t"))
        if len(attempts) == 1:
            connect().set("t", 100)
        pipe.multi()
        pipe.incr("t")

    assert r.transaction(increment_after_conflict, "t") == [101] and attempts == ["2", "100"]
    with r.pipeline() as pipe:
        pipe.watch("t")
        connect().incr("t")
        pipe.multi()
        pipe.set("t", 0)
        try:
            pipe.execute()
        except redis.WatchError:
            pass
        else:
            raise AssertionError("not aborted")
    assert r.get("t") == "102"


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for n in range(200):
        pipe.set(f"many:{n}", n).get(f"many:{n}").incr(f"many:{n}")
    assert pipe.execute() == [x for n in range(200) for x in (True, str(n), n + 1)]
    for _ in range(3):
        for n in range(200):
            pipe.get(f"many:{n}")
        assert pipe.execute() == [str(n + 1) for n in range(200)]
    assert len(set(r.scan_iter("many:*", count=50))) == 200
    assert r.dbsize() >= 200 and "many:0" in r.keys("many:*")


def subscriptions(r):
    with r.pubsub() as subscriber:
        subscriber.subscribe("news")
        subscriber.psubscribe("w*")
        subscriber.ssubscribe("shard")
        messages = {"news": "one", "weather": "two", "shard": "three"}
        kinds = {next_message(subscriber)["type"] for _ in range(3)}
        assert kinds == {"subscribe", "psubscribe", "ssubscribe"}, kinds
        for channel, text in messages.items():
            send = r.spublish if channel == "shard" else r.publish
            assert send(channel, text) == 1
            message = next_message(subscriber)
            assert (message["channel"], message["data"]) == (channel, text), message
        subscriber.ping()
        subscriber.unsubscribe()
        subscriber.punsubscribe()
    while r.pubsub_channels():
        time.sleep(0.003)


def next_message(subscriber):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        message = subscriber.get_message(timeout=1) or subscriber.get_sharded_message(timeout=0)
        if message and message["type"] != "pong":
            return message
    raise AssertionError("no message")


def blocking(r):
    found = []
    waiting = threading.Thread(target=lambda: found.append(connect().blpop(["jobs:a", "jobs:b"])))
    waiting.start()
    while r.info("clients")["blocked_clients"] != 1:
        time.sleep(0.003)
    r.rpush("jobs:b", "work")
    waiting.join(LIMIT)
    assert [list(pair) for pair in found] == [["jobs:b", "work"]], found
    assert r.brpop("jobs:a", timeout=0.01) is None


def sessions(r):
    other = connect(db=5, client_name="worker")
    other.set("only", "here")
    assert other.get("only") == "here" and r.get("only") is None
    assert other.client_getname() == "worker" and r.client_getname() is None
    assert isinstance(r.client_id(), int)
    assert r.ping() and r.echo("hello") == "hello" and r.time()[0] > 0
    assert r.info()["redis_version"] and r.info("larder")["larder_coherent"] == 1
    assert r.config_get("maxmemory") == {"maxmemory": "0"}
    assert r.command_count() > 200
    r.reset()
    assert r.get("name") == "Bobby"


async def concurrent_commands():
    r = redis.asyncio.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True)
    await r.set("counter", 0)
    await asyncio.gather(*(r.incr("counter") for _ in range(100)))
    assert await r.get("counter") == "100"
    assert await asyncio.gather(*(r.get("counter") for _ in range(100))) == ["100"] * 100
    await r.aclose()


WORK = [
    strings, hashes, lists, sets, sorted_sets, streams, geo, bits, scripts, transactions,
    pipelines, subscriptions, blocking, sessions,
]

client = connect()
for work in WORK:
    work(client)
asyncio.run(concurrent_commands())
print(f"redis-py {redis.__version__} over RESP{PROTOCOL}: all done")
