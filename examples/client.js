// Reads through Larder with node-redis. A client of Redis changes its port, and nothing else.
//
//   node client.js [URL of Larder] [URL of Redis]

const assert = require("node:assert");
const { createClient } = require("redis");

const DEFAULTS = ["redis://127.0.0.1:6380", "redis://127.0.0.1:6379"];
const KEY = "example:node";

async function main() {
  const urls = process.argv.length > 2 ? process.argv.slice(2) : DEFAULTS;
  const [larder, direct] = await Promise.all(urls.map(connect));

  // Another program writes a value, directly to Redis.
  await direct.set(KEY, "one", { expiration: { type: "EX", value: 60 } });

  const before = await hits(larder);
  console.log("first read: ", await larder.get(KEY));
  console.log("second read:", await larder.get(KEY));
  const after = await hits(larder);
  console.log("answered from memory:", after - before);
  assert(after > before, "the second read was not a hit");

  // The value changes in Redis. Redis tells Larder, which forgets its copy.
  await direct.set(KEY, "two", { expiration: { type: "EX", value: 60 } });
  const changed = performance.now();
  let value;
  while ((value = await larder.get(KEY)) !== "two") {
    assert(performance.now() - changed < 1000, `still ${value} after a second`);
  }
  const elapsed = (performance.now() - changed).toFixed(1);
  console.log(`changed in Redis, read through Larder ${elapsed} ms later:`, value);

  await direct.del(KEY);
  larder.destroy();
  direct.destroy();
}

function connect(url) {
  return createClient({ url }).on("error", console.error).connect();
}

// How many reads Larder has answered from memory.
async function hits(larder) {
  const info = await larder.info("larder");
  return Number(/^larder_hits:(\d+)/m.exec(info)[1]);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
