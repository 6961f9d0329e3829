// Two clients talk: node talk.cjs FOLDER_WITH_NODE_MODULES URL TRANSPORT[,TRANSPORT]
// Prints what each received and the transport each ended up with, as JSON.
const [folder, url, transports] = process.argv.slice(2);
const { io } = require(require.resolve("socket.io-client", { paths: [folder] }));

const options = { transports: transports.split(","), reconnection: false, forceNew: true };
const names = ["ada", "bob"];
const clients = names.map(() => io(url, options));
const received = clients.map(() => []);

function fail(error) {
  console.error(error);
  process.exit(1);
}

function connected(client) {
  return new Promise((resolve) => client.on("connect", resolve));
}

function settledOn(client) {
  const wanted = options.transports.at(-1);
  return new Promise((resolve) => {
    const check = () => (client.io.engine.transport.name === wanted ? resolve() : setTimeout(check, 5));
    check();
  });
}

async function main() {
  setTimeout(() => fail(`no end after ${JSON.stringify(received)}`), 20000).unref();
  clients.forEach((client, i) => {
    client.on("connect_error", fail);
    client.on("message", (text) => received[i].push(text));
  });
  await Promise.all(clients.map(connected));
  await Promise.all(clients.map(settledOn));
  for (let n = 0; n < 10; n++) {
    clients.forEach((client, i) => client.send(`${names[i]} ${n}`));
  }
  clients[0].send("náïve ☃ <b>");
  while (received.some((texts) => texts.length < 21)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const used = clients.map((client) => client.io.engine.transport.name);
  clients.forEach((client) => client.disconnect());
  console.log(JSON.stringify({ received, used }));
}

main().catch(fail);
