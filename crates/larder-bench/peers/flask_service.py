"""A typical service in Flask: a TTL cache in the process, filled from Redis on a miss."""

import os
import threading

import redis
from cachetools import TTLCache, cached
from flask import Flask, abort, jsonify

app = Flask(__name__)
store = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


@cached(TTLCache(maxsize=1_000_000, ttl=3600), lock=threading.Lock())
def look_up(key):
    return store.get(key)


@app.get("/get/<key>")
def get(key):
    value = look_up(key)
    if value is None:
        abort(404)
    return jsonify(key=key, value=value)
