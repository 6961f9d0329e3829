// The chat of chat_peers.py for Node's socket.io: node chat.js PORT
const { Server } = require("socket.io");
const io = new Server(+process.argv[2], { serveClient: false });
io.on("connection", (socket) => {
  socket.on("say", (data) => io.emit("chat", data));
  socket.on("join", (table) => socket.join(table));
  socket.on("tell", (table, data) => io.to(table).emit("chat", data));
});
