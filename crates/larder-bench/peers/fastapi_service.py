"""A typical key-value service in FastAPI: values from Redis, optionally cached in a dict."""

import os

from fastapi import FastAPI, HTTPException
from redis.asyncio import BlockingConnectionPool, Redis

app = FastAPI()
# Requests wait for a free connection. The default pool would raise an error instead.
pool = BlockingConnectionPool.from_url(
    os.environ["REDIS_URL"], max_connections=50, decode_responses=True
)
store = Redis.from_pool(pool)
caches = os.environ["CACHES"] == "1"
cache: dict[str, str] = {}


async def look_up(key: str) -> str | None:
    if (value := cache.get(key)) is not None:
        return value
    value = await store.get(key)
    if caches and value is not None:
        cache[key] = value
    return value


@app.get("/get/{key}")
async def get(key: str) -> dict[str, str]:
    value = await look_up(key)
    if value is None:
        raise HTTPException(status_code=404)
    return {"key": key, "value": value}
