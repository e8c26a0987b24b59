"""Exercises redis-py against a Larder with the embedded store: python redis_py_embedded.py PORT PROTOCOL"""

import asyncio
import sys
import time

import redis
import redis.asyncio

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
LIMIT = 20  # seconds to wait for a reply


def connect(**more):
    settings = dict(port=PORT, protocol=PROTOCOL, socket_timeout=LIMIT, decode_responses=True)
    return redis.Redis(**(settings | more))


def expect_error(work, text):
    try:
        work()
    except redis.ResponseError as error:
        assert text in str(error), error
    else:
        raise AssertionError("no error")


def strings(r):
    assert r.set("name", "Ann") is True and r.get("name") == "Ann"
    assert r.mget("name", "missing") == ["Ann", None]
    assert r.set("name", "Bob", get=True) == "Ann" and r.set("name", "x", nx=True) is None
    assert r.append("name", "by") == 5 and r.strlen("name") == 5
    assert r.getrange("name", 0, 2) == "Bob" and r.setrange("name", 0, "R") == 5
    assert r.incr("n") == 1 and r.incrby("n", 41) == 42 and r.incrbyfloat("n", 0.5) == 42.5
    expect_error(lambda: r.incr("name"), "not an integer")
    expect_error(lambda: r.lpush("list", 1), "LPUSH needs a Redis behind Larder")
    binary = connect(decode_responses=False)
    assert binary.set(b"\xff\x00", b"\r\n\x00\xfe") and binary.get(b"\xff\x00") == b"\r\n\x00\xfe"


def keys(r):
    assert r.set("timed", "v", ex=1000) is True and 0 < r.ttl("timed") <= 1000
    assert r.expiretime("timed") > time.time() and r.expire("timed", 10, nx=True) is False
    assert r.persist("timed") and r.ttl("timed") == -1 and r.ttl("missing") == -2
    assert r.rename("timed", "renamed") and r.exists("timed", "renamed") == 1
    assert r.type("renamed") == "string" and r.delete("renamed", "missing") == 1
    assert r.mset({f"many:{n}": n for n in range(200)})
    assert len(set(r.scan_iter("many:*", count=50))) == 200 == len(r.keys("many:*"))


def transactions(r):
    assert r.pipeline().set("t", 1).incr("t").get("t").execute() == [True, 2, "2"]
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
    assert r.get("t") == "3"


def sessions(r):
    other = connect(db=5, client_name="worker", health_check_interval=1)
    assert other.set("only", "here") and r.get("only") is None
    assert other.client_getname() == "worker" and r.client_getname() is None
    assert {"worker", ""} <= {client["name"] for client in r.client_list()}
    assert r.client_info()["lib-name"] == "redis-py"
    assert r.info()["role"] == "master" and r.info("larder")["larder_coherent"] == 1
    assert r.config_get("databases") == {"databases": "16"} and r.time()[0] > 0
    assert "get" in r.command() and r.command_count() == len(r.command())
    assert r.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"]
    r.reset()
    assert r.get("t") == "3"


async def concurrent_commands():
    r = redis.asyncio.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True)
    await asyncio.gather(*(r.incr("counter") for _ in range(100)))
    assert await r.get("counter") == "100"
    await r.aclose()


client = connect()
client.flushall()
for work in [strings, keys, transactions, sessions]:
    work(client)
asyncio.run(concurrent_commands())
print(f"redis-py {redis.__version__} over RESP{PROTOCOL}: all done")
