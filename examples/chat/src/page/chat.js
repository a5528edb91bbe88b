// The page: conversations, who is there, what is unread, and what became of each message.

import { Connection } from "./connection.js";

const { user: me, token, namespace } = document.body.dataset;
const MAX_SHOWN = 500;
const MAX_TEXT_BYTES = 4000;
const MAX_NAME_BYTES = 48;
const NAME = /^[\p{Alphabetic}\p{N}][\p{Alphabetic}\p{N}\-_.#]*$/u;
const loadedAt = Date.now();
const at = (id) => document.getElementById(id);
const storageKey = `chat:${namespace}:${me}`;

/** By key: "all", "room:NAME" or "user:NAME". */
const conversations = new Map();
/** Of each conversation, what was read, as the server counts: kept over visits. */
const readPositions = JSON.parse(localStorage.getItem(storageKey) ?? "{}");
let current = null;
let isModerator = false;

// What a page left behind when it was reloaded. A copy of the tab finds nothing, and is a client of its own.
const saved = JSON.parse(sessionStorage.getItem(storageKey) ?? "null");
sessionStorage.removeItem(storageKey);
const connection = new Connection({
  url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/socket/${namespace}`,
  token,
  saved: saved?.connection,
  hear,
});

// Elements.

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A name, with its mark in small. */
function nameOf(user) {
  const [name, mark] = user.split("#");
  const label = make("span", "label", name);
  if (mark) label.append(make("span", "mark", `#${mark}`));
  return label;
}

function paint(element, user) {
  let hue = 0;
  for (const char of user) hue = (hue * 31 + char.codePointAt(0)) % 360;
  element.style.setProperty("--hue", hue);
}

function sign(user) {
  const element = make("span", "sign", [...user][0].toUpperCase());
  element.setAttribute("aria-hidden", "true");
  paint(element, user);
  return element;
}

function timeOf(milliseconds) {
  const date = new Date(milliseconds);
  const isToday = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return isToday ? time : `${date.toLocaleDateString()} ${time}`;
}

// Conversations.

function keyOf(to, from) {
  if (to === "all") return "all";
  if (to.room !== undefined) return `room:${to.room}`;
  return `user:${to.user === me ? from : to.user}`;
}

function conversation(key) {
  const known = conversations.get(key);
  if (known) return known;
  const [kind, name] = key === "all" ? ["all", "Announcements"] : [key.slice(0, 4), key.slice(5)];
  const to = kind === "all" ? "all" : { [kind]: name };
  const badge = make("span", "badge");
  badge.hidden = true;
  const icon = kind === "user" ? sign(name) : make("span", "sign", kind === "all" ? "!" : "#");
  icon.setAttribute("aria-hidden", "true");
  const button = make("button", "", icon, kind === "user" ? nameOf(name) : make("span", "label", name), badge);
  button.type = "button";
  const item = make("li", kind === "user" ? "" : "room", button);
  const made = { key, kind, name, to, badge, button, item, items: [], people: new Set(), unread: 0, seen: {}, divider: null };
  button.addEventListener("click", () => {
    show(made);
    closePanels();
    at("text").focus();
  });
  conversations.set(key, made);
  const list = at(kind === "user" ? "privates" : "rooms");
  const after = [...list.children].find((other) => other.textContent > item.textContent);
  list.insertBefore(item, kind === "all" ? list.firstChild : (after ?? null));
  at("no-privates").hidden = at("privates").childElementCount > 0;
  return made;
}

function remove(gone) {
  conversations.delete(gone.key);
  gone.item.remove();
  if (current === gone) show(conversations.values().next().value ?? null);
}

function show(next) {
  if (current?.divider) {
    current.divider.remove();
    current.items = current.items.filter((item) => item.element !== current.divider);
    current.divider = null;
  }
  current?.button.removeAttribute("aria-current");
  current = next;
  at("leave").hidden = next?.kind !== "room";
  at("composer").hidden = !next || (next.kind === "all" && !isModerator);
  at("title").textContent = next ? (next.kind === "room" ? `# ${next.name}` : next.name.split("#")[0]) : "Chat";
  if (next?.unread) {
    const first = next.items.findIndex((item) => item.isUnread);
    next.divider = make("li", "divider unread", "New");
    if (first >= 0) next.items.splice(first, 0, { element: next.divider });
  }
  const log = at("messages");
  // A screen reader need not read the whole history.
  log.setAttribute("aria-busy", "true");
  log.replaceChildren(...(next?.items ?? []).map((item) => item.element));
  log.setAttribute("aria-busy", "false");
  next?.button.setAttribute("aria-current", "true");
  at("text").placeholder = next ? `Message to ${next.kind === "user" ? next.name.split("#")[0] : next.name}` : "";
  if (next?.divider) next.divider.scrollIntoView({ block: "center" });
  else scrollToEnd();
  showPeople();
  markRead();
}

// Unread marks.

function isAtEnd() {
  const log = at("messages");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
}

function scrollToEnd() {
  at("messages").scrollTop = at("messages").scrollHeight;
  at("newest").hidden = true;
}

function markRead() {
  if (!current || document.hidden) return;
  if (current.unread && !isAtEnd() && !current.divider) return;
  current.unread = 0;
  for (const item of current.items) item.isUnread = false;
  readPositions[current.key] = { ...readPositions[current.key], ...current.seen };
  try {
    localStorage.setItem(storageKey, JSON.stringify(readPositions));
  } catch {
    // Without place, marks are forgotten with the page.
  }
  showUnread();
}

function showUnread() {
  let total = 0;
  for (const { badge, unread } of conversations.values()) {
    total += unread;
    badge.hidden = unread === 0;
    badge.replaceChildren(String(unread), make("span", "hidden", " unread"));
  }
  document.title = total ? `(${total}) Chat` : "Chat";
  at("menu-unread").hidden = total === 0;
  at("menu-unread").textContent = total;
}

// Messages.

const TICKS = {
  pending: ["◷", "being sent"],
  stored: ["✓", "stored"],
  told: ["✓✓", "stored, and delivered"],
};

function setTick(item, tick) {
  const [char, words] = TICKS[tick];
  item.tick.className = `tick ${tick}`;
  const shown = make("span", "", char);
  shown.setAttribute("aria-hidden", "true");
  item.tick.replaceChildren(shown, make("span", "hidden", words));
  item.tick.title = words;
}

function messageItem({ from, text, time, origin, seq }) {
  const isMine = from === me;
  const tick = make("span", "tick");
  const author = make("span", "from", nameOf(from));
  if (isMine) author.replaceChildren("You");
  const clock = make("time", "", timeOf(time));
  clock.dateTime = new Date(time).toISOString();
  const element = make("li", `message${isMine ? " mine" : ""}`, author, make("span", "words", text), make("span", "meta", clock, tick));
  paint(element, from);
  return { element, tick, from, time, origin, seq };
}

/** Puts an item behind the others, but before those that have a later number, or none yet. */
function put(into, item) {
  const wasAtEnd = isAtEnd();
  const isLater = (other) => other.isPending || (other.origin === item.origin && other.seq > item.seq);
  const index = item.isPending ? -1 : into.items.findIndex(isLater);
  const next = index < 0 ? null : into.items[index];
  into.items.splice(index < 0 ? into.items.length : index, 0, item);
  const dropped = into.items.length > MAX_SHOWN ? into.items.splice(0, into.items.length - MAX_SHOWN) : [];
  group(into.items);
  if (into !== current) return;
  for (const { element } of dropped) element.remove();
  at("messages").insertBefore(item.element, next?.element ?? null);
  if (wasAtEnd || item.isPending) scrollToEnd();
  else if (item.from !== me) at("newest").hidden = false;
}

/** The first of several messages of one person shows the name. */
function group(items) {
  items.forEach((item, index) => {
    const before = items[index - 1];
    const isFirst = !before || before.from !== item.from || item.time - before.time > 300_000;
    item.element.classList.toggle("first", Boolean(item.from) && isFirst);
  });
}

/** Takes an item out, if it is there, to put it elsewhere. */
function lift(from, item) {
  const index = from.items.indexOf(item);
  if (index >= 0) from.items.splice(index, 1);
}

function findPending(id) {
  for (const within of conversations.values()) {
    const item = within.items.find((item) => item.isPending && item.id === id);
    if (item) return [within, item];
  }
  return [];
}

function showPending(message) {
  const into = conversation(keyOf(message.to, me));
  const item = { ...messageItem({ ...message, from: me }), id: message.id, isPending: true };
  setTick(item, "pending");
  put(into, item);
}

/** A message of ours has its place now. Others that were said later may be there already. */
function settle(within, item, tick, { origin, seq }) {
  lift(within, item);
  Object.assign(item, { origin, seq, isPending: false });
  setTick(item, tick);
  put(within, item);
}

function said(entry) {
  const within = conversation(keyOf(entry.to, entry.from));
  const { origin, seq } = entry;
  within.seen[origin] = seq;
  if (entry.from === me && entry.client === connection.client) {
    // It was stored, and the acknowledgement was lost.
    const [holder, item] = findPending(entry.id);
    if (item) return settle(holder, item, "stored", entry);
  }
  const item = messageItem(entry);
  if (entry.from === me) {
    setTick(item, "stored");
  } else {
    const read = readPositions[within.key];
    const isNew = read ? !(read[origin] >= seq) : within.kind === "user" || entry.time > loadedAt;
    const isSeen = within === current && !document.hidden && isAtEnd();
    if (isNew && !isSeen) {
      item.isUnread = true;
      within.unread += 1;
    }
  }
  put(within, item);
  if (within === current) markRead();
  showUnread();
}

function acknowledged({ message, reached, origin, seq }) {
  const [within, item] = findPending(message.id);
  if (!item) return;
  within.seen[origin] = seq;
  settle(within, item, reached > 0 ? "told" : "stored", { origin, seq });
}

function failed({ message, text }) {
  const [within, item] = findPending(message.id);
  if (!item) return;
  item.isPending = false;
  item.tick.replaceChildren();
  item.element.classList.add("failed");
  const again = make("button", "small", "Try again");
  again.type = "button";
  again.addEventListener("click", () => {
    lift(within, item);
    item.element.remove();
    showPending(connection.say(message.to, message.text));
  });
  item.element.append(make("span", "why", text, again));
}

// People.

function showPeople() {
  const people = current?.kind === "user" ? [current.name, me] : [...(current?.people ?? [])];
  people.sort((one, other) => one.localeCompare(other));
  at("count").textContent = people.length || "";
  at("people").replaceChildren(
    ...people.map((user) => {
      const button = make("button", "", sign(user), nameOf(user));
      button.type = "button";
      if (user === me) {
        button.append(make("span", "mark", "you"));
        button.disabled = true;
      } else {
        button.append(make("span", "hidden", ": write in private"));
        button.addEventListener("click", () => {
          show(conversation(`user:${user}`));
          closePanels();
          at("text").focus();
        });
      }
      return make("li", "", button);
    }),
  );
}

// What the server says.

const handlers = {
  state({ state, text }) {
    at("state").dataset.state = state;
    at("state-text").textContent = text;
    at("retry").hidden = state === "open" || state === "connecting";
  },
  welcome({ moderator }) {
    isModerator = moderator;
    if (moderator) conversation("all");
  },
  joined({ channel, people, gap }) {
    if (gap && channel.room !== undefined) {
      put(conversation(`room:${channel.room}`), { element: make("li", "divider gap", "Some messages may be missing here") });
    }
    if (channel.room === undefined) return;
    const room = conversation(`room:${channel.room}`);
    room.people = new Set(people);
    if (!current || room.isWanted) show(room);
    room.isWanted = false;
    if (room === current) showPeople();
  },
  left({ room }) {
    const gone = conversations.get(`room:${room}`);
    if (gone) remove(gone);
  },
  said,
  ack: acknowledged,
  failed,
  came({ room, user }) {
    conversation(`room:${room}`).people.add(user);
    showPeople();
  },
  went({ room, user }) {
    conversation(`room:${room}`).people.delete(user);
    showPeople();
  },
  refused({ room, text }) {
    note(`${room}: ${text}.`);
    const refused = conversations.get(`room:${room}`);
    if (refused && refused.items.length === 0) remove(refused);
  },
};

function hear(message) {
  handlers[message.type]?.(message);
}

// What the user does.

function note(text) {
  at("note").textContent = text;
}

function byteLength(text) {
  return new TextEncoder().encode(text).length;
}

function send() {
  const text = at("text").value;
  if (!current || text.trim() === "") return;
  const bytes = byteLength(text);
  if (bytes > MAX_TEXT_BYTES) return note(`This is too long by ${bytes - MAX_TEXT_BYTES} bytes.`);
  note("");
  at("text").value = "";
  // It is shown before it is sent, so that it is there when the answer comes.
  showPending(connection.say(current.to, text));
  scrollToEnd();
}

function closePanels() {
  for (const [button, panel] of [["menu", "side"], ["crowd", "people-panel"]]) {
    at(panel).classList.remove("open");
    at(button).setAttribute("aria-expanded", "false");
  }
}

function togglePanel(button, panel) {
  const isOpen = at(panel).classList.contains("open");
  closePanels();
  if (isOpen) return;
  at(panel).classList.add("open");
  at(button).setAttribute("aria-expanded", "true");
  at(panel).querySelector("button, input")?.focus();
}

at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
  at("text").focus();
});
at("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
at("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("room").value.trim().replace(/^#/, "");
  if (!NAME.test(name) || byteLength(name) > MAX_NAME_BYTES) {
    return note("A room's name has up to 48 letters and digits, with - _ . or # inside, and no spaces.");
  }
  at("room").value = "";
  note("");
  closePanels();
  at("text").focus();
  const known = conversations.get(`room:${name}`);
  if (known) return show(known);
  conversation(`room:${name}`).isWanted = true;
  connection.join(name);
});
at("leave").addEventListener("click", () => {
  const { name } = current;
  connection.leave(name);
  remove(current);
  at("text").focus();
});
at("retry").addEventListener("click", () => connection.connect());
at("newest").addEventListener("click", () => {
  scrollToEnd();
  markRead();
});
// The newest message stays in sight when the window changes, as a phone's does with its keyboard.
let isFollowing = true;
new ResizeObserver(() => isFollowing && scrollToEnd()).observe(at("messages"));
at("messages").addEventListener("scroll", () => {
  isFollowing = isAtEnd();
  if (!isFollowing) return;
  at("newest").hidden = true;
  markRead();
});
at("menu").addEventListener("click", () => togglePanel("menu", "side"));
at("crowd").addEventListener("click", () => togglePanel("crowd", "people-panel"));
document.addEventListener("visibilitychange", markRead);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = ["menu", "crowd"].find((button) => at(button).getAttribute("aria-expanded") === "true");
    closePanels();
    // The focus goes back to where it came from.
    if (open) at(open).focus();
  }
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  const all = [...document.querySelectorAll("#rooms button, #privates button")];
  const step = event.key === "ArrowDown" ? 1 : -1;
  const index = all.findIndex((button) => button.getAttribute("aria-current"));
  all[(index + step + all.length) % all.length]?.click();
});
addEventListener("pagehide", () => {
  sessionStorage.setItem(storageKey, JSON.stringify({ connection: connection.save(), current: current?.key }));
});
addEventListener("pageshow", () => sessionStorage.removeItem(storageKey));

// What former logins have read is of no use to this one.
for (const key of Object.keys(localStorage)) {
  if (key.startsWith(`chat:${namespace}:`) && key !== storageKey) localStorage.removeItem(key);
}
at("me").append(sign(me), nameOf(me));
if (saved?.current) show(conversation(saved.current));
for (const message of connection.pending) showPending(message);
if (connection.rooms.size === 0) {
  for (const room of ["lobby", "news"]) connection.join(room);
}
connection.connect();
