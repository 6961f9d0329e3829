"use strict";
// The page to talk. What people wrote goes in through textContent only: it is shown, never run.

const $ = (id) => document.getElementById(id);
const { room, user: me, limit } = $("room").dataset;
const ANSWER = 5000; // ms to wait for an acknowledgement before asking again
const GAP = 1500; // ms in which what is missing may still be on its way
const RUN = 5 * 60 * 1000; // ms between messages that still stand under one name
const MOST_ROWS = 600; // rows that are kept while nobody scrolls; earlier ones are there on demand

// The connection. Socket.IO comes back by itself; then the page joins again and catches up.

const socket = io({ reconnectionDelay: 500, reconnectionDelayMax: 3000 });
let joined = false;
let refusals = 0;
banner(""); // there is JavaScript

socket.on("connect", () => { refusals = 0; join(); });
socket.on("disconnect", (reason) => {
  joined = false;
  $("room").dataset.connection = "lost";
  banner("Connection lost. Reconnecting…");
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 500);
});
socket.on("connect_error", (error) => {
  $("room").dataset.connection = "lost";
  if (socket.active) return banner("No connection. Reconnecting…");
  // Refused. Once may be while a new session is on its way to this browser.
  if (++refusals < 2) return setTimeout(() => socket.connect(), 1500);
  banner(error.message + " ", "Log in", "/login?next=" + encodeURIComponent(location.pathname));
});
socket.on("left", () => turnedAway(`You have left #${room}.`));
addEventListener("pagehide", () => socket.disconnect()); // tell, rather than let the server find out
addEventListener("pageshow", (event) => { if (event.persisted) socket.connect(); });

function join() {
  socket.timeout(ANSWER).emit("join", room, have, (lost, answer) => {
    if (lost) return socket.connected && join();
    if (answer.error) return turnedAway(answer.error);
    joined = true;
    $("room").dataset.connection = "joined";
    banner("");
    complain("");
    catchUp(answer);
    showPeople(answer.people, answer.count, answer.number);
    $("scroll").ariaLive = "polite"; // only now: nobody wants the whole history read out
    deliver();
  });
}

function turnedAway(why) {
  socket.disconnect();
  banner(why + " ", "Choose a room", "/rooms");
}

function banner(text, label, href) {
  $("banner").textContent = text;
  if (!label) return;
  const link = make("a", "alert-link", label);
  link.href = href;
  $("banner").append(link);
}

// The messages. The changes of a room run 1, 2, 3, …: saying and deleting are one each. `have` is
// up to where the page has all of them.

const rows = new Map(); // id → row
const ahead = new Set(); // changes after `have` that are here already
let have = 0;
let oldest = 0;
let newest = 0;
let asking = 0;

socket.on("said", (message) => {
  const follow = pinned || (message.author === me && !rows.has(message.id));
  const news = !rows.has(message.id);
  show(message);
  note(message.change);
  $("empty").hidden = true;
  if (follow) toEnd();
  else if (news) $("newest").hidden = false;
  if (document.hidden && news) document.title = "● " + document.title.replace("● ", "");
});

addEventListener("visibilitychange", () => { document.title = document.title.replace("● ", ""); });

function note(change) {
  if (change > have) ahead.add(change);
  while (ahead.delete(have + 1)) have++;
  clearTimeout(asking);
  if (ahead.size) asking = setTimeout(() => { if (joined) join(); }, GAP); // something was lost
}

function catchUp({ messages, last, fresh }) {
  if (fresh) forgetUpTo(last < have ? Infinity : last);
  messages.forEach(fresh ? insert : show);
  have = Math.max(have, last);
  for (const change of ahead) if (change <= have) ahead.delete(change);
  messages.forEach((message) => note(message.change));
  $("older").hidden = oldest <= 1;
  $("empty").hidden = rows.size > 0;
  if (pinned) toEnd();
}

function forgetUpTo(last) { // more was missed than one answer holds; the rest is there on demand
  for (const [id, row] of rows) {
    if (row.dataset.change <= last && rows.delete(id)) row.remove();
  }
  oldest = rows.size ? Math.min(...rows.keys()) : 0;
  newest = rows.size ? Math.max(...rows.keys()) : 0;
  have = 0;
}

function show(message) {
  if (rows.has(message.id)) renew(message);
  else if (message.id > oldest) insert(message); // what was before is not shown, or not any more
}

function renew(message) { // a message that is shown was deleted
  const row = rows.get(message.id);
  if (!message.deleted || row.classList.contains("deleted")) return;
  const fresh = messageRow(message);
  const focused = row.contains(document.activeElement);
  row.replaceWith(fresh);
  rows.set(message.id, fresh);
  group(fresh);
  group(neighbour(fresh, "nextElementSibling"));
  if (focused) $("text").focus();
}

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
  if (message.author === me) delivered(message.key);
}

$("older").addEventListener("click", () => {
  socket.timeout(ANSWER).emit("older", oldest, (lost, answer) => {
    if (lost || answer.error) return complain(answer?.error ?? "No answer. Please try again.");
    const fromEnd = $("scroll").scrollHeight - $("scroll").scrollTop;
    answer.messages.reverse().forEach(insert);
    $("older").hidden = oldest <= 1;
    $("scroll").scrollTop = $("scroll").scrollHeight - fromEnd;
  });
});

