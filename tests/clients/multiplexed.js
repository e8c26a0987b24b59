// 64 callers share one connection of ioredis or node-redis and send COMMANDS each, of which one in ten
// is a write:
// node multiplexed.js PORT ioredis|node-redis COMMANDS

const assert = require("node:assert/strict");

const [port, library] = [Number(process.argv[2]), process.argv[3]];
const CALLERS = 64;
const COMMANDS = Number(process.argv[4]);
const OWN_KEYS = 8;
const SHARED_KEYS = 200;

async function connect() {
  if (library === "ioredis") {
    const Redis = require("ioredis");
    const client = new Redis({
      port,
      enableAutoPipelining: true,
      maxRetriesPerRequest: 0,
      retryStrategy: null,
    });
    return { client, close: () => client.disconnect() };
  }
  const client = require("redis").createClient({ socket: { port, reconnectStrategy: false } });
  client.on("error", (error) => {
    throw error;
  });
  await client.connect();
  return { client, close: () => client.destroy() };
}

const below = (bound) => Math.floor(Math.random() * bound);

// Reads and writes in turn. Returns the number of reads.
async function call(client, caller) {
  const written = Array(OWN_KEYS).fill(null);
  let reads = 0;
  for (let n = 0; n < COMMANDS; n++) {
    const own = below(OWN_KEYS);
    const key = `own:${caller}:${own}`;
    if (below(10) === 0) {
      written[own] = `${key}=${n}`;
      assert.equal(await client.set(key, written[own]), "OK");
      continue;
    }
    reads++;
    if (below(2) === 0) {
      assert.equal(await client.get(key), written[own]);
    } else {
      const shared = below(SHARED_KEYS);
      assert.equal(await client.get(`shared:${shared}`), `value of ${shared}`);
    }
  }
  return reads;
}

async function main() {
  const { client, close } = await connect();
  for (let n = 0; n < SHARED_KEYS; n++) await client.set(`shared:${n}`, `value of ${n}`);
  for (let n = 0; n < CALLERS * OWN_KEYS; n++) {
    await client.del(`own:${Math.floor(n / OWN_KEYS)}:${n % OWN_KEYS}`);
  }
  const callers = Array.from({ length: CALLERS }, (_, caller) => call(client, caller));
  const reads = (await Promise.all(callers)).reduce((sum, reads) => sum + reads, 0);
  close();
  console.log(`reads ${reads}`);
  console.log("all done");
}

main();
