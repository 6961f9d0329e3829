// What the sessions share: clients of the official library that note what they hear.
const [folder, ...rest] = process.argv.slice(2);
const { io } = require(require.resolve("socket.io-client", { paths: [folder] }));
const SOON = 10000; // ms that anything may take on a busy machine

setTimeout(() => fail("the session did not come to its end"), 50000).unref();

function fail(error) {
  console.error(error);
  process.exit(1);
}

function open(url, options) {
  const client = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 300, ...options });
  client.heard = [];
  client.onAny((...event) => client.heard.push(event));
  client.on("question", (question, answer) => answer([question, client.id]));
  return client;
}

async function until(what, condition) {
  const end = Date.now() + SOON;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${SOON} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const heard = (client, text) => client.heard.some((event) => JSON.stringify(event).includes(text));
const ask = (client, ...event) => client.timeout(SOON).emitWithAck(...event);

module.exports = { rest, open, until, heard, ask, fail };
