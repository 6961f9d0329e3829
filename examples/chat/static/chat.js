"use strict";
// The page to talk. What people wrote goes in through textContent only: it is shown, never run.

const { room, name: me, limit } = document.body.dataset;
const $ = (id) => document.getElementById(id);
const ANSWER = 5000; // ms to wait for an acknowledgement before asking again
const SETTLE = 4000; // ms after a reconnect in which the others may be on their way back too
const RUN = 5 * 60 * 1000; // ms between messages that still stand under one name

// The connection. Socket.IO comes back by itself; then the page joins again and catches up.

const socket = io({ reconnectionDelay: 500, reconnectionDelayMax: 3000 });
let joined = false;

socket.on("connect", join);
socket.on("connect_error", () => banner("No connection. Reconnecting…"));
socket.on("disconnect", (reason) => {
  joined = settled = false;
  counted = 0;
  clearTimeout(settling);
  banner("Connection lost. Reconnecting…");
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 500);
});
addEventListener("pagehide", () => socket.disconnect()); // tell, rather than let the server find out
addEventListener("pageshow", (event) => { if (event.persisted) socket.connect(); });

function join() {
  const after = lastWithoutGap();
  socket.timeout(ANSWER).emit("join", room, after, (lost, answer) => {
    if (lost) return socket.connected && join();
    if (answer.error) return turnedAway(answer.error);
    joined = true;
    banner("");
    complain("");
    catchUp(answer.messages, after);
    $("scroll").ariaLive = "polite"; // only now: nobody wants the whole history read out
    if (!settled) settling = setTimeout(settle, SETTLE);
    deliver();
  });
}

function turnedAway(why) {
  socket.disconnect();
  const link = make("a", "alert-link", "Choose a name");
  link.href = "/?room=" + encodeURIComponent(room);
  banner(why + " ");
  $("banner").append(link);
}

function banner(text) {
  $("banner").textContent = text;
}

// The messages. In a room the ids run 1, 2, 3, …, so the page knows when one is missing.

const rows = new Map(); // id → row
let oldest = 0;
let newest = 0;

socket.on("said", (message) => {
  const follow = atEnd() || message.name === me;
  insert(message);
  $("empty").hidden = true;
  if (follow) toEnd();
  else $("newest").hidden = false;
  if (document.hidden) document.title = "● " + document.title.replace("● ", "");
});

addEventListener("visibilitychange", () => { document.title = document.title.replace("● ", ""); });

function insert(message) {
  if (rows.has(message.id)) return;
  const row = messageRow(message);
  let next = message.id + 1;
  while (next <= newest && !rows.has(next)) next++;
  $("messages").insertBefore(row, rows.get(next) ?? null);
  rows.set(message.id, row);
  oldest = Math.min(oldest || message.id, message.id);
  newest = Math.max(newest, message.id);
  group(row);
  group(neighbour(row, "nextElementSibling"));
  if (message.name === me) delivered(message.key);
}

function lastWithoutGap() {
  let id = oldest;
  while (rows.has(id + 1)) id++;
  return id;
}

function catchUp(messages, after) {
  const follow = atEnd();
  if (messages[0]?.id > after + 1) forgetBefore(messages[0].id);
  messages.forEach(insert);
  $("older").hidden = oldest <= 1;
  $("empty").hidden = rows.size > 0;
  if (follow) toEnd();
}

function forgetBefore(id) { // more was missed than one answer holds; the rest is there on demand
  for (const [old, row] of rows) {
    if (old < id && rows.delete(old)) row.remove();
  }
  oldest = id;
}

$("older").addEventListener("click", () => {
  socket.timeout(ANSWER).emit("older", oldest, (lost, answer) => {
    if (lost || answer.error) return complain(answer?.error ?? "No answer. Please try again.");
    const fromEnd = $("scroll").scrollHeight - $("scroll").scrollTop;
    answer.messages.forEach(insert);
    $("older").hidden = oldest <= 1;
    $("scroll").scrollTop = $("scroll").scrollHeight - fromEnd;
  });
});

// One row, and how it stands beside its neighbours.

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function messageRow({ id, name, text, sent }) {
  const when = new Date(sent);
  const time = make("time", "time", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  const row = textRow(name, text, time);
  Object.assign(row.dataset, { id, name, sent, date: when.toDateString() });
  return row;
}

function textRow(name, text, time) {
  const row = make("li", name === me ? "message mine" : "message");
  const words = make("div", "words", text);
  words.dir = "auto";
  const bubble = make("div", "bubble");
  bubble.append(make("bdi", "author", name), words, time);
  row.append(avatar(name), bubble);
  return row;
}

function avatar(name) {
  const letters = name.split(/[\s_-]+/).filter(Boolean).map((word) => [...word][0]);
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 8, 7);
  const circle = make("span", `avatar hue-${hue}`, letters.slice(0, 2).join("").toUpperCase());
  circle.ariaHidden = "true";
  return circle;
}

