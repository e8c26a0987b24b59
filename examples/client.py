"""Reads through Larder with redis-py. A client of Redis changes its port, and nothing else.

    python3 client.py [URL of Larder] [URL of Redis]
"""

import sys
import time

import redis

DEFAULTS = ["redis://127.0.0.1:6380", "redis://127.0.0.1:6379"]
URLS = sys.argv[1:] or DEFAULTS
larder, direct = (redis.Redis.from_url(url, decode_responses=True) for url in URLS)

KEY = "example:python"


def hits():
    """How many reads Larder has answered from memory."""
    return larder.info("larder")["larder_hits"]


# Another program writes a value, directly to Redis.
direct.set(KEY, "one", ex=60)

before = hits()
print("first read: ", larder.get(KEY))
print("second read:", larder.get(KEY))
print("answered from memory:", hits() - before)
assert hits() > before, "the second read was not a hit"

# The value changes in Redis. Redis tells Larder, which forgets its copy.
direct.set(KEY, "two", ex=60)
changed = time.monotonic()
while (value := larder.get(KEY)) != "two":
    assert time.monotonic() - changed < 1, f"still {value} after a second"
elapsed = 1000 * (time.monotonic() - changed)
print(f"changed in Redis, read through Larder {elapsed:.1f} ms later:", value)

direct.delete(KEY)
