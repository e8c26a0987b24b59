// Exercises node-redis against the server at PORT: node node_redis.js PORT PROTOCOL

const assert = require("node:assert/strict");
const { createClient, defineScript, WatchError } = require("redis");
const { version } = require("redis/package.json");

const [port, RESP] = process.argv.slice(2).map(Number);

const connect = (more = {}) => {
  const client = createClient({ socket: { port }, RESP, ...more });
  client.on("error", (error) => {
    throw error;
  });
  return client.connect();
};

const pause = () => new Promise((resolve) => setTimeout(resolve, 2));

const plain = (value) => JSON.parse(JSON.stringify(value));

async function strings(r) {
  assert.equal(await r.set("name", "Ann"), "OK");
  for (let n = 0; n < 3; n++) {
    assert.equal(await r.get("name"), "Ann");
    assert.deepEqual(await r.mGet(["name", "missing"]), ["Ann", null]);
  }
  assert.equal(await r.set("name", "x", { condition: "NX" }), null);
  assert.equal(await r.append("name", "ie"), 5);
  assert.equal(await r.incrBy("n", 42), 42);
  assert.equal(Number(await r.incrByFloat("n", 0.5)), 42.5);
  assert.equal(await r.expire("n", 1000), 1);
  assert.ok((await r.ttl("n")) > 0);
  assert.equal(await r.exists(["name", "missing"]), 1);
  assert.equal(await r.del(["n", "missing"]), 1);
  await assert.rejects(r.lPush("name", "v"), /WRONGTYPE/);
}

async function hashes(r) {
  assert.equal(await r.hSet("user", { name: "Ann", age: "41" }), 2);
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(plain(await r.hGetAll("user")), { name: "Ann", age: "41" });
    assert.equal(await r.hGet("user", "age"), "41");
    assert.deepEqual(await r.hmGet("user", ["name", "missing"]), ["Ann", null]);
  }
  assert.equal(await r.hIncrBy("user", "age", 1), 42);
  assert.equal(await r.hDel("user", "age"), 1);
  assert.equal(await r.hLen("user"), 1);
}

async function lists(r) {
  assert.equal(await r.rPush("list", ["a", "b", "c"]), 3);
  for (let n = 0; n < 3; n++) assert.deepEqual(await r.lRange("list", 0, -1), ["a", "b", "c"]);
  assert.equal(await r.lPop("list"), "a");
  assert.equal(await r.lMove("list", "other", "LEFT", "RIGHT"), "b");
  assert.deepEqual(await r.lRange("list", 0, -1), ["c"]);
}

async function sets(r) {
  assert.equal(await r.sAdd("set", ["a", "b", "c"]), 3);
  await r.sAdd("set2", "b");
  for (let n = 0; n < 3; n++) {
    assert.deepEqual([...(await r.sMembers("set"))].sort(), ["a", "b", "c"]);
    assert.equal(Number(await r.sIsMember("set", "a")), 1);
  }
  assert.deepEqual([...(await r.sInter(["set", "set2"]))], ["b"]);
}

async function sortedSets(r) {
  const members = [
    { score: 1.5, value: "ann" },
    { score: 2.5, value: "bob" },
  ];
  assert.equal(await r.zAdd("board", members), 2);
  for (let n = 0; n < 3; n++) {
    const board = plain(await r.zRangeWithScores("board", 0, -1));
    assert.deepEqual(board.map(({ value, score }) => [value, score]), [["ann", 1.5], ["bob", 2.5]]);
    assert.equal(await r.zScore("board", "bob"), 2.5);
    assert.equal(await r.zRank("board", "bob"), 1);
  }
  assert.equal(await r.zIncrBy("board", 10, "ann"), 11.5);
  assert.deepEqual(await r.zRange("board", 0, -1), ["bob", "ann"]);
}

async function streams(r) {
  assert.equal(await r.xAdd("log", "1-1", { event: "start" }), "1-1");
  assert.equal(plain(await r.xRange("log", "-", "+"))[0].message.event, "start");
  await r.xGroupCreate("log", "readers", "0");
  const read = await r.xReadGroup("readers", "me", { key: "log", id: ">" }, { COUNT: 1 });
  assert.match(JSON.stringify(read), /start/);
  assert.equal(await r.xAck("log", "readers", "1-1"), 1);
}

async function geoAndBits(r) {
  await r.geoAdd("towns", { longitude: 13.361389, latitude: 38.115556, member: "Palermo" });
  const [place] = await r.geoPos("towns", "Palermo");
  assert.equal(Math.round(Number(place.longitude)), 13);
  const from = { longitude: 15, latitude: 37 };
  assert.deepEqual(await r.geoSearch("towns", from, { radius: 200, unit: "km" }), ["Palermo"]);
  await r.setBit("bits", 7, 1);
  assert.equal(await r.getBit("bits", 7), 1);
  assert.equal(await r.bitCount("bits"), 1);
  await r.pfAdd("visitors", ["a", "b"]);
  assert.equal(await r.pfCount("visitors"), 2);
}