function neighbour(row, step) {
  do row = row[step]; while (row && !row.dataset.id);
  return row;
}

function group(row) { // the date stands over the first message of a day, the name over that of a run
  if (!row) return;
  const before = neighbour(row, "previousElementSibling");
  const sameDay = before?.dataset.date === row.dataset.date;
  const sameRun = sameDay && before === row.previousElementSibling &&
    before.dataset.name === row.dataset.name && row.dataset.sent - before.dataset.sent < RUN;
  row.classList.toggle("run", sameRun);
  if (sameDay) delete row.dataset.day;
  else row.dataset.day = new Date(+row.dataset.sent).toLocaleDateString([], { dateStyle: "full" });
}

// Where the reader looks: at the end, unless they scrolled up.

function atEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $("scroll");
  return scrollHeight - scrollTop - clientHeight < 80;
}

function toEnd() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
  $("newest").hidden = true;
}

$("scroll").addEventListener("scroll", () => { if (atEnd()) $("newest").hidden = true; });
$("newest").addEventListener("click", () => { toEnd(); $("text").focus(); });

// Writing. A message leaves the box when it is on its way, and comes back to it if it is refused.

const outbox = []; // sent and not yet acknowledged, in order
let busy = false;

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  const excess = [...text].length - limit;
  $("text").focus();
  if (!text) return;
  if (excess > 0) return complain(`This message is too long by ${excess} characters. It was not sent.`);
  if (!joined) return complain("Not connected. Your message stays here until the connection is back.");
  write("");
  send(text);
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

$("text").addEventListener("input", () => write($("text").value));

function write(text) {
  const box = $("text");
  if (box.value !== text) box.value = text;
  box.style.height = "auto";
  box.style.height = box.scrollHeight + 2 + "px";
  const left = limit - [...text.trim()].length;
  $("count").textContent = left > 100 ? "" : left < 0 ? `${-left} too many` : `${left} left`;
  complain("");
}

function complain(text) {
  $("problem").textContent = text;
  $("text").ariaInvalid = String(Boolean(text));
}

function send(text) {
  const row = textRow(me, text, make("span", "time", "Sending…"));
  row.classList.add("pending");
  $("outbox").append(row);
  $("empty").hidden = true;
  toEnd();
  outbox.push({ text, row, key: newKey() });
  deliver();
}

function newKey() { // crypto.randomUUID is missing where the page comes over plain http
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function deliver() { // one at a time keeps the order; the key lets the server know a second try
  if (!outbox.length || busy || !joined) return;
  busy = true;
  const { text, key } = outbox[0];
  socket.timeout(ANSWER).emit("say", text, key, (lost, answer) => {
    busy = false;
    if (answer?.message) insert(answer.message);
    if (answer?.error) giveBack(key, answer.error);
    deliver();
  });
}

function delivered(key) {
  const index = outbox.findIndex((letter) => letter.key === key);
  if (index >= 0) return outbox.splice(index, 1)[0].row.remove();
}

function giveBack(key, why) {
  const letter = outbox.find((other) => other.key === key);
  if (!letter) return;
  delivered(key);
  write([letter.text, $("text").value].filter(Boolean).join("\n"));
  complain(why);
}

// Who is here. The server sends the whole list; what changed since the last one becomes a notice.

let people = [];
let counted = 0;
let told = null;
let settled = true;
let settling = 0;

socket.on("people", (names, number) => {
  if (number < counted) return; // an older list, from another worker
  counted = number;
  people = names;
  $("people-count").textContent = people.length;
  $("people-list").replaceChildren(...people.map(personRow));
  if (settled) tell();
});

function personRow(name) {
  const row = make("li", "person");
  row.append(avatar(name), make("bdi", "text-truncate", name));
  if (name === me) row.append(make("span", "text-body-secondary small", "you"));
  return row;
}

function settle() {
  settled = true;
  tell();
}

function tell() {
  const before = told ?? people;
  people.filter((name) => !before.includes(name)).forEach((name) => notice(name, " joined"));
  before.filter((name) => !people.includes(name)).forEach((name) => notice(name, " left"));
  told = people;
}

function notice(name, what) {
  const follow = atEnd();
  const row = make("li", "notice");
  row.append(make("bdi", "", name), what);
  $("messages").append(row);
  if (follow) toEnd();
}

$("people-button").addEventListener("click", () => openPeople(!$("people").classList.contains("open")));
addEventListener("keydown", (event) => { if (event.key === "Escape") openPeople(false); });

function openPeople(open) {
  $("people").classList.toggle("open", open);
  $("people-button").ariaExpanded = String(open);
}
