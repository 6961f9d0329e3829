// One worker is killed while messages go to everyone:
// node killed.cjs FOLDER_WITH_NODE_MODULES URL
const assert = require("node:assert/strict");
const { rest, open, until, ask, fail } = require("./client.cjs");
const [url] = rest;
const MESSAGES = 400;

async function main() {
  const clients = Array.from({ length: 16 }, () => open(url, { transports: ["websocket"] }));
  await until("all are connected", () => clients.every((client) => client.connected));
  const workers = await Promise.all(clients.map(async (client) => (await ask(client, "whoami")).worker));
  const victim = workers[0];
  const others = clients.filter((_, i) => workers[i] !== victim);
  const lost = clients.filter((_, i) => workers[i] === victim);
  if (!others.length) throw new Error("all clients are at one worker");

  for (let n = 0; n < MESSAGES; n++) {
    others[n % others.length].send(n);
    if (n === MESSAGES / 4) process.kill(victim, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await until("the others heard all", () => others.every((client) => client.heard.length >= MESSAGES));
  for (const client of others) {
    const numbers = client.heard.map(([, n]) => n).sort((a, b) => a - b);
    assert.deepEqual(numbers, Array.from({ length: MESSAGES }, (_, n) => n));
  }
  await until("the lost are back", () => lost.every((client) => client.connected));
  const now = await Promise.all(lost.map(async (client) => (await ask(client, "whoami")).worker));
  assert(now.every((worker) => worker !== victim));
  others[0].send("all here");
  await until("they hear", () => clients.every((client) => client.heard.some(([, text]) => text === "all here")));
  clients.forEach((client) => client.disconnect());
  console.log(JSON.stringify({ lost: lost.length, others: others.length }));
}

main().catch(fail);
