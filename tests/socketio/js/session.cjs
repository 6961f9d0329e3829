// Everything that clients do, spread over workers and machines:
// node session.cjs FOLDER_WITH_NODE_MODULES TRANSPORT[,TRANSPORT] URL...
const assert = require("node:assert/strict");
const { rest, open, until, heard, ask, fail } = require("./client.cjs");
const [transports, ...urls] = rest;
const options = { transports: transports.split(",") };
const settled = (client) => client.io.engine?.transport.name === options.transports.at(-1);

async function main() {
  const clients = Array.from({ length: 8 }, (_, i) =>
    open(urls[i % urls.length], { ...options, query: { name: `n${i}` } }));
  await until("all are connected", () => clients.every((client) => client.connected && settled(client)));
  const workers = new Set((await Promise.all(clients.map((c) => ask(c, "whoami")))).map((a) => a.worker));

  await acknowledgements(clients);
  await broadcasts(clients);
  await binary(clients);
  await rooms(clients);
  await namespaces(clients);
  await others(clients);
  await reconnection(clients);

  assert(clients.every((client) => !client.connected || settled(client)));
  clients.forEach((client) => client.disconnect());
  console.log(JSON.stringify({ workers: workers.size }));
}

async function acknowledgements(clients) {
  const names = await Promise.all(clients.map((client) => ask(client, "whoami")));
  assert.deepEqual(names.map((answer) => answer.name), clients.map((_, i) => `n${i}`));
  assert.deepEqual(await Promise.all(clients.map((client, i) => ask(client, "add", i, 1))), [1, 2, 3, 4, 5, 6, 7, 8]);
}

async function broadcasts(clients) {
  for (let n = 0; n < 10; n++) clients.forEach((client, i) => client.send(`${i}:${n} ☃`));
  await until("all heard all", () => clients.every((client) => client.heard.length >= 80));
  for (const client of clients) {
    const texts = client.heard.map(([event, text]) => (assert.equal(event, "message"), text));
    for (let i = 0; i < 8; i++) { // once, and in the order in which each was sent
      const own = texts.filter((text) => text.startsWith(`${i}:`));
      assert.deepEqual(own, Array.from({ length: 10 }, (_, n) => `${i}:${n} ☃`));
    }
    client.heard.length = 0;
  }
}

async function binary(clients) {
  const bytes = Buffer.from([0, 255, 10, 13]);
  const data = { parts: [bytes, { deep: Buffer.alloc(70000, 7) }], text: "ü" };
  const [first, second] = await ask(clients[1], "mirror", data, "more");
  assert(bytes.equals(first.parts[0]) && second === "more");
  await until("all have the bytes", () => clients.every((client) => client.heard.length));
  for (const client of clients) {
    const [[event, got, more]] = client.heard.splice(0);
    assert.deepEqual([event, got.text, more], ["mirror", "ü", "more"]);
    assert(bytes.equals(got.parts[0]) && data.parts[1].deep.equals(got.parts[1].deep));
  }
}

async function rooms(clients) {
  const [tea, coffee] = [clients.slice(0, 5), clients.slice(3)]; // two are in both
  await Promise.all([...tea.map((c) => ask(c, "join", "tea")), ...coffee.map((c) => ask(c, "join", "coffee"))]);
  clients[0].emit("to", "tea", "to tea", false);
  clients[0].emit("to", "coffee", "to coffee", true);
  clients[0].emit("to", ["tea", "coffee"], "to both", true);
  clients[0].send("fence");
  await until("the fence", () => clients.every((client) => heard(client, "fence")));
  const told = clients.map((client) => client.heard.splice(0).map(([, text]) => text));
  told.forEach((texts, i) => {
    const wanted = [...(i > 0 && i < 5 ? ["to tea"] : []), ...(i >= 3 ? ["to coffee"] : []), "to both", "fence"];
    assert.deepEqual(texts, wanted, `client ${i}`);
  });
  await ask(clients[1], "leave", "tea");
  await ask(clients[2], "close", "coffee"); // elsewhere it takes effect in its time
  await until("coffee is empty", () => {
    clients.forEach((client) => (client.heard.length = 0));
    return true;
  });
  clients[2].emit("to", ["tea", "coffee"], "again", true);
  clients[2].send("fence");
  await until("the fence", () => clients.every((client) => heard(client, "fence")));
  clients.forEach((client, i) => assert.equal(heard(client, "again"), i < 5 && i !== 1, `client ${i}`));
  clients.forEach((client) => (client.heard.length = 0));
}

async function namespaces(clients) {
  const refused = open(`${urls[0]}/staff`, options);
  const why = await new Promise((resolve) => refused.on("connect_error", resolve));
  assert.equal(why.message, "who are you?");
  refused.disconnect();
  const staff = [0, 1, 2].map((i) => open(`${urls[i % urls.length]}/staff`, { ...options, auth: { token: "secret" } }));
  await until("the staff is in", () => staff.every((client) => client.connected));
  staff[0].send("among us");
  await until("the staff hears", () => staff.every((client) => heard(client, "among us")));
  staff.forEach((client) => client.disconnect());
  assert(clients.every((client) => !heard(client, "among us")));
}

async function others(clients) { // a client is addressed wherever it is
  const [last, target] = [clients.at(-1), clients.at(-2)];
  for (const client of clients) {
    assert.deepEqual(await ask(client, "ask", last.id, 7), [7, last.id]);
    client.emit("to", target.id, `psst ${client.id}`, true);
  }
  await until("one heard all", () => clients.every((client) => heard(target, `psst ${client.id}`)));
  assert(clients.every((client) => client === target || !heard(client, "psst")));
  const gone = new Promise((resolve) => last.on("disconnect", resolve));
  await ask(clients[0], "dismiss", last.id);
  assert.equal(await gone, "io server disconnect");
  last.connect();
  await until("it is back", () => last.connected);
}

async function reconnection(clients) {
  const before = clients.map((client) => client.id);
  clients.forEach((client) => client.io.engine.close());
  await until("all are back", () =>
    clients.every((client, i) => client.connected && client.id !== before[i] && settled(client)));
  clients.forEach((client) => (client.heard.length = 0));
  clients[0].send("we are back");
  await until("all hear again", () => clients.every((client) => heard(client, "we are back")));
}

main().catch(fail);