async function scripts() {
  const twice = defineScript({
    SCRIPT: "redis.call('SET', KEYS[1], ARGV[1] * 2) return redis.call('GET', KEYS[1])",
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key, number) {
      parser.pushKey(key);
      parser.push(number.toString());
    },
    transformReply: (reply) => reply,
  });
  const r = await connect({ scripts: { twice } });
  await r.scriptFlush();
  for (let n = 1; n < 20; n++) {
    assert.equal(await r.twice("scripted", n), `${2 * n}`);
    assert.equal(await r.get("scripted"), `${2 * n}`);
  }
  const put = "function(keys, args) return redis.call('SET', keys[1], args[1]) end";
  const library = `#!lua name=lib\nredis.register_function('put', ${put})`;
  await r.functionLoad(library, { REPLACE: true });
  for (let n = 1; n < 20; n++) {
    assert.equal(await r.fCall("put", { keys: ["called"], arguments: [`${n}`] }), "OK");
    assert.equal(await r.get("called"), `${n}`);
  }
  await r.close();
}

async function transactions(r) {
  assert.deepEqual(await r.multi().set("t", 1).incr("t").get("t").exec(), ["OK", 2, "2"]);
  const other = await connect();
  await r.watch("t");
  await other.incr("t");
  await assert.rejects(r.multi().set("t", 0).exec(), WatchError);
  assert.equal(await r.get("t"), "3");
  await other.close();
}

async function pipelines(r) {
  const numbers = [...Array(200).keys()];
  const found = await Promise.all(
    numbers.map(async (n) => {
      const [, got, next] = await Promise.all([
        r.set(`many:${n}`, n),
        r.get(`many:${n}`),
        r.incr(`many:${n}`),
      ]);
      return [got, next];
    }),
  );
  assert.deepEqual(found, numbers.map((n) => [`${n}`, n + 1]));
  for (let round = 0; round < 3; round++) {
    const read = await Promise.all(numbers.map((n) => r.get(`many:${n}`)));
    assert.deepEqual(read, numbers.map((n) => `${n + 1}`));
  }
  const names = new Set();
  for await (const page of r.scanIterator({ MATCH: "many:*", COUNT: 50 })) {
    page.forEach((name) => names.add(name));
  }
  assert.equal(names.size, 200);
}

async function subscriptions(r) {
  const subscriber = await connect();
  const next = {};
  const message = (channel) => new Promise((resolve) => (next[channel] = resolve));
  const listener = (text, channel) => next[channel](text);
  await subscriber.subscribe("news", listener);
  await subscriber.pSubscribe("w*", listener);
  await subscriber.sSubscribe("shard", listener);
  for (const channel of ["news", "weather", "shard"]) {
    const send = channel === "shard" ? "sPublish" : "publish";
    const received = message(channel);
    assert.equal(await r[send](channel, `on ${channel}`), 1);
    assert.equal(await received, `on ${channel}`);
  }
  assert.match(await subscriber.ping(), /pong/i);
  await subscriber.unsubscribe();
  await subscriber.pUnsubscribe();
  await subscriber.sUnsubscribe();
  assert.equal(String(await subscriber.get("name")), "Annie");
  await subscriber.close();
}

async function blocking(r) {
  const waiting = await connect();
  const popped = waiting.blPop(["jobs:a", "jobs:b"], 0);
  while (!/blocked_clients:1/.test(await r.info("clients"))) await pause();
  await r.rPush("jobs:b", "work");
  assert.deepEqual(plain(await popped), { key: "jobs:b", element: "work" });
  assert.equal(await waiting.brPop("jobs:a", 0.01), null);
  await waiting.close();
}

async function sessions(r) {
  const other = await connect({ database: 5, name: "worker" });
  await other.set("only", "here");
  assert.equal(await other.get("only"), "here");
  assert.equal(await r.get("only"), null);
  assert.equal(await other.clientGetName(), "worker");
  await other.close();
  assert.equal(await r.ping(), "PONG");
  assert.deepEqual(plain(await r.configGet("maxmemory")), { maxmemory: "0" });
}

// Its client-side cache, which Redis invalidates, requires RESP3.
async function clientSideCaching(r) {
  if (RESP !== 3) return;
  const cached = await connect({ clientSideCache: { ttl: 0, maxEntries: 100 } });
  for (let n = 0; n < 20; n++) {
    await r.set("cached", n);
    while ((await cached.get("cached")) !== `${n}`) await pause();
  }
  await cached.close();
}

const work = [
  strings, hashes, lists, sets, sortedSets, streams, geoAndBits, scripts, transactions,
  pipelines, subscriptions, blocking, sessions, clientSideCaching,
];

(async () => {
  const client = await connect();
  for (const part of work) await part(client);
  await client.close();
  console.log(`node-redis ${version} over RESP${RESP}: all done`);
})();