function trim() { // what scrolled away at the top while one was reading at the end
  if (rows.size <= MOST_ROWS) return;
  while (rows.size > MOST_ROWS / 2) {
    rows.get(oldest)?.remove();
    rows.delete(oldest++);
  }
  group($("messages").firstElementChild);
  $("older").hidden = false;
}

// One row, and how it stands beside its neighbours.

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function messageRow(message) {
  const { id, change, author, name, text, sent, deleted } = message;
  const when = new Date(sent);
  const time = make("time", "time", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  const row = textRow(author, name, deleted ? "This message was deleted." : text, time);
  Object.assign(row.dataset, { id, change, author, sent, date: when.toDateString() });
  row.classList.toggle("deleted", deleted);
  if (author === me && !deleted) time.before(deleteButton(id, text));
  return row;
}

function textRow(author, name, text, time) {
  const row = make("li", author === me ? "message mine" : "message");
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
  if (!row?.dataset.id) return;
  const before = neighbour(row, "previousElementSibling");
  const sameDay = before?.dataset.date === row.dataset.date;
  const sameRun = sameDay && before.dataset.author === row.dataset.author &&
    row.dataset.sent - before.dataset.sent < RUN;
  row.classList.toggle("run", sameRun);
  if (sameDay) delete row.dataset.day;
  else row.dataset.day = new Date(+row.dataset.sent).toLocaleDateString([], { dateStyle: "full" });
}

// Deleting a message of one's own asks once, in the place of the button.

function deleteButton(id, text) {
  const button = make("button", "delete", "Delete");
  button.type = "button";
  button.ariaLabel = `Delete “${text.length > 40 ? text.slice(0, 40) + "…" : text}”`;
  button.addEventListener("click", () => askToDelete(button, id));
  return button;
}

function askToDelete(button, id) {
  const [yes, no] = ["Delete", "Keep"].map((label) => make("button", "delete", label));
  const asked = make("span", "asked", "For everybody?");
  asked.role = "group";
  asked.ariaLabel = "Delete this message for everybody?";
  asked.append(yes, no);
  const close = () => { asked.replaceWith(button); button.focus(); };
  yes.addEventListener("click", () => socket.timeout(ANSWER).emit("delete", id, (lost, answer) => {
    if (!lost && !answer.error) return;
    close();
    complain(answer?.error ?? "No answer. The message may still be there.");
  }));
  no.addEventListener("click", close);
  yes.type = no.type = "button";
  asked.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  button.replaceWith(asked);
  yes.focus();
}

// Where the reader looks: at the end, unless they scrolled up. Rows get their true heights only when
// they are drawn, and the keyboard of a phone takes half the window: the end stays in sight.

let pinned = true;

function atEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $("scroll");
  return scrollHeight - scrollTop - clientHeight < 80;
}

function toEnd() {
  pinned = true;
  trim();
  $("scroll").scrollTop = $("scroll").scrollHeight;
  $("newest").hidden = true;
}

$("scroll").addEventListener("scroll", () => {
  pinned = atEnd();
  if (pinned) $("newest").hidden = true;
});
const sizes = new ResizeObserver(() => { if (pinned) $("scroll").scrollTop = $("scroll").scrollHeight; });
for (const id of ["scroll", "messages", "outbox"]) sizes.observe($(id));
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
  const row = textRow(me, $("me").textContent, text, make("span", "time", "Sending…"));
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
    if (answer?.message) { show(answer.message); note(answer.message.change); }
    if (answer?.error) giveBack(key, answer.error);
    deliver();
  });
}

function delivered(key) {
  const index = outbox.findIndex((letter) => letter.key === key);
  if (index >= 0) outbox.splice(index, 1)[0].row.remove();
}

function giveBack(key, why) {
  const letter = outbox.find((other) => other.key === key);
  if (!letter) return;
  delivered(key);
  write([letter.text, $("text").value].filter(Boolean).join("\n"));
  complain(why);
}

// Who is here. The server sends the whole list with the time at which it looked.

let looked = 0;

socket.on("people", showPeople);

function showPeople(people, count, number) {
  if (number < looked) return; // an older list, from another worker
  looked = number;
  $("people-count").textContent = count;
  $("people-list").replaceChildren(...people.map(personRow));
  $("people-more").textContent = count > people.length ? `and ${count - people.length} more` : "";
}

function personRow({ id, name }) {
  const row = make("li", "person");
  row.append(avatar(name), make("bdi", "person-name", name));
  if (id === me) row.append(make("span", "text-body-secondary small", "you"));
  return row;
}

socket.on("renamed", ({ id, name }) => {
  for (const row of rows.values()) {
    if (row.dataset.author !== id) continue;
    row.querySelector(".author").textContent = name;
    row.querySelector(".avatar").replaceWith(avatar(name));
  }
  if (id === me) $("me").textContent = name;
});

// On a phone, rooms and people are behind a button each.

for (const name of ["rooms", "people"]) {
  $(name + "-button").addEventListener("click", () => openOnly($(name).classList.contains("open") ? "" : name));
}
addEventListener("keydown", (event) => { if (event.key === "Escape") openOnly(""); });
$("scroll").addEventListener("pointerdown", () => openOnly(""));

function openOnly(which) {
  for (const name of ["rooms", "people"]) {
    $(name).classList.toggle("open", name === which);
    $(name + "-button").ariaExpanded = String(name === which);
  }
}
