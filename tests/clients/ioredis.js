// Exercises ioredis against the server at PORT: node ioredis.js PORT

const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { version } = require("ioredis/package.json");

const port = Number(process.argv[2]);

const connect = (more = {}) => {
  const client = new Redis({ port, maxRetriesPerRequest: 0, retryStrategy: null, ...more });
  client.on("error", (error) => {
    throw error;
  });
  return client;
};

async function values(r) {
  assert.equal(await r.set("name", "Ann", "EX", 1000), "OK");
  await r.hset("user", { name: "Ann", age: 41 });
  await r.zadd("board", 1.5, "ann", 2.5, "bob");
  for (let n = 0; n < 3; n++) {
    assert.equal(await r.get("name"), "Ann");
    assert.deepEqual(await r.getBuffer("name"), Buffer.from("Ann"));
    assert.deepEqual(await r.mget("name", "missing"), ["Ann", null]);
    assert.deepEqual(await r.hgetall("user"), { name: "Ann", age: "41" });
    assert.deepEqual(await r.zrange("board", 0, -1, "WITHSCORES"), ["ann", "1.5", "bob", "2.5"]);
  }
  await assert.rejects(r.lpush("name", "v"), /WRONGTYPE/);
}

async function pipelines(r) {
  const pipeline = r.pipeline();
  for (let n = 0; n < 200; n++) pipeline.set(`many:${n}`, n).get(`many:${n}`);
  const replies = await pipeline.exec();
  assert.deepEqual(replies.map(([error]) => error), Array(400).fill(null));
  assert.equal(replies[399][1], "199");
  const names = new Set();
  for await (const page of r.scanStream({ match: "many:*", count: 50 })) {
    page.forEach((name) => names.add(name));
  }
  assert.equal(names.size, 200);
}

async function transactions(r) {
  const replies = await r.multi().set("t", 1).incr("t").get("t").exec();
  assert.deepEqual(replies, [[null, "OK"], [null, 2], [null, "2"]]);
  const other = connect();
  await r.watch("t");
  await other.incr("t");
  assert.equal(await r.multi().set("t", 0).exec(), null);
  assert.equal(await r.get("t"), "3");
  other.disconnect();
}

async function scripts(r) {
  r.defineCommand("put", { numberOfKeys: 1, lua: "return redis.call('SET', KEYS[1], ARGV[1])" });
  for (let n = 0; n < 20; n++) {
    assert.equal(await r.put("scripted", n), "OK");
    assert.equal(await r.get("scripted"), `${n}`);
  }
}

async function subscriptions(r) {
  const subscriber = connect();
  await subscriber.subscribe("news", "sport");
  const message = new Promise((resolve) => subscriber.on("message", (...parts) => resolve(parts)));
  assert.equal(await r.publish("sport", "text"), 1);
  assert.deepEqual(await message, ["sport", "text"]);
  assert.equal(await subscriber.unsubscribe(), 0);
  assert.equal(await subscriber.get("name"), "Ann");
  subscriber.disconnect();
}

async function blocking(r) {
  const waiting = connect({ db: 5 });
  const popped = waiting.blpop("jobs", 0);
  while (!/blocked_clients:1/.test(await r.info("clients"))) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await r.multi().select(5).rpush("jobs", "work").select(0).exec();
  assert.deepEqual(await popped, ["jobs", "work"]);
  assert.equal(await waiting.quit(), "OK");
}

(async () => {
  const client = connect();
  const work = [values, pipelines, transactions, scripts, subscriptions, blocking];
  for (const part of work) await part(client);
  await client.quit();
  console.log(`ioredis ${version}: all done`);
})();
